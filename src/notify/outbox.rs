//! What is to be told waits here until it is told: durable, bounded, and counted whatever becomes of it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;

use super::ledger::{Counts, Ledger};
use super::letter::Letter;
use super::message::{Message, Tray};
use super::occasion::Occasion;
use super::spec::{NotifySpec, Word};
use crate::error::{Context, Error, Result};
use crate::sys::fs::{create_private_directory, lock_private};

/// Messages that wait at the most, over all channels.
const MOST_WAITING: usize = 1000;

/// Dead letters that are kept.
const MOST_DEAD: usize = 500;

/// Where a site's notifications are kept, below the directory of what is remembered of it.
pub fn directory(state: &Path) -> PathBuf {
    state.join("notify")
}

/// The messages of one site.
pub struct Outbox {
    pub(super) directory: PathBuf,
    pub(super) waiting: Tray,
    pub(super) dead: Tray,
}

/// What there is, for people to look at.
#[derive(Debug, Serialize)]
pub struct Listing {
    pub waiting: Vec<Message>,
    pub dead: Vec<Message>,
    /// Files among them that nobody can read.
    pub damaged: Vec<String>,
    pub counts: Counts,
}

/// Which messages are to be tried again.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    All,
    /// By the beginning of its id.
    One(&'a str),
}

impl Outbox {
    /// Opens, or makes, the outbox of a site by its state directory.
    pub fn open(state: &Path) -> Result<Self> {
        let directory = directory(state);
        let (waiting, dead) = (directory.join("waiting"), directory.join("dead"));
        create_private_directory(&waiting)?;
        create_private_directory(&dead)?;
        Ok(Self { directory, waiting: Tray::new(waiting), dead: Tray::new(dead) })
    }

    /// Writes one message for each channel that asked for this. Posting the same again changes nothing. Returns how many
    /// were written.
    pub fn post(&self, spec: &NotifySpec, site: &str, occasion: &Occasion, now: Timestamp) -> Result<usize> {
        let channels: Vec<_> = spec.channels.iter().filter(|channel| occasion.concerns(channel)).collect();
        if channels.is_empty() {
            return Ok(0);
        }
        let _lock = self.lock()?;
        let mut ledger = Ledger::read(&self.directory);
        let (mut waiting, dead) = (self.waiting.read()?.messages, self.dead.read()?.messages);
        let mut written = 0;
        for channel in channels {
            let id = id(site, occasion, &channel.name);
            let known = |messages: &[Message]| messages.iter().any(|message| message.id == id);
            if ledger.was_sent(&id) || known(&waiting) || known(&dead) {
                continue;
            }
            self.drop_start(occasion, &channel.name, &mut waiting, &mut ledger)?;
            // Behind all others, also after the clock was set back.
            let last = waiting.iter().map(|message| message.place).max().unwrap_or(0);
            let place = now.as_microsecond().max(last + 1);
            let letter = Letter::new(spec, site, occasion, id.clone(), now);
            let message = Message::new(id, &channel.name, place, letter, now);
            self.waiting.write(&message)?;
            waiting.push(message);
            written += 1;
        }
        while waiting.len() > MOST_WAITING {
            // The oldest of those that matter least.
            let Some(least) = (0..waiting.len()).min_by_key(|at| waiting[*at].letter.event.weight()) else {
                break;
            };
            self.waiting.remove(&waiting.remove(least))?;
            ledger.counts.dropped += 1;
        }
        ledger.keep(&self.directory)?;
        Ok(written)
    }

    /// That a run has begun is no news any more when its end is told.
    fn drop_start(
        &self,
        occasion: &Occasion,
        channel: &str,
        waiting: &mut Vec<Message>,
        ledger: &mut Ledger,
    ) -> Result<()> {
        let Some(run) = occasion.run() else { return Ok(()) };
        let stale = |message: &Message| {
            message.letter.event == Word::Started
                && message.channel == channel
                && message.letter.run.as_deref() == Some(&run.run)
        };
        if let Some(at) = waiting.iter().position(stale) {
            self.waiting.remove(&waiting.remove(at))?;
            ledger.counts.superseded += 1;
        }
        Ok(())
    }

