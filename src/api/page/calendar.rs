//! Snapshots of the last weeks as a calendar, drawn here.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use maud::{Markup, html};

use super::icons::Mark;
use super::visit::Visit;
use super::words::{Clock, many};
use crate::api::lookups::SnapshotView;
use crate::api::view::RunView;

const WEEKS: i32 = 8;

/// Of a cell, in the drawing's own units.
const WIDE: i32 = 52;
const HIGH: i32 = 38;
const GAP: i32 = 4;

/// The names of the days above.
const HEAD: i32 = 20;

/// What there is of one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Day {
    complete: u64,
    incomplete: u64,
    proven: u64,
    disproven: u64,
    pinned: u64,
    /// Backups that left no snapshot.
    failed: u64,
}

type Days = BTreeMap<Date, Day>;

impl Day {
    fn snapshots(self) -> u64 {
        self.complete + self.incomplete
    }

    const fn class(self) -> &'static str {
        if self.disproven > 0 {
            "bad"
        } else if self.incomplete > 0 {
            "attention"
        } else if self.complete > 0 {
            "good"
        } else if self.failed > 0 {
            "bad"
        } else {
            "none"
        }
    }

    /// `2 snapshots, 1 incomplete, 1 proven by a drill`.
    fn words(self) -> String {
        let mut parts = vec![match self.snapshots() {
            0 => "no snapshot".to_owned(),
            count => many(count, "snapshot"),
        }];
        let more = [
            (self.incomplete, "incomplete"),
            (self.proven, "proven by a drill"),
            (self.disproven, "failed in a drill"),
            (self.pinned, "pinned"),
        ];
        parts.extend(
            more.iter().filter(|(count, _)| *count > 0).map(|(count, text)| format!("{count} {text}")),
        );
        if self.failed > 0 {
            parts.push(format!("{} failed", many(self.failed, "backup")));
        }
        parts.join(", ")
    }
}

fn days(snapshots: &[SnapshotView], runs: &[RunView], clock: &Clock) -> Days {
    let mut days = Days::new();
    for snapshot in snapshots {
        let day = days.entry(clock.day(snapshot.time)).or_default();
        *(if snapshot.complete { &mut day.complete } else { &mut day.incomplete }) += 1;
        match snapshot.drill.as_ref().map(|drill| drill.verdict.as_str()) {
            Some("proven") => day.proven += 1,
            Some("failed") => day.disproven += 1,
            _ => {}
        }
        day.pinned +=
            u64::from(snapshot.pin.is_some_and(|held| held.until.is_none_or(|end| end > clock.now)));
    }
    for run in runs.iter().filter(|run| run.kind.as_deref() == Some("backup") && run.is_over()) {
        let (mark, _) = super::work::ending(run);
        if let Some(at) = run.started.filter(|_| mark == Mark::Bad && run.snapshot.is_none()) {
            days.entry(clock.day(at)).or_default().failed += 1;
        }
    }
    days
}

/// The drawing, what its marks mean, and the same as a table.
pub(super) fn drawn(visit: &Visit, snapshots: &[SnapshotView], runs: &[RunView]) -> Markup {
    let days = days(snapshots, runs, &visit.clock);
    let today = visit.clock.day(visit.clock.now);
    let monday =
        today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).unwrap_or(today);
    let first = monday.checked_sub(i64::from(WEEKS - 1).weeks()).unwrap_or(monday);
    let shown = || first.series(1.day()).take_while(|day| *day <= today);
    let (width, height) = (7 * (WIDE + GAP) - GAP, HEAD + WEEKS * (HIGH + GAP) - GAP);
    html! {
        figure.calendar {
            svg viewBox=(format!("0 0 {width} {height}")) role="group" aria-label="Calendar of snapshots, the last 8 weeks" {
                (pattern())
                @for (at, name) in ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].iter().enumerate() {
                    text.weekday x=(column(at) + WIDE / 2) y="12" text-anchor="middle" aria-hidden="true" { (name) }
                }
                @for (at, day) in shown().enumerate() {
                    (cell(visit, day, at, days.get(&day).copied().unwrap_or_default(), day == today))
                }
            }
            (legend())
            details {
                summary { "As a table" }
                (table(visit, &days, first))
            }
        }
    }
}

fn column(at: usize) -> i32 {
    i32::try_from(at % 7).unwrap_or_default() * (WIDE + GAP)
}

