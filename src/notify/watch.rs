//! What no run tells: that there was none for too long, and that the storage fills. A pure function of facts and of what was told.

use std::time::Duration;

use jiff::Timestamp;

use super::forecast::forecast;
use super::letter::span;
use super::occasion::{Alert, AlertName, Occasion};
use super::samples::Sample;
use super::spec::AlertSpec;
use super::told::Told;

/// An alert about room is over when there is so much more than would have raised it: it must not come and go.
const RELIEF: f64 = 1.2;

/// What is known of a site.
#[derive(Clone, Debug)]
pub struct Facts {
    pub now: Timestamp,
    /// Since when the agent looks after this site: what never was is counted from here.
    pub first_seen: Timestamp,
    /// The end of the newest complete backup.
    pub last_success: Option<Timestamp>,
    pub last_proven: Option<Timestamp>,
    /// The oldest first; none if the storage was not seen.
    pub storage: Vec<Sample>,
}

/// Whether what an alert is about is so.
enum Finding {
    Yes {
        text: String,
        remedy: &'static str,
    },
    No(String),
    /// Neither can be said: whatever was told stays as it is.
    Open,
}

/// What is to be told now. `Told::note` must be called with each of them when they are posted.
pub fn watch(spec: &AlertSpec, facts: &Facts, told: &Told) -> Vec<Occasion> {
    let mut occasions = Vec::new();
    let findings = [
        (AlertName::NoSuccess, spec.no_success_for.map(|limit| no_success(limit, facts))),
        (AlertName::DrillOverdue, spec.drill_overdue.map(|limit| drill_overdue(limit, facts))),
        (AlertName::StorageFull, spec.storage_full_within.map(|limit| full_within(limit, facts, told))),
        (AlertName::StorageLow, spec.storage_free_below.map(|limit| low(limit, facts, told))),
    ];
    for (name, finding) in findings {
        let raised = told.alert(name);
        match (finding, raised) {
            (Some(Finding::Yes { text, remedy }), raised) => {
                let repeat = |last: Timestamp| {
                    spec.repeat
                        .is_some_and(|pause| passed(last, facts.now).is_some_and(|passed| passed >= pause))
                };
                if raised.is_none_or(|raised| repeat(raised.told)) {
                    let began = raised.map_or(facts.now, |raised| raised.began);
                    let remedy = Some(remedy.to_owned());
                    occasions.push(Occasion::Alert(Alert { name, text, remedy, began, at: facts.now }));
                }
            }
            (Some(Finding::No(text)), Some(raised)) => occasions.push(Occasion::AlertOver(Alert {
                name,
                text,
                remedy: None,
                began: raised.began,
                at: facts.now,
            })),
            (Some(Finding::No(_) | Finding::Open) | None, _) => {}
        }
    }
    occasions
}

fn no_success(limit: Duration, facts: &Facts) -> Finding {
    let text = match facts.last_success {
        Some(time) => format!("no successful backup for {}", age(time, facts.now)),
        None => format!(
            "no successful backup since the agent looks after it, {}",
            age(facts.first_seen, facts.now)
        ),
    };
    let remedy = "see why with `lifeboat runs`, and make one with `lifeboat backup`";
    let since = facts.last_success.unwrap_or(facts.first_seen);
    overdue(limit, since, facts.now, text, remedy, "there is a successful backup again")
}

fn drill_overdue(limit: Duration, facts: &Facts) -> Finding {
    let text = match facts.last_proven {
        Some(time) => format!("drill overdue: no restore was proven for {}", age(time, facts.now)),
        None => "drill overdue: no restore was ever proven".to_owned(),
    };
    let remedy = "prove a restore with `lifeboat drill`";
    let since = facts.last_proven.unwrap_or(facts.first_seen);
    overdue(limit, since, facts.now, text, remedy, "a restore is proven again")
}

fn overdue(
    limit: Duration,
    since: Timestamp,
    now: Timestamp,
    text: String,
    remedy: &'static str,
    over: &str,
) -> Finding {
    // A moment in the future comes of a clock that was set back: it cannot be long ago.
    if passed(since, now).is_some_and(|passed| passed > limit) {
        Finding::Yes { text, remedy }
    } else {
        Finding::No(over.to_owned())
    }
}

const MORE_ROOM: &str =
    "give the storage more room, or keep fewer snapshots and run `lifeboat forget --prune`";

fn full_within(limit: Duration, facts: &Facts, told: &Told) -> Finding {
    let Some(last) = facts.storage.last() else { return Finding::Open };
    let Some(foretold) = forecast(&facts.storage, facts.now) else {
        // Nothing is foretold of a storage that stands still, and of one that is hardly known: only the first is news.
        let known = facts.storage.first().and_then(|first| passed(first.at, last.at));
        let enough = known.is_some_and(|known| known > Duration::from_hours(96));
        return if enough { Finding::No("the storage fills no longer".to_owned()) } else { Finding::Open };
    };
    let limit_days = limit.as_secs_f64() / 86_400.0;
    let raised = told.alert(AlertName::StorageFull).is_some();
    let text = format!(
        "storage nearly full ({:.0} days left at {} a day)",
        foretold.days_left.floor(),
        size(foretold.per_day)
    );
    if foretold.days_left < limit_days || raised && foretold.days_left < limit_days * RELIEF {
        Finding::Yes { text, remedy: MORE_ROOM }
    } else {
        Finding::No(format!("the storage has room for {:.0} days", foretold.days_left.floor()))
    }
}

#[allow(clippy::cast_precision_loss)] // a share in percent
fn low(limit: f64, facts: &Facts, told: &Told) -> Finding {
    let Some(last) = facts.storage.last().filter(|last| last.total > 0) else { return Finding::Open };
    let free = last.free as f64 * 100.0 / last.total as f64;
    let raised = told.alert(AlertName::StorageLow).is_some();
    if free < limit || raised && free < limit * RELIEF {
        let text = format!("only {free:.1}% of the storage is free ({})", size(last.free as f64));
        Finding::Yes { text, remedy: MORE_ROOM }
    } else {
        Finding::No(format!("{free:.1}% of the storage is free"))
    }
}

fn passed(from: Timestamp, to: Timestamp) -> Option<Duration> {
    Duration::try_from(to.duration_since(from)).ok()
}

fn age(from: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(from).as_secs().max(0))
}

fn size(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut value, mut unit) = (bytes / 1024.0, UNITS[0]);
    for larger in &UNITS[1..] {
        if value >= 1024.0 {
            (value, unit) = (value / 1024.0, larger);
        }
    }
    format!("{value:.1} {unit}")
}