    pub fn list(&self) -> Result<Listing> {
        let (waiting, dead) = (self.waiting.read()?, self.dead.read()?);
        let damaged = [waiting.damaged, dead.damaged].concat();
        let counts = Ledger::read(&self.directory).counts;
        Ok(Listing { waiting: waiting.messages, dead: dead.messages, damaged, counts })
    }

    /// Makes messages due at once, dead ones too. Returns how many; that there is none of this id is an error.
    pub fn retry(&self, which: Which<'_>, now: Timestamp) -> Result<usize> {
        let _lock = self.lock()?;
        let (waiting, dead) = (self.waiting.read()?.messages, self.dead.read()?.messages);
        let chosen = |message: &Message| match which {
            Which::All => true,
            Which::One(id) => message.id.starts_with(id),
        };
        // A crash may have left one at both places.
        let dead = dead.iter().filter(|message| !waiting.iter().any(|other| other.id == message.id));
        let found: Vec<_> = waiting.iter().chain(dead).filter(|message| chosen(message)).collect();
        if let Which::One(id) = which {
            if found.is_empty() {
                return Err(Error::usage(format!("there is no message {id}"))
                    .with_remedy("see them with `lifeboat notify list`"));
            }
            if found.len() > 1 {
                return Err(Error::usage(format!("several messages begin with {id}"))
                    .with_remedy("write more of the id"));
            }
        }
        for message in &found {
            let again = Message { attempts: 0, next_try: None, since: now, ..(*message).clone() };
            // First there, then gone here: a crash in between leaves it twice, and never nowhere.
            self.waiting.write(&again)?;
            self.dead.remove(message)?;
        }
        Ok(found.len())
    }

    /// Sets a message aside that is not tried any more.
    pub(super) fn bury(&self, message: &Message) -> Result<()> {
        let _lock = self.lock()?;
        let mut ledger = Ledger::read(&self.directory);
        ledger.counts.given_up += 1;
        self.dead.write(message)?;
        self.waiting.remove(message)?;
        let dead = self.dead.read()?.messages;
        for oldest in dead.iter().take(dead.len().saturating_sub(MOST_DEAD)) {
            self.dead.remove(oldest)?;
            ledger.counts.dropped += 1;
        }
        ledger.keep(&self.directory)
    }

    /// Notes that a message was sent, and removes it.
    pub(super) fn settle(&self, message: &Message) -> Result<()> {
        let _lock = self.lock()?;
        let mut ledger = Ledger::read(&self.directory);
        if !ledger.was_sent(&message.id) {
            ledger.sent(&message.id);
            ledger.keep(&self.directory)?;
        }
        self.waiting.remove(message)?;
        // A crash while it was tried again may have left it there too.
        self.dead.remove(message)
    }

    /// Removes what is no news any more.
    pub(super) fn supersede(&self, message: &Message) -> Result<()> {
        let _lock = self.lock()?;
        let mut ledger = Ledger::read(&self.directory);
        ledger.counts.superseded += 1;
        self.waiting.remove(message)?;
        ledger.keep(&self.directory)
    }

    /// For the short time of a change; others wait.
    pub(super) fn lock(&self) -> Result<Flock<File>> {
        lock_private(&self.directory.join("lock.lock"))
    }

    /// For as long as messages are sent; `None` if another process is at it.
    pub(super) fn lock_delivery(&self) -> Result<Option<Flock<File>>> {
        match Flock::lock(self.lock_file("delivery")?, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(error.into()),
        }
    }

    fn lock_file(&self, name: &str) -> Result<File> {
        let path = self.directory.join(format!("{name}.lock"));
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("open {}", path.display()))
    }
}

fn id(site: &str, occasion: &Occasion, channel: &str) -> String {
    let hash = blake3::hash(format!("{site}\0{}\0{channel}", occasion.key()).as_bytes());
    hash.to_hex()[..16].to_owned()
}
