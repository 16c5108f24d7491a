//! One attempt to send one letter through one channel, and what it came to.

use std::time::Duration;

use zeroize::Zeroizing;

use super::letter::Letter;
use super::spec::{Channel, Means};
use super::{mail, ping, webhook};
use crate::error::Error;
use crate::event::printable;
use crate::sys::secret::Secret;

/// Characters of a server's answer that are shown; the rest of it is nobody's business.
const SHOWN: usize = 160;

/// Why a letter was not taken.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It may go better later, by the server's own word not before so long.
    Later { why: String, after: Option<Duration> },
    /// It will not go better by itself.
    Never(String),
}

impl Trouble {
    pub(super) fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), after: None }
    }

    pub(super) fn why(&self) -> &str {
        match self {
            Self::Later { why, .. } | Self::Never(why) => why,
        }
    }
}

/// A secret that cannot be fetched now may be there in a minute: a credential that is being renewed, a disk that comes back.
impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::later(printable(&error.to_string()))
    }
}

/// What the server answered, or why it was not sent.
pub(super) type Sent = Result<String, Trouble>;

/// Sends a letter. `done` are recipients that have it already; whoever gets it now is added.
pub(super) fn send(channel: &Channel, letter: &Letter, patience: Duration, done: &mut Vec<String>) -> Sent {
    match &channel.means {
        Means::Mail(spec) => mail::send(spec, letter, patience, done),
        Means::Webhook(spec) => webhook::send(spec, letter, patience),
        Means::Ping(spec) => ping::send(spec, letter, patience),
    }
}

/// What must not be read in any answer or error, wherever the other side may have put it.
#[derive(Default)]
pub(super) struct Veil(Vec<Zeroizing<String>>);

impl Veil {
    pub(super) fn over(&mut self, secret: &Secret) {
        self.add(secret.reveal());
        // A header such as `Bearer TOKEN`.
        secret.reveal().split_whitespace().for_each(|part| self.add(part));
    }

    /// Of an address, each part that may be the secret one.
    pub(super) fn over_url(&mut self, url: &Secret) {
        self.add(url.reveal());
        let rest = url.reveal().split_once("://").map_or("", |(_, rest)| rest);
        let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(host_end);
        if let Some((login, _)) = authority.rsplit_once('@') {
            self.add(login);
            login.split(':').for_each(|part| self.add(part));
        }
        self.add(path);
        path.split(['/', '?', '&', '=', '#']).for_each(|part| self.add(part));
    }

    pub(super) fn add(&mut self, text: &str) {
        // Shorter ones are words of the language.
        if text.len() >= 5 {
            self.0.push(Zeroizing::new(text.to_owned()));
        }
    }

    /// The beginning of what somebody said, on one line and without what is behind the veil.
    pub(super) fn shown(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let mut secrets: Vec<&Zeroizing<String>> = self.0.iter().collect();
        // A part of a longer one that is replaced first would leave the rest of it.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in secrets {
            text = text.replace(secret.as_str(), "(secret)");
        }
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = printable(&line);
        if line.chars().count() <= SHOWN {
            return line.into_owned();
        }
        line.chars().take(SHOWN).chain("...".chars()).collect()
    }
}
