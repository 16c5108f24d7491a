//! Who is to be told what: plain data that the configuration makes. Secrets are fetched when something is sent, and not before.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::event::{Outcome, RunKind};
use crate::sys::local_time::local_time;
use crate::sys::secret::Secret;

/// All channels of a site, and what the agent watches.
#[derive(Clone, Debug)]
pub struct NotifySpec {
    pub channels: Vec<Channel>,
    pub alerts: AlertSpec,
    /// In which people read times.
    pub zone: TimeZone,
    /// The configuration that the commands in a message name.
    pub config: PathBuf,
    /// How long one attempt may take as a whole, whatever the server does.
    pub patience: Duration,
}

/// One way to tell.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Unique in a site; messages that wait know it by this.
    pub name: String,
    pub on: Vec<Word>,
    pub runs: Vec<RunKind>,
    pub means: Means,
}

#[derive(Clone, Debug)]
pub enum Means {
    Mail(MailSpec),
    Webhook(WebhookSpec),
    Ping(PingSpec),
}

#[derive(Clone, Debug)]
pub struct MailSpec {
    pub to: Vec<String>,
    pub from: String,
    pub server: String,
    pub port: u16,
    pub encryption: Encryption,
    /// User and password.
    pub login: Option<(String, Hidden)>,
    /// File with the certificates of who signs the server's; left out: the well-known authorities.
    pub ca: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct WebhookSpec {
    pub url: Hidden,
    pub method: Method,
    pub headers: Vec<(String, Value)>,
    /// A template; left out: the letter as JSON.
    pub body: Option<String>,
    pub ca: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct PingSpec {
    pub url: Hidden,
    pub ca: Option<PathBuf>,
}

/// The value of a header.
#[derive(Clone, Debug)]
pub enum Value {
    Plain(String),
    Hidden(Hidden),
}

/// How the way to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Encryption {
    /// Begins in plain text and must become TLS before anything else is said.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// Not at all.
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
pub enum Method {
    #[default]
    Post,
    Put,
}

/// What there may be to tell, in the word by which a channel chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    Success,
    Incomplete,
    Failed,
    Skipped,
    Cancelled,
    /// A run that has no end: its process is gone.
    Crashed,
    Alert,
    Recovered,
    /// For pings alone; nobody asks for it.
    #[schemars(skip)]
    Started,
    #[schemars(skip)]
    Test,
}

impl Word {
    /// What a channel can ask for.
    pub const ALL: [Self; 8] = [
        Self::Success,
        Self::Incomplete,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
        Self::Crashed,
        Self::Alert,
        Self::Recovered,
    ];

    /// What a channel is told that asks for nothing in particular: what is wrong, and when it is over.
    pub const USUAL: [Self; 5] =
        [Self::Incomplete, Self::Failed, Self::Crashed, Self::Alert, Self::Recovered];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Crashed => "crashed",
            Self::Alert => "alert",
            Self::Recovered => "recovered",
            Self::Started => "started",
            Self::Test => "test",
        }
    }

    /// The worse, the longer a message is kept if there are too many.
    pub(super) const fn weight(self) -> u8 {
        match self {
            Self::Started => 0,
            Self::Success | Self::Test => 1,
            Self::Skipped | Self::Cancelled => 2,
            Self::Recovered => 3,
            Self::Incomplete | Self::Failed | Self::Crashed | Self::Alert => 4,
        }
    }
}

impl From<Outcome> for Word {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::Success,
            Outcome::Incomplete => Self::Incomplete,
            Outcome::Failed => Self::Failed,
            Outcome::Skipped => Self::Skipped,
            Outcome::Cancelled => Self::Cancelled,
        }
    }
}

/// What the agent tells by itself; what is left out is not watched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertSpec {
    pub no_success_for: Option<Duration>,
    pub drill_overdue: Option<Duration>,
    pub storage_full_within: Option<Duration>,
    /// In percent.
    pub storage_free_below: Option<f64>,
    /// An alert that goes on is told again after so long; left out: it is told once.
    pub repeat: Option<Duration>,
}

/// A secret that is fetched each time it is needed.
#[derive(Clone)]
pub struct Hidden(Arc<dyn Fn() -> Result<Secret> + Send + Sync>);

impl Hidden {
    pub fn new(fetch: impl Fn() -> Result<Secret> + Send + Sync + 'static) -> Self {
        Self(Arc::new(fetch))
    }

    pub(super) fn fetch(&self) -> Result<Secret> {
        (self.0)()
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl NotifySpec {
    /// How long one attempt to send may take, unless a test is less patient.
    pub const PATIENCE: Duration = Duration::from_secs(30);

    pub(super) fn channel(&self, name: &str) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.name == name)
    }

    pub(super) fn local(&self, time: Timestamp) -> String {
        local_time(time, &self.zone)
    }
}
