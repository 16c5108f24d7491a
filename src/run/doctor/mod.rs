//! What would make the next backup or restore fail, found by trying each part of it, with the remedy.

mod clock;
mod databases;
mod key;
mod restic;
mod site;
mod storage;
mod unit;

pub use unit::{unit, without_schedule};

use serde::Serialize;

use super::Job;
use crate::error::Error;
use crate::event::Cx;
use crate::sys::claim::claim;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub what: String,
    pub level: Level,
    pub text: String,
    /// The file, directory, address or account that it is about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    pub remedy: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Ok,
    /// Good to know; nothing is wrong with it.
    Note,
    /// It works today.
    Warning,
    Error,
}

impl Finding {
    fn new(what: impl Into<String>, level: Level, text: impl Into<String>) -> Self {
        Self { what: what.into(), level, text: text.into(), place: None, remedy: None }
    }

    pub fn ok(what: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(what, Level::Ok, text)
    }

    pub fn note(what: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(what, Level::Note, text)
    }

    pub fn warning(what: impl Into<String>, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..Self::new(what, Level::Warning, text) }
    }

    fn error(what: impl Into<String>, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..Self::new(what, Level::Error, text) }
    }

    /// Of something that was tried.
    pub fn of(what: &str, result: Result<String, Error>) -> Self {
        match result {
            Ok(text) => Self::ok(what, text),
            Err(error) => Self::failed(what, &error),
        }
    }

    fn failed(what: &str, error: &Error) -> Self {
        Self { remedy: error.remedy().map(str::to_owned), ..Self::new(what, Level::Error, error.to_string()) }
    }

    #[must_use]
    pub fn at(self, place: impl std::fmt::Display) -> Self {
        Self { place: Some(place.to_string()), ..self }
    }
}

/// Looks at everything a run needs; changes nothing but probe files that it removes, and locks that nobody holds any more.
pub fn examine(job: &Job, cx: &Cx) -> Vec<Finding> {
    let mut findings = site::look(job);
    findings.extend(databases::look(job, cx));
    findings.extend(key::look(job));
    match claim(&job.state.join("lock"), "doctor") {
        Err(busy) => findings.push(Finding::of("this site", Err(busy)).at(job.state.display())),
        Ok(_claim) => findings.extend(storage::look(job, cx)),
    }
    findings
}
