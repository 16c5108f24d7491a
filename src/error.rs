//! What went wrong, of which kind, and what to do about it.
//!
//! The kind is what programs branch on (exit code, later HTTP status and metric label); the text and the remedy are for people.

use std::fmt;

use serde::Serialize;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The few kinds of failure a caller can react to; each has one exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The work was tried and did not succeed.
    Failed,
    /// The command line or the configuration asks for something impossible.
    Usage,
    /// What was asked for, such as a snapshot or a file in it, is not there.
    NotFound,
    /// There is no repository where one was expected.
    NoRepository,
    /// Somebody else holds the repository or the site.
    Locked,
    /// The password or key does not open the repository.
    WrongPassword,
    /// What was being saved was changed meanwhile, in a way that a fresh start copes with.
    Changed,
    /// A hook asked for this run to be left out.
    Skipped,
    /// A person or the system asked to stop.
    Cancelled,
}

impl Kind {
    /// The process exit code of this kind; the numbers are restic's where restic has one.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed | Self::NotFound | Self::Changed => 1,
            Self::Usage => 2,
            Self::NoRepository => 10,
            Self::Locked => 11,
            Self::WrongPassword => 12,
            Self::Skipped => 75,
            Self::Cancelled => 130,
        }
    }
}

/// An error with its kind, its causes and, where we know one, its remedy.
pub struct Error {
    kind: Kind,
    inner: anyhow::Error,
    remedy: Option<String>,
}

impl Error {
    /// An error of a kind with a message: lower case, no full stop, says what was being done to what.
    pub fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Self { kind, inner: anyhow::anyhow!("{message}"), remedy: None }
    }

    /// A plain failure.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// A mistake in the command line or the configuration.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub fn cancelled() -> Self {
        Self::new(Kind::Cancelled, "cancelled")
    }

    /// What the reader can do about it, as one sentence without a full stop.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl fmt::Display) -> Self {
        self.remedy = Some(remedy.to_string());
        self
    }

    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    pub const fn kind(&self) -> Kind {
        self.kind
    }

    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// The innermost operating system error number, if the failure came from the system.
    pub fn os_error(&self) -> Option<i32> {
        self.inner.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>()?.raw_os_error())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.inner)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:#}", self.kind, self.inner)?;
        self.remedy.as_ref().map_or(Ok(()), |remedy| write!(f, " ({remedy})"))
    }
}

// `Error` itself is no `std::error::Error`, so that `?` can take any other error by this one rule.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(source: E) -> Self {
        Self { kind: Kind::Failed, inner: source.into(), remedy: None }
    }
}

/// Says what was being done when an error came up.
pub trait Context<T> {
    fn context(self, what: impl fmt::Display) -> Result<T>;
    fn with_context<S: fmt::Display>(self, what: impl FnOnce() -> S) -> Result<T>;
    /// Adds what the reader can do about it, unless the error brought its own remedy.
    fn remedy(self, remedy: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Result<T> {
        self.with_context(|| what)
    }

    fn with_context<S: fmt::Display>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|error| {
            let Error { kind, inner, remedy } = error.into();
            Error { kind, inner: inner.context(what().to_string()), remedy }
        })
    }

    fn remedy(self, remedy: impl fmt::Display) -> Result<T> {
        self.map_err(|error| {
            let error = error.into();
            if error.remedy.is_some() { error } else { error.with_remedy(remedy) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_keeps_kind_remedy_and_os_error() {
        let io: Result<()> = Err(std::io::Error::from_raw_os_error(5).into());
        let error = io.context("read pack").remedy("look at the storage").context("restore").unwrap_err();
        assert_eq!(error.os_error(), Some(5));
        assert_eq!(error.remedy(), Some("look at the storage"));
        assert_eq!(error.to_string(), "restore: read pack: Input/output error (os error 5)");
    }
}
