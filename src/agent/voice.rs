//! What the agent says to whoever reads its log.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

/// One line of the log.
#[derive(Clone, Debug, Serialize)]
pub struct Word {
    pub at: Timestamp,
    /// Left out: it is about the agent itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Somebody should look.
    pub problem: bool,
    pub text: String,
}

/// Where the lines go; the agent itself prints nothing.
#[derive(Clone)]
pub struct Voice(Arc<dyn Fn(&Word) + Send + Sync>);

impl Voice {
    pub fn new(listener: impl Fn(&Word) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    pub fn say(&self, site: Option<&str>, text: impl Into<String>) {
        self.word(site, false, text.into());
    }

    pub fn complain(&self, site: Option<&str>, text: impl Into<String>) {
        self.word(site, true, text.into());
    }

    fn word(&self, site: Option<&str>, problem: bool, text: String) {
        (self.0)(&Word { at: Timestamp::now(), site: site.map(str::to_owned), problem, text });
    }
}
