//! Sends what waits: each channel for itself and in the order of posting, less and less often while it does not work.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use super::http::LONGEST_WAIT;
use super::ledger::{Counts, Ledger};
use super::letter::Letter;
use super::message::Message;
use super::outbox::Outbox;
use super::send::{Trouble, send};
use super::spec::{Channel, NotifySpec, Word};
use crate::error::{Error, Result};

const FIRST_PAUSE: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(6);

/// A message that did not get through for so long is given up.
const GIVE_UP: Duration = Duration::from_hours(72);

/// One call sends no longer than this over one channel; what is left is due at once.
const LONGEST_CALL: Duration = Duration::from_mins(3);

/// That a run begins now is said within this or not at all: the time of a ping is the time at which it comes.
const STALE_START: Duration = Duration::from_hours(1);

/// If another process sends, look again after this.
const BUSY: Duration = Duration::from_secs(30);

/// What one call of `deliver` came to.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub sent: usize,
    pub waiting: usize,
    /// When there is something to do again.
    pub next_try: Option<Timestamp>,
    /// Set aside in this call as dead letters.
    pub given_up: usize,
    /// Another process is sending: this one did nothing.
    pub busy: bool,
    /// What did not work, by channel.
    pub troubles: Vec<(String, String)>,
    pub counts: Counts,
}

/// What came of a test of one channel.
#[derive(Debug, Serialize)]
pub struct Tested {
    pub channel: String,
    pub answer: Option<String>,
    pub error: Option<String>,
}

/// One channel's part of a report.
#[derive(Default)]
struct Part {
    sent: usize,
    given_up: usize,
    trouble: Option<String>,
}

impl Outbox {
    /// Tries everything that is due. Blocks as long as the servers take, which has an end.
    pub fn deliver(&self, spec: &NotifySpec, now: Timestamp) -> Result<Report> {
        let Some(_delivery) = self.lock_delivery()? else {
            let counts = Ledger::read(&self.directory).counts;
            let waiting = self.waiting.read()?.messages.len();
            let next_try = (waiting > 0).then(|| later(now, BUSY));
            return Ok(Report { busy: true, waiting, next_try, counts, ..Report::default() });
        };
        self.waiting.tidy()?;
        self.dead.tidy()?;
        let contents = self.waiting.read()?;
        for name in &contents.damaged {
            self.waiting.give(name, &self.dead)?;
        }
        let mut report = Report::default();
        let (known, orphans): (Vec<_>, Vec<_>) =
            contents.messages.into_iter().partition(|message| spec.channel(&message.channel).is_some());
        for message in orphans {
            let why = format!("there is no channel {} any more", message.channel);
            self.bury(&Message { trouble: Some(why), ..message })?;
            report.given_up += 1;
        }
        self.each_channel(spec, &known, now, &mut report)?;
        let left = self.waiting.read()?.messages;
        report.waiting = left.len();
        report.next_try = next_try(&left, now);
        report.counts = Ledger::read(&self.directory).counts;
        Ok(report)
    }

