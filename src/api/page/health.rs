//! How well a site is protected, in a line of plain words. A pure function of facts that lie on this machine.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::icons::Mark;
use super::words::{Clock, bytes, many, span};
use crate::agent::{self, Card};
use crate::api::view::RunView;
use crate::config::Config;
use crate::error::Result;
use crate::schedule::Kind;

/// A run that is due has so long to begin and to end before anybody is told that it is late.
const LENIENCE: SignedDuration = SignedDuration::from_hours(2);

/// Nobody asks for more than that.
const DUES: usize = 4;

/// A proof says little of what was changed since, in days.
const OLD_PROOF: i64 = 60;

/// Days to a full storage at which somebody should do something, and at which it is urgent.
const SOON_FULL: f64 = 14.0;
const NEARLY_FULL: f64 = 3.0;

/// Free shares of the storage at which the same is so, in percent.
const LITTLE_FREE: u64 = 5;
const HARDLY_FREE: u64 = 1;

/// What is known without looking into the repository.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) last_success: Option<Timestamp>,
    pub(super) last_proven: Option<Timestamp>,
    /// Backups are scheduled at all.
    pub(super) scheduled: bool,
    pub(super) next_backup: Option<Timestamp>,
    /// Times that passed since the last success.
    pub(super) late: usize,
    /// The last backup that came to its end, if it was no success.
    pub(super) failed: Option<(String, Timestamp)>,
    /// To a full storage, at the present pace.
    pub(super) days_left: Option<f64>,
    /// Of the storage, in bytes: free, and in all.
    pub(super) space: Option<(u64, u64)>,
    pub(super) troubles: usize,
    /// The repository could not be read just now.
    pub(super) unreadable: bool,
}

/// The judgement.
pub(super) struct Health {
    pub(super) mark: Mark,
    pub(super) title: &'static str,
    parts: Vec<(Mark, Markup)>,
}

impl Facts {
    /// Reads files: for a thread that may wait.
    pub(super) fn gather(card: &Card, config: &Config, runs: &[RunView], now: Timestamp) -> Result<Self> {
        let known = agent::numbers(config, now)?;
        let backups = || runs.iter().filter(|run| run.kind.as_deref() == Some("backup") && run.is_over());
        let succeeded = |run: &&RunView| run.outcome.as_deref() == Some("success");
        let last_success =
            backups().filter(succeeded).filter_map(|run| run.finished).max().max(known.last_success);
        let tasks = config.tasks(now)?;
        let backup = tasks.iter().find(|task| task.kind == Kind::Backup);
        let late = backup.zip(last_success).map_or(0, |(task, last)| {
            task.timetable.iter(last).take(DUES).filter(|due| due.due + LENIENCE < now).count()
        });
        let failed = backups().next().filter(|run| !succeeded(run)).map(|run| {
            let how = run.outcome.clone().unwrap_or_else(|| "crashed".to_owned());
            (how, run.finished.or(run.started).unwrap_or(now))
        });
        Ok(Self {
            last_success,
            last_proven: known.last_proven,
            scheduled: backup.is_some(),
            next_backup: card.work.iter().find(|due| due.work == Kind::Backup).and_then(|due| due.next),
            late,
            failed,
            days_left: agent::days_left(&card.state, now),
            space: known.space,
            troubles: card.troubles.len(),
            unreadable: false,
        })
    }

    pub(super) fn judge(&self, clock: &Clock) -> Health {
        let mut parts = vec![self.backed_up(clock)];
        parts.extend(self.last_try(clock));
        parts.push(self.proven(clock));
        parts.push(self.next(clock));
        parts.extend(self.storage());
        if self.unreadable {
            parts.push((Mark::Attention, html! { "the repository cannot be read at the moment" }));
        }
        if self.troubles > 0 {
            let text = many(self.troubles as u64, "complaint");
            parts.push((Mark::Attention, html! { "the agent has " (text) }));
        }
        let mark = parts.iter().map(|(mark, _)| *mark).max().unwrap_or(Mark::Plain);
        let title = match mark {
            _ if self.last_success.is_none() => "Not protected yet",
            Mark::Good | Mark::Plain => "Protected",
            Mark::Attention => "Protected, but look here",
            Mark::Bad => "At risk",
        };
        Health { mark: mark.max(Mark::Good), title, parts }
    }

    fn backed_up(&self, clock: &Clock) -> (Mark, Markup) {
        let Some(last) = self.last_success else { return (Mark::Bad, html! { "Never backed up" }) };
        let old = clock.now.duration_since(last) > SignedDuration::from_hours(24);
        match self.late {
            0 => (Mark::Good, html! { "Backed up " (clock.ago(last)) }),
            1 => (Mark::Attention, html! { "Backed up " (clock.ago(last)) ", and overdue since" }),
            _ => (
                if old { Mark::Bad } else { Mark::Attention },
                html! { "Last backed up " (clock.ago(last)) ", long overdue" },
            ),
        }
    }

    fn last_try(&self, clock: &Clock) -> Option<(Mark, Markup)> {
        let (how, when) = self.failed.as_ref()?;
        let when = clock.ago(*when);
        Some(match how.as_str() {
            "incomplete" => (Mark::Attention, html! { "something was missing from the last backup " (when) }),
            "skipped" => (Mark::Attention, html! { "the last backup was left out " (when) }),
            "cancelled" => (Mark::Attention, html! { "the last backup was cancelled " (when) }),
            _ => (Mark::Attention, html! { "the last try failed " (when) }),
        })
    }

