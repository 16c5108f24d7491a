//! A message that waits: one file for each letter and channel, whole or not there, without any secret in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::letter::Letter;
use crate::error::{Context, Result};
use crate::sys::fs::{sync_directory, write_atomic};

const FORMAT: u32 = 1;

/// A letter for one channel, and what became of it so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    pub(super) format: u32,
    pub id: String,
    pub channel: String,
    /// Its place among those of its channel, in microseconds of the epoch.
    pub(super) place: i64,
    /// From when on the time is counted after which it is given up.
    pub since: Timestamp,
    pub attempts: u32,
    pub next_try: Option<Timestamp>,
    /// What came of the last attempt.
    pub trouble: Option<String>,
    /// Recipients of a mail that have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) done: Vec<String>,
    pub letter: Letter,
}

impl Message {
    pub(super) fn new(id: String, channel: &str, place: i64, letter: Letter, now: Timestamp) -> Self {
        Self {
            format: FORMAT,
            id,
            channel: channel.to_owned(),
            place,
            since: now,
            attempts: 0,
            next_try: None,
            trouble: None,
            done: Vec::new(),
            letter,
        }
    }

    fn file(&self) -> String {
        format!("{:020}-{}.json", self.place, self.id)
    }
}

fn is_message(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == "json")
}

/// A directory of messages.
pub(super) struct Tray(PathBuf);

/// What is in a tray, in the order of posting.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) messages: Vec<Message>,
    /// Files that nobody can read as messages, by their names.
    pub(super) damaged: Vec<String>,
}

impl Tray {
    pub(super) const fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    pub(super) fn read(&self) -> Result<Contents> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0).with_context(|| format!("list {}", self.0.display()))? {
            let name = entry?.file_name();
            names.extend(name.to_str().filter(|name| is_message(name)).map(str::to_owned));
        }
        names.sort_unstable();
        let mut contents = Contents::default();
        for name in names {
            let data = match fs::read(self.0.join(&name)) {
                Ok(data) => data,
                // Sent by somebody else meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(_) => {
                    contents.damaged.push(name);
                    continue;
                }
            };
            match serde_json::from_slice::<Message>(&data) {
                Ok(message) if message.format == FORMAT && message.file() == name => {
                    contents.messages.push(message);
                }
                _ => contents.damaged.push(name),
            }
        }
        Ok(contents)
    }

    pub(super) fn write(&self, message: &Message) -> Result<()> {
        let data = serde_json::to_vec_pretty(message).context("write a message")?;
        write_atomic(&self.0.join(message.file()), &data, 0o600)
    }

    pub(super) fn remove(&self, message: &Message) -> Result<()> {
        self.remove_file(&message.file())
    }

    pub(super) fn remove_file(&self, name: &str) -> Result<()> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Ok(()) => sync_directory(&self.0),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).with_context(|| format!("remove {}", path.display())),
        }
    }

    /// Puts a file that cannot be read where somebody may look at it.
    pub(super) fn give(&self, name: &str, to: &Self) -> Result<()> {
        fs::rename(self.0.join(name), to.0.join(name)).with_context(|| format!("set {name} aside"))
    }

    /// Removes what writers that died left half way.
    pub(super) fn tidy(&self) -> Result<()> {
        let old = SystemTime::now() - Duration::from_hours(1);
        for entry in fs::read_dir(&self.0).with_context(|| format!("list {}", self.0.display()))? {
            let entry = entry?;
            let stale = entry.metadata().and_then(|meta| meta.modified()).is_ok_and(|time| time < old);
            if stale && Path::new(&entry.file_name()).extension().is_some_and(|end| end == "tmp") {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}
