//! The commit gate: the only way a snapshot file reaches the storage, and the memory of everything that went wrong on the way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustic_core::{FileType, Id};

use crate::error::{Error, Result};
use crate::event::Cx;

/// Stands between `rustic_core` and the storage for the length of one open repository.
///
/// `rustic_core` saves a snapshot as soon as its iterator ends, whatever was dropped on the way. So its own write of a
/// snapshot file is swallowed here, and `Repo::snapshot` writes it itself once it knows that everything came.
pub(crate) struct Gate {
    cx: Cx,
    open: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// A save has failed; what its threads still want to write comes too late.
    ended: bool,
    failure: Option<(String, Option<&'static str>)>,
    committed: Option<Id>,
}

/// What to do with a write that `rustic_core` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Write,
    /// Say that it was done, and do nothing.
    Swallow,
}

impl Gate {
    pub(crate) fn new(cx: &Cx) -> Self {
        Self { cx: cx.clone(), open: AtomicBool::new(false), state: Mutex::default() }
    }

    /// Asked before every write.
    pub(crate) fn admit(&self, tpe: FileType) -> Result<Pass> {
        self.cx.go_on()?;
        if let Some(failure) = self.failure() {
            return Err(Error::failed(format!("not written, because an earlier write failed: {failure}")));
        }
        if self.lock().ended {
            return Err(Error::failed("not written, because the save has ended"));
        }
        let shut = tpe == FileType::Snapshot && !self.open.load(Ordering::SeqCst);
        Ok(if shut { Pass::Swallow } else { Pass::Write })
    }

    /// Lets snapshot files through while `commit` runs, and tells which id was written.
    pub(crate) fn while_open<T>(&self, commit: impl FnOnce() -> Result<T>) -> Result<(T, Id)> {
        self.open.store(true, Ordering::SeqCst);
        let done = commit();
        self.open.store(false, Ordering::SeqCst);
        let written = self.lock().committed.take();
        let done = done?;
        written.map(|id| (done, id)).ok_or_else(|| Error::failed("the snapshot file was not written"))
    }

    pub(crate) fn written(&self, tpe: FileType, id: &Id) {
        if tpe == FileType::Snapshot {
            self.lock().committed = Some(*id);
        }
    }

    /// Another save begins. A write that failed is not forgotten: the storage is the same.
    pub(crate) fn begin(&self) {
        self.lock().ended = false;
    }

    /// A save has failed: nothing more is written for it.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
    }

    /// The first failure is the one to tell; all later writes are refused.
    pub(crate) fn failed(&self, what: &str, remedy: Option<&'static str>) {
        self.lock().failure.get_or_insert_with(|| (what.to_owned(), remedy));
    }

    pub(crate) fn failure(&self) -> Option<Error> {
        self.lock().failure.as_ref().map(|(what, remedy)| {
            let plain = Error::failed(what);
            match remedy {
                Some(remedy) => plain.with_remedy(remedy),
                None => plain,
            }
        })
    }

    pub(crate) fn is_hurried(&self) -> bool {
        self.cx.is_hurried()
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cx.is_cancelled()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Cancel;

    #[test]
    fn a_save_may_begin_again_but_not_on_a_storage_that_failed() {
        let gate = Gate::new(&Cx::silent());
        gate.end();
        assert!(gate.admit(FileType::Pack).is_err());
        gate.begin();
        assert_eq!(gate.admit(FileType::Pack).unwrap(), Pass::Write);
        gate.failed("no room", None);
        gate.end();
        gate.begin();
        assert!(gate.admit(FileType::Pack).unwrap_err().to_string().contains("no room"));
    }

    #[test]
    fn a_snapshot_passes_only_through_commit() {
        let gate = Gate::new(&Cx::silent());
        assert_eq!(gate.admit(FileType::Snapshot).unwrap(), Pass::Swallow);
        assert_eq!(gate.admit(FileType::Pack).unwrap(), Pass::Write);
        let id = Id::random();
        let (pass, written) = gate
            .while_open(|| {
                let pass = gate.admit(FileType::Snapshot)?;
                gate.written(FileType::Snapshot, &id);
                Ok(pass)
            })
            .unwrap();
        assert_eq!((pass, written), (Pass::Write, id));
        assert_eq!(gate.admit(FileType::Snapshot).unwrap(), Pass::Swallow);
    }

    #[test]
    fn a_commit_that_wrote_nothing_is_an_error() {
        let gate = Gate::new(&Cx::silent());
        assert!(gate.while_open(|| Ok(())).is_err());
    }

    #[test]
    fn nothing_is_written_after_a_failure_or_a_cancel() {
        let gate = Gate::new(&Cx::silent());
        gate.failed("disk full", None);
        gate.failed("something later", Some("remedy"));
        assert!(gate.admit(FileType::Pack).unwrap_err().to_string().contains("disk full"));

        let cancel = Cancel::default();
        let gate = Gate::new(&Cx::new("r", cancel.clone(), vec![]));
        cancel.cancel();
        assert_eq!(gate.admit(FileType::Pack).unwrap_err().kind(), crate::error::Kind::Cancelled);
    }
}
