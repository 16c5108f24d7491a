//! Everything that is wrong with a configuration at once, each with its place and its remedy.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::secret::Way;
use super::yaml::{Place, Refusal, line_of};
use crate::error::{Error, Kind};

/// More than these are not listed; whoever corrects them will see the rest.
const LISTED: usize = 20;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Counted from 1.
    pub line: Option<usize>,
    /// The key, such as `storage.server`; empty for the file as a whole.
    pub path: String,
    /// Goes after the path: `is missing`.
    #[serde(rename = "problem")]
    pub text: String,
    pub remedy: String,
}

/// All that is wrong with one file.
#[derive(Clone, PartialEq, Eq)]
pub struct Problems {
    pub file: PathBuf,
    pub list: Vec<Problem>,
    /// Problems beyond those in the list.
    pub more: usize,
}

impl Problems {
    /// The file as a whole cannot be used.
    pub(super) fn of_file(file: &Path, text: impl fmt::Display, remedy: impl fmt::Display) -> Self {
        let (text, remedy) = (text.to_string(), remedy.to_string());
        let problem = Problem { line: None, path: String::new(), text, remedy };
        Self { file: file.to_owned(), list: vec![problem], more: 0 }
    }

    /// What is wrong with a document that has no lines.
    pub(super) fn of_document(file: &Path, list: Vec<Problem>) -> Self {
        let more = list.len().saturating_sub(LISTED);
        Self { file: file.to_owned(), list: list.into_iter().take(LISTED).collect(), more }
    }

    pub(super) fn of_syntax(file: &Path, refusal: Refusal) -> Self {
        let Refusal { line, text, remedy } = refusal;
        let problem = Problem { line, path: String::new(), text, remedy: remedy.to_owned() };
        Self { file: file.to_owned(), list: vec![problem], more: 0 }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.list.len() + self.more;
        let s = if count == 1 { "" } else { "s" };
        write!(f, "{} has {count} problem{s}", self.file.display())?;
        for problem in &self.list {
            write!(f, "\n\n  {problem}")?;
        }
        if self.more > 0 {
            write!(f, "\n\n  and {} more", self.more)?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        let subject = if self.path.is_empty() { "the file" } else { &self.path };
        write!(f, "{subject} {}\n    -> {}", self.text, self.remedy)
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Self::new(Kind::Usage, problems)
    }
}

/// Collects problems while a configuration is walked through.
#[derive(Default)]
pub(super) struct Findings {
    problems: RefCell<Vec<(Place, Problem)>>,
    secrets: RefCell<Vec<(Place, Way)>>,
}

impl Findings {
    pub(super) fn add(&self, place: Place, path: &str, text: impl fmt::Display, remedy: impl fmt::Display) {
        let (text, remedy) = (text.to_string(), remedy.to_string());
        self.problems.borrow_mut().push((place, Problem { line: None, path: path.to_owned(), text, remedy }));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    pub(super) fn note_secret(&self, place: Place, way: Way) {
        self.secrets.borrow_mut().push((place, way));
    }

    /// Where there are secrets, if nothing else is wanted any more.
    pub(super) fn into_secrets(self) -> Vec<(Place, Way)> {
        self.secrets.into_inner()
    }

    /// In the order of the file, with lines.
    pub(super) fn into_problems(self, file: &Path, text: &str) -> Problems {
        let mut found = self.problems.into_inner();
        found.sort_by_key(|(place, _)| *place);
        let more = found.len().saturating_sub(LISTED);
        found.truncate(LISTED);
        let located = |(place, problem)| Problem { line: line_of(text, place), ..problem };
        Problems { file: file.to_owned(), list: found.into_iter().map(located).collect(), more }
    }
}