    fn each_channel(
        &self,
        spec: &NotifySpec,
        messages: &[Message],
        now: Timestamp,
        report: &mut Report,
    ) -> Result<()> {
        let parts: Vec<(String, Result<Part>)> = std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for channel in &spec.channels {
                let queue: Vec<_> =
                    messages.iter().filter(|message| message.channel == channel.name).cloned().collect();
                if !queue.is_empty() {
                    let work = move || self.queue(spec, channel, queue, now);
                    threads.push((channel.name.clone(), scope.spawn(work)));
                }
            }
            let panicked = |_| Err(Error::failed("sending panicked"));
            threads.into_iter().map(|(name, thread)| (name, thread.join().unwrap_or_else(panicked))).collect()
        });
        let mut broken = None;
        for (name, part) in parts {
            match part {
                Ok(part) => {
                    report.sent += part.sent;
                    report.given_up += part.given_up;
                    report.troubles.extend(part.trouble.map(|trouble| (name, trouble)));
                }
                Err(error) => broken = broken.or(Some(error)),
            }
        }
        broken.map_or(Ok(()), Err)
    }

    /// The messages of one channel, until one of them has to wait.
    fn queue(
        &self,
        spec: &NotifySpec,
        channel: &Channel,
        queue: Vec<Message>,
        now: Timestamp,
    ) -> Result<Part> {
        let (mut part, begun) = (Part::default(), Instant::now());
        let sent_before = Ledger::read(&self.directory);
        for mut message in queue {
            if sent_before.was_sent(&message.id) {
                // Its process died before it could remove it.
                self.settle(&message)?;
                continue;
            }
            if message.letter.event == Word::Started && later(message.letter.at, STALE_START) < now {
                self.supersede(&message)?;
                continue;
            }
            // A clock that was set back must not make it wait for days.
            let waits = message.next_try.is_some_and(|time| time > now && time <= later(now, LONGEST_WAIT));
            if waits || begun.elapsed() > LONGEST_CALL {
                break;
            }
            let result = send(channel, &message.letter, spec.patience, &mut message.done);
            message.attempts += 1;
            match result {
                Ok(_) => {
                    self.settle(&message)?;
                    part.sent += 1;
                }
                Err(trouble) => {
                    message.trouble = Some(trouble.why().to_owned());
                    part.trouble.get_or_insert(trouble.why().to_owned());
                    let late = later(message.since, GIVE_UP) <= now;
                    match trouble {
                        Trouble::Later { after, .. } if !late => {
                            let pause = pause(&message.id, message.attempts).max(after.unwrap_or_default());
                            message.next_try = Some(later(now, begun.elapsed() + pause));
                            self.waiting.write(&message)?;
                            break;
                        }
                        _ => {
                            self.bury(&message)?;
                            part.given_up += 1;
                        }
                    }
                }
            }
        }
        Ok(part)
    }

    /// Sends a test through each channel, or the named one, at once and past all that waits.
    pub fn test(spec: &NotifySpec, site: &str, channel: Option<&str>, now: Timestamp) -> Result<Vec<Tested>> {
        let chosen: Vec<&Channel> = match channel {
            None => spec.channels.iter().collect(),
            Some(name) => spec.channel(name).into_iter().collect(),
        };
        if chosen.is_empty() {
            let names: Vec<&str> = spec.channels.iter().map(|channel| channel.name.as_str()).collect();
            return Err(match channel {
                Some(name) => Error::usage(format!("there is no channel {name}"))
                    .with_remedy(format!("use one of: {}", names.join(", "))),
                None => Error::usage("nobody is to be told of anything")
                    .with_remedy("write mail, webhooks or ping below `notify` in the configuration"),
            });
        }
        let letter = Letter::test(spec, site, now);
        let test = |channel: &&Channel| {
            let result = send(channel, &letter, spec.patience, &mut Vec::new());
            let channel = channel.name.clone();
            match result {
                Ok(answer) => Tested { channel, answer: Some(answer), error: None },
                Err(trouble) => Tested { channel, answer: None, error: Some(trouble.why().to_owned()) },
            }
        };
        Ok(chosen.iter().map(test).collect())
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The first of each channel says when there is something to do for it.
fn next_try(left: &[Message], now: Timestamp) -> Option<Timestamp> {
    let mut seen = Vec::new();
    let mut first = Vec::new();
    for message in left {
        if !seen.contains(&&message.channel) {
            seen.push(&message.channel);
            first.push(message.next_try.unwrap_or(now));
        }
    }
    first.into_iter().min()
}

/// 1, 2, 4, ... minutes, at most 6 hours; up to a tenth less, so that not all sites knock at once, and always the same.
fn pause(id: &str, attempts: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    let pause = doubled.min(LONGEST_PAUSE);
    let hash = blake3::hash(format!("{id} {attempts}").as_bytes());
    let share = u32::from(hash.as_bytes()[0]);
    pause.saturating_sub(pause / 10 * share / 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_are_the_same_each_time() {
        let pauses: Vec<u64> = (1..=12).map(|attempts| pause("a", attempts).as_secs()).collect();
        for (at, pause) in pauses.iter().enumerate() {
            let whole = (60 << at).min(6 * 3600);
            assert!((whole * 9 / 10..=whole).contains(pause), "{at}: {pause}");
        }
        assert_eq!(pause("a", 3), pause("a", 3));
        assert!((0..20).any(|other| pause(&other.to_string(), 3) != pause("a", 3)));
        assert!(pause("a", u32::MAX) <= LONGEST_PAUSE);
    }
}
