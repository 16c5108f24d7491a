//! Each thing that happened as a word for programs, and as a line for people.

use super::{Outcome, What};

impl What {
    /// As in its JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RunStarted { .. } => "run-started",
            Self::StepStarted { .. } => "step-started",
            Self::StepDone { .. } => "step-done",
            Self::StepFailed { .. } => "step-failed",
            Self::Progress { .. } => "progress",
            Self::Note { .. } => "note",
            Self::Warning { .. } => "warning",
            Self::Missed { .. } => "missed",
            Self::StepSkipped { .. } => "step-skipped",
            Self::HookRan { .. } => "hook-ran",
            Self::HookAnswered { .. } => "hook-answered",
            Self::Scratch { .. } => "scratch",
            Self::Space { .. } => "space",
            Self::Saved(_) => "saved",
            Self::RepositorySize(_) => "repository-size",
            Self::Rotated(_) => "rotated",
            Self::PhaseBegun { .. } => "phase-begun",
            Self::GivenBack { .. } => "given-back",
            Self::Released { .. } => "released",
            Self::Reverted { .. } => "reverted",
            Self::Stuck { .. } => "stuck",
            Self::RunFinished { .. } => "run-finished",
        }
    }

    pub fn text(&self) -> String {
        match self {
            Self::RunStarted { kind, cause, .. } => format!("{} began ({cause})", kind.name()),
            Self::StepStarted { step } => format!("{} …", step.name()),
            Self::StepDone { step } => format!("{} done", step.name()),
            Self::StepFailed { step, error, .. } => format!("{} failed: {error}", step.name()),
            Self::StepSkipped { step, why } => format!("{} left out: {why}", step.name()),
            Self::Progress { done, total: Some(total), .. } => format!("{done} of {total}"),
            Self::Progress { done, total: None, .. } => format!("{done}"),
            Self::Note { text } | Self::Warning { path: None, text } => text.clone(),
            Self::Warning { path: Some(path), text } => format!("{path}: {text}"),
            Self::Missed { path, why } => format!("not saved or restored: {path}: {why}"),
            Self::HookRan { point, hook, verdict } => format!("hook {point} {hook}: {verdict}"),
            Self::HookAnswered { point, hook, .. } => format!("hook {point} {hook} answered"),
            Self::Scratch { files, .. } => format!("brought back beside the site: {}", files.display()),
            Self::Space { free, total, .. } => format!("storage: {free} of {total} bytes are free"),
            Self::Saved(saved) => format!("{} files, {} bytes saved", saved.files, saved.bytes),
            Self::RepositorySize(size) => format!("repository: {} bytes in {} packs", size.bytes, size.packs),
            Self::Rotated(rotation) => {
                format!("{} snapshots are kept, {} were removed", rotation.snapshots, rotation.removed)
            }
            Self::PhaseBegun { phase } => format!("now {}", phase.name()),
            Self::GivenBack { seconds } => format!("the site works again, after {seconds:.2} s"),
            Self::Released { step } => format!("{} released", step.name()),
            Self::Reverted { step } => format!("{} put back", step.name()),
            Self::Stuck { step, error } => format!("STUCK: {}: {error}", step.name()),
            Self::RunFinished { outcome, error, .. } => match error {
                Some(error) if *outcome != Outcome::Success => format!("{}: {error}", outcome.name()),
                _ => outcome.name().to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Phase, Step};

    #[test]
    fn the_name_is_that_of_the_json() {
        let all = [
            What::Note { text: "x".to_owned() },
            What::PhaseBegun { phase: Phase::Online },
            What::StepFailed { step: Step::Save, error: "e".to_owned(), remedy: None },
            What::RunFinished { outcome: Outcome::Failed, snapshot: None, error: Some("e".to_owned()) },
        ];
        for what in all {
            assert_eq!(serde_json::to_value(&what).unwrap()["event"], what.name());
        }
    }
}
