//! The verbs that stories are told in: what each step acquires or changes is given back in every ending.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::error::{Error, Kind, Result};
use crate::event::{Cx, FaultKind, Step, What};
use crate::sys::signal;

/// One run of a story. Dropping it ends the run: changes are reverted unless committed, then everything held is released,
/// both in reverse order, each on its own, also while a panic passes through.
pub struct Run<'a> {
    cx: &'a Cx,
    endings: Vec<Ending<'a>>,
    committed: bool,
    around: &'a dyn Around,
}

/// What may happen before and after every step: the one place where hooks join in.
pub trait Around {
    /// An error here fails the step before it began.
    fn before(&self, step: Step, cx: &Cx) -> Result<()>;
    /// Asked when the step is done; what goes wrong here is a warning, only a cancel is an error.
    fn after(&self, step: Step, cx: &Cx) -> Result<()>;
}

/// Nothing happens around the steps.
pub struct Alone;

impl Around for Alone {
    fn before(&self, _step: Step, _cx: &Cx) -> Result<()> {
        Ok(())
    }

    fn after(&self, _step: Step, _cx: &Cx) -> Result<()> {
        Ok(())
    }
}

struct Ending<'a> {
    step: Step,
    kind: EndingKind,
    action: Box<dyn FnOnce() -> Result<()> + 'a>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EndingKind {
    Release,
    Revert,
}

impl<'a> Run<'a> {
    pub fn new(around: &'a dyn Around, cx: &'a Cx) -> Self {
        Self { cx, endings: Vec::new(), committed: false, around }
    }

    /// Must succeed: an error ends the run.
    pub fn step<T>(&mut self, step: Step, body: impl FnOnce() -> Result<T>) -> Result<T> {
        self.cx.emit(What::StepStarted { step });
        let result = catch_unwind(AssertUnwindSafe(|| -> Result<T> {
            if !self.committed {
                self.cx.go_on()?;
            }
            self.around.before(step, self.cx)?;
            self.strike(step)?;
            body()
        }));
        match result {
            Ok(Ok(done)) => {
                self.die_if(step, FaultKind::KillAfter)?;
                self.cx.emit(What::StepDone { step });
                // The step is done and must stay so, or what it acquired would be lost to its release: a cancel that came
                // during the hook is seen by the next step.
                if let Err(error) = self.around.after(step, self.cx) {
                    // Nothing was acquired there, and whoever looks may still say no.
                    if step == Step::Probe {
                        self.failed(step, &error.to_string(), error.remedy());
                        return Err(error);
                    }
                    self.cx.warn(error.to_string());
                }
                Ok(done)
            }
            Ok(Err(error)) if self.committed && error.kind() == Kind::Skipped => {
                Err(self.skip_late(step, error))
            }
            Ok(Err(error)) => {
                self.failed(step, &error.to_string(), error.remedy());
                Err(error)
            }
            Err(panic) => {
                self.failed(step, &panic_text(panic.as_ref()), None);
                resume_unwind(panic)
            }
        }
    }

    /// Worth trying once the main thing is achieved: what fails here, panics included, is told and nothing more.
    pub fn attempt<T>(&mut self, step: Step, body: impl FnOnce() -> Result<T>) -> Option<T> {
        // `step` has said what went wrong, as events that make the outcome incomplete.
        catch_unwind(AssertUnwindSafe(|| self.step(step, body))).ok().and_then(Result::ok)
    }

    /// Acquires all or nothing, and gives it back at the end in every case.
    pub fn hold<T: Clone + 'a>(
        &mut self,
        step: Step,
        acquire: impl FnOnce() -> Result<T>,
        release: impl FnOnce(&T) -> Result<()> + 'a,
    ) -> Result<T> {
        let held = self.step(step, acquire)?;
        let kept = held.clone();
        self.endings.push(Ending {
            step,
            kind: EndingKind::Release,
            action: Box::new(move || release(&kept)),
        });
        Ok(held)
    }

    /// Alters something and may stop half way. The revert is armed first, owns its copy of the subject, and must be harmless
    /// where nothing happened.
    pub fn change<S: Clone + 'a, T>(
        &mut self,
        step: Step,
        subject: &S,
        alter: impl FnOnce(&S) -> Result<T>,
        revert: impl FnOnce(&S) -> Result<()> + 'a,
    ) -> Result<T> {
        let kept = subject.clone();
        self.endings.push(Ending { step, kind: EndingKind::Revert, action: Box::new(move || revert(&kept)) });
        self.step(step, || alter(subject))
    }

    /// What was done stays from here on, and a cancel does not end the run any more: who asked to stop is told what there is.
    pub fn commit(&mut self) {
        self.committed = true;
    }

    fn strike(&self, step: Step) -> Result<()> {
        self.die_if(step, FaultKind::Kill)?;
        match self.cx.fault {
            Some(fault) if fault.step == step && fault.kind == FaultKind::Panic => {
                panic!("injected panic in {}", step.name())
            }
            Some(fault) if fault.step == step && fault.kind == FaultKind::Error => {
                Err(Error::failed(format!("injected error in {}", step.name())))
            }
            _ => Ok(()),
        }
    }

    fn die_if(&self, step: Step, kind: FaultKind) -> Result<()> {
        match self.cx.fault {
            Some(fault) if fault.step == step && fault.kind == kind => signal::kill_self(),
            _ => Ok(()),
        }
    }

    /// What was done cannot be left out any more; what can be done by the next run as well can.
    fn skip_late(&self, step: Step, error: Error) -> Error {
        if step == Step::Rotate {
            self.cx.emit(What::StepSkipped { step, why: error.to_string() });
            return error;
        }
        let error = Error::failed(format!("{error}, and it is too late for that"))
            .with_remedy("end with 75 in `before-run`, or at an earlier step");
        self.failed(step, &error.to_string(), error.remedy());
        error
    }

    fn failed(&self, step: Step, error: &str, remedy: Option<&str>) {
        self.cx.emit(What::StepFailed { step, error: error.to_owned(), remedy: remedy.map(str::to_owned) });
    }

    fn end(&self, ending: Ending<'a>) {
        let Ending { step, kind, action } = ending;
        if kind == EndingKind::Revert && self.committed {
            return;
        }
        let result = catch_unwind(AssertUnwindSafe(action))
            .unwrap_or_else(|panic| Err(Error::failed(panic_text(panic.as_ref()))));
        self.cx.emit(match (result, kind) {
            (Ok(()), EndingKind::Release) => What::Released { step },
            (Ok(()), EndingKind::Revert) => What::Reverted { step },
            (Err(error), _) => What::Stuck { step, error: error.to_string() },
        });
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        while let Some(ending) = self.endings.pop() {
            self.end(ending);
        }
    }
}

/// What a panic said, in one line.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let said = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panic: {}", said.as_deref().unwrap_or("without a message"))
}