fn cell(visit: &Visit, date: Date, at: usize, day: Day, today: bool) -> Markup {
    let row = i32::try_from(at / 7).unwrap_or_default();
    let (x, y) = (column(at), HEAD + row * (HIGH + GAP));
    let class = format!("cell {}{}", day.class(), if today { " today" } else { "" });
    let label = format!("{}: {}", date.strftime("%A, %-d %B"), day.words());
    let number =
        if date.day() == 1 || at == 0 { date.strftime("%-d %b").to_string() } else { date.day().to_string() };
    let drawn = html! {
        title { (label) }
        rect x=(x) y=(y) width=(WIDE) height=(HIGH) rx="6" {}
        @if day.incomplete > 0 { rect.hatch x=(x) y=(y) width=(WIDE) height=(HIGH) rx="6" fill="url(#hatch)" {} }
    };
    html! {
        @if day.snapshots() > 0 {
            a class=(class) href=(visit.path(&format!("/snapshots?day={date}"))) aria-label=(label) { (drawn) }
        } @else if day.failed > 0 {
            a class=(class) href=(visit.path("/runs")) aria-label=(label) { (drawn) }
        } @else {
            g class=(class) aria-hidden="true" { (drawn) }
        }
        // The link says all of this in words.
        g.over.none[day == Day::default()].cell aria-hidden="true" pointer-events="none" {
            text.date x=(x + 6) y=(y + 14) { (number) }
            (marks(day, x, y))
        }
    }
}

/// How many in the lower left; on the right what else there is to say.
fn marks(day: Day, x: i32, y: i32) -> Markup {
    let base = y + HIGH - 8;
    html! {
        @if day.snapshots() > 1 { text.count x=(x + 6) y=(base) { (format!("×{}", day.snapshots())) } }
        @if day.proven > 0 {
            path.mark.proven d=(format!("M{} {}l3.500 3.500 7-8", x + WIDE - 16, base - 5)) {}
        } @else if day.disproven > 0 || (day.snapshots() == 0 && day.failed > 0) {
            path.mark.failed d=(format!("M{} {}l8 8m0-8l-8 8", x + WIDE - 15, base - 8)) {}
        }
        @if day.pinned > 0 {
            path.mark.pinned d=(format!("M{} {}h6l-1 4 2 2h-8l2-2zM{} {}v4", x + WIDE - 15, y + 5, x + WIDE - 12, y + 11)) {}
        }
    }
}

fn pattern() -> Markup {
    html! {
        defs {
            pattern #hatch width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                path.stripe d="M0 0v6" stroke-width="3" {}
            }
        }
    }
}

fn legend() -> Markup {
    let entry = |class: &str, mark: Markup, text: &str| {
        html! {
            li {
                svg.key viewBox="0 0 24 18" width="24" height="18" aria-hidden="true" {
                    g class=(format!("cell {class}")) { rect x="1" y="1" width="22" height="16" rx="4" {} (mark) }
                }
                (text)
            }
        }
    };
    html! {
        ul.legend {
            (entry("good", html! {}, "complete"))
            (entry("good", html! { path.mark.proven d="M6 9l3.500 3.500 7-8" {} }, "proven by a drill"))
            (entry("attention", html! { rect.hatch x="1" y="1" width="22" height="16" rx="4" fill="url(#hatch)" {} }, "incomplete"))
            (entry("good", html! { path.mark.pinned d="M9 4h6l-1 4 2 2h-8l2-2zM12 10v4" {} }, "pinned"))
            (entry("bad", html! { path.mark.failed d="M8 5l8 8m0-8l-8 8" {} }, "failed"))
        }
    }
}

fn table(visit: &Visit, days: &Days, first: Date) -> Markup {
    html! {
        table {
            thead { tr { th { "Day" } th { "Snapshots" } } }
            tbody {
                @for (date, day) in days.range(first..).rev() {
                    tr {
                        th scope="row" {
                            @if day.snapshots() > 0 { a href=(visit.path(&format!("/snapshots?day={date}"))) { (date.strftime("%a %Y-%m-%d")) } }
                            @else { (date.strftime("%a %Y-%m-%d")) }
                        }
                        td { (day.words()) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn a_day_is_one_of_the_site_and_says_the_worst_of_it() {
        let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        let clock = Clock { zone: TimeZone::get("Europe/Berlin").unwrap(), now };
        let snapshot = |time: &str, complete: bool, more: &str| -> SnapshotView {
            serde_json::from_str(&format!(r#"{{"id":"x","time":"{time}","complete":{complete}{more}}}"#))
                .unwrap()
        };
        let all = [
            snapshot("2026-11-25T23:30:00Z", true, r#","pin":{}"#),
            snapshot("2026-11-26T02:00:00Z", false, ""),
            snapshot(
                "2026-11-24T02:00:00Z",
                true,
                r#","drill":{"verdict":"proven","at":"2026-11-24T03:00:00Z"}"#,
            ),
        ];
        let failed = RunView {
            kind: Some("backup".to_owned()),
            standing: "crashed".to_owned(),
            started: Some("2026-11-23T03:00:00Z".parse().unwrap()),
            ..RunView::default()
        };
        let days = days(&all, &[failed], &clock);
        let day = |date: &str| days[&date.parse::<Date>().unwrap()];
        assert_eq!(day("2026-11-26").words(), "2 snapshots, 1 incomplete, 1 pinned");
        assert_eq!(day("2026-11-26").class(), "attention");
        assert_eq!(day("2026-11-24").words(), "1 snapshot, 1 proven by a drill");
        assert_eq!(
            (day("2026-11-23").class(), day("2026-11-23").words().as_str()),
            ("bad", "no snapshot, 1 backup failed")
        );
    }
}