    fn proven(&self, clock: &Clock) -> (Mark, Markup) {
        let Some(last) = self.last_proven else {
            return (Mark::Attention, html! { "no restore was proven yet" });
        };
        let old = clock.now.duration_since(last).as_secs() > OLD_PROOF * 86_400;
        let mark = if old { Mark::Attention } else { Mark::Good };
        (mark, html! { "a restore was proven " (clock.ago(last)) })
    }

    fn next(&self, clock: &Clock) -> (Mark, Markup) {
        match self.next_backup {
            Some(next) => (Mark::Good, html! { "next backup " (clock.ago(next)) }),
            None if self.scheduled => (Mark::Attention, html! { "no backup is due any more" }),
            None => (Mark::Attention, html! { "no backups are scheduled" }),
        }
    }

    #[allow(clippy::cast_possible_truncation)] // days
    fn storage(&self) -> Option<(Mark, Markup)> {
        let (free, total) = self.space.filter(|(_, total)| *total > 0)?;
        let percent = (u128::from(free) * 100 / u128::from(total)).min(100);
        let by_room = match percent {
            _ if percent < u128::from(HARDLY_FREE) => Mark::Bad,
            _ if percent < u128::from(LITTLE_FREE) => Mark::Attention,
            _ => Mark::Good,
        };
        let by_time = match self.days_left {
            Some(days) if days < NEARLY_FULL => Mark::Bad,
            Some(days) if days < SOON_FULL => Mark::Attention,
            _ => Mark::Good,
        };
        let text = match self.days_left {
            Some(days) if days < 1000.0 => {
                html! { "the storage has room for about " (span((days * 86_400.0) as i64)) }
            }
            _ => html! { "the storage has " (bytes(free)) " free (" (percent) " %)" },
        };
        Some((by_room.max(by_time), text))
    }
}

impl Health {
    /// The line.
    pub(super) fn line(&self) -> Markup {
        html! {
            p.line {
                @for (at, (mark, said)) in self.parts.iter().enumerate() {
                    @if at > 0 { "; " }
                    @if *mark > Mark::Plain { strong class=(mark.class()) { (said) } } @else { span.part { (said) } }
                }
                "."
            }
        }
    }

    /// The mark, with words.
    pub(super) fn badge(&self) -> Markup {
        html! { span class=(format!("badge {}", self.mark.class())) { (self.mark.icon()) (self.title) } }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn clock() -> Clock {
        Clock { zone: TimeZone::UTC, now: Timestamp::from_second(1_800_000_000).unwrap() }
    }

    fn hours(hours: i64) -> Option<Timestamp> {
        clock().now.checked_add(SignedDuration::from_hours(hours)).ok()
    }

    fn good() -> Facts {
        Facts {
            last_success: hours(-3),
            last_proven: hours(-48),
            scheduled: true,
            next_backup: hours(21),
            days_left: Some(40.2),
            space: Some((50 << 30, 100 << 30)),
            ..Facts::default()
        }
    }

    fn said(facts: &Facts) -> (Mark, String) {
        let health = facts.judge(&clock());
        let text = health.line().into_string();
        let mut plain = String::new();
        let mut inside = false;
        for letter in text.chars() {
            match letter {
                '<' => inside = true,
                '>' => inside = false,
                letter if !inside => plain.push(letter),
                _ => {}
            }
        }
        (health.mark, plain)
    }

    #[test]
    fn the_line_says_it_in_plain_words() {
        let line = "Backed up 3 hours ago; a restore was proven 2 days ago; next backup in 21 hours; \
                    the storage has room for about 40 days.";
        assert_eq!(said(&good()), (Mark::Good, line.to_owned()));
    }

    #[test]
    fn whatever_is_not_well_is_seen() {
        let bad: [(&str, Facts, Mark); 10] = [
            ("Never backed up", Facts { last_success: None, ..good() }, Mark::Bad),
            ("overdue since", Facts { late: 1, ..good() }, Mark::Attention),
            ("long overdue", Facts { late: 2, last_success: hours(-72), ..good() }, Mark::Bad),
            (
                "the last try failed",
                Facts { failed: Some(("crashed".to_owned(), clock().now)), ..good() },
                Mark::Attention,
            ),
            ("no restore was proven yet", Facts { last_proven: None, ..good() }, Mark::Attention),
            (
                "no backups are scheduled",
                Facts { next_backup: None, scheduled: false, ..good() },
                Mark::Attention,
            ),
            ("room for about 2 days", Facts { days_left: Some(2.0), ..good() }, Mark::Bad),
            (
                "1.00 GiB free (1 %)",
                Facts { days_left: None, space: Some((1 << 30, 100 << 30)), ..good() },
                Mark::Attention,
            ),
            ("cannot be read", Facts { unreadable: true, ..good() }, Mark::Attention),
            ("1 complaint", Facts { troubles: 1, ..good() }, Mark::Attention),
        ];
        for (text, facts, mark) in bad {
            let (found, line) = said(&facts);
            assert!(found == mark && line.contains(text), "{found:?} {line}");
        }
    }
}
