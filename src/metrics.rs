//! What a site's runs come to in numbers, for Prometheus: totals that only grow, and how the last run of each kind went.
//!
//! All of it is folded from the ends of runs; nothing is counted anywhere else. Text format 0.0.4 of Prometheus.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Outcome, RunState, Saved};

/// The outcome of a run that has none.
const CRASHED: &str = "crashed";

/// The fold over all runs of a site that came to an end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// By kind, and by outcome in that.
    runs: BTreeMap<String, BTreeMap<String, u64>>,
    /// By kind.
    last: BTreeMap<String, Last>,
    saved: Saved,
    held_seconds: f64,
}

/// How the last run of a kind went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Last {
    ended: Option<Timestamp>,
    succeeded: bool,
    seconds: f64,
    /// By the step's name.
    steps: BTreeMap<String, f64>,
    missed: u64,
    saved: Option<Saved>,
    held_seconds: Option<f64>,
}

/// What there is to say about a site at one moment.
#[derive(Clone, Debug, Default)]
pub struct Site {
    pub name: String,
    pub totals: Totals,
    pub last_success: Option<Timestamp>,
    pub last_proven: Option<Timestamp>,
    /// Of the storage when it was last reached, in bytes: free, and in all.
    pub space: Option<(u64, u64)>,
    /// By kind of work: times that were left out because a run was at work, and that passed while nobody was there.
    pub schedule: Vec<(&'static str, u64, u64)>,
    /// When each kind of work is due next.
    pub due: Vec<(&'static str, Timestamp)>,
    pub requests_waiting: u64,
    pub notifications_waiting: u64,
}

impl Totals {
    /// Takes in the end of a run; one without an outcome is a crash.
    pub fn count(&mut self, run: &RunState) {
        let Some(kind) = run.kind else { return };
        let outcome = run.outcome.map_or(CRASHED, Outcome::name);
        *self.runs.entry(kind.name().to_owned()).or_default().entry(outcome.to_owned()).or_default() += 1;
        if let Some(saved) = &run.saved {
            self.saved.add(saved);
        }
        self.held_seconds += run.held_seconds.unwrap_or_default();
        let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
        let mut steps = BTreeMap::new();
        for step in &run.steps {
            if let Some(ended) = step.ended {
                *steps.entry(step.step.name().to_owned()).or_default() += seconds(step.started, ended);
            }
        }
        let last = Last {
            ended: run.finished.or(run.started),
            succeeded: run.outcome == Some(Outcome::Success),
            seconds: run.started.zip(run.finished).map_or(0.0, |(from, to)| seconds(from, to)),
            steps,
            missed: run.missed_count,
            saved: run.saved,
            held_seconds: run.held_seconds,
        };
        self.last.insert(kind.name().to_owned(), last);
    }
}

/// Everything about these sites, family by family, as the format wants it.
pub fn render(sites: &[Site]) -> String {
    let mut page = Page(String::new());
    page.outcomes(sites);
    page.last_runs(sites);
    page.backups(sites);
    page.standing(sites);
    page.0
}

struct Page(String);

impl Page {
    fn outcomes(&mut self, sites: &[Site]) {
        self.family("lifeboat_runs_total", "counter", "Runs that came to an end, by outcome.");
        for site in sites {
            for (kind, outcomes) in &site.totals.runs {
                for (outcome, count) in outcomes {
                    self.line("lifeboat_runs_total", site, &[("kind", kind), ("outcome", outcome)], count);
                }
            }
        }
        self.counter(
            "lifeboat_held_seconds_total",
            "Seconds for which backups held the site still.",
            sites,
            |site| site.totals.held_seconds,
        );
    }

    fn last_runs(&mut self, sites: &[Site]) {
        self.of_last(
            "lifeboat_last_run_timestamp_seconds",
            "When the last run of a kind ended.",
            sites,
            |last| last.ended.map(|ended| ended.as_second().to_string()),
        );
        self.of_last("lifeboat_last_run_success", "Whether it was a success.", sites, |last| {
            Some(u8::from(last.succeeded).to_string())
        });
        self.of_last("lifeboat_last_run_seconds", "How long it took.", sites, |last| {
            Some(last.seconds.to_string())
        });
        self.of_last(
            "lifeboat_last_run_missed",
            "Files and tables that are missing from it.",
            sites,
            |last| Some(last.missed.to_string()),
        );
        self.of_last("lifeboat_last_run_held_seconds", "How long it held the site still.", sites, |last| {
            last.held_seconds.map(|seconds| seconds.to_string())
        });
        self.family("lifeboat_last_run_step_seconds", "gauge", "How long each of its steps took.");
        for site in sites {
            for (kind, last) in &site.totals.last {
                for (step, seconds) in &last.steps {
                    let labels = [("kind", kind.as_str()), ("step", step.as_str())];
                    self.line("lifeboat_last_run_step_seconds", site, &labels, seconds);
                }
            }
        }
    }

    fn backups(&mut self, sites: &[Site]) {
        let totals = [
            (
                "lifeboat_files_read_total",
                "Files that backups looked at.",
                (|saved| saved.files) as fn(&Saved) -> u64,
            ),
            ("lifeboat_bytes_read_total", "Bytes of the files and dumps in all snapshots.", |saved| {
                saved.bytes
            }),
            ("lifeboat_bytes_added_total", "New bytes in them, before compression.", |saved| {
                saved.bytes_added
            }),
            ("lifeboat_bytes_stored_total", "What the repository grew by for them.", |saved| {
                saved.bytes_stored
            }),
        ];
        for (name, help, value) in totals {
            self.counter(name, help, sites, |site| value(&site.totals.saved));
        }
        self.family(
            "lifeboat_last_backup_files",
            "gauge",
            "Files in the last backup, by what became of them since the one before.",
        );
        for site in sites {
            let Some(saved) = site.totals.last.get("backup").and_then(|last| last.saved) else { continue };
            let same = saved.files.saturating_sub(saved.files_new + saved.files_changed);
            for (state, count) in
                [("new", saved.files_new), ("changed", saved.files_changed), ("unmodified", same)]
            {
                self.line("lifeboat_last_backup_files", site, &[("state", state)], count);
            }
        }
    }

    fn standing(&mut self, sites: &[Site]) {
        let seconds = |moment: Option<Timestamp>| moment.map(Timestamp::as_second);
        self.gauge(
            "lifeboat_last_success_timestamp_seconds",
            "When a complete backup last ended.",
            sites,
            |site| seconds(site.last_success),
        );
        self.gauge(
            "lifeboat_last_proven_timestamp_seconds",
            "When a drill last proved a restore.",
            sites,
            |site| seconds(site.last_proven),
        );
        self.gauge("lifeboat_storage_free_bytes", "Room on the storage.", sites, |site| {
            site.space.map(|(free, _)| free)
        });
        self.gauge("lifeboat_storage_size_bytes", "Size of the storage.", sites, |site| {
            site.space.map(|(_, size)| size)
        });
        self.gauge("lifeboat_requests_waiting", "Requests for a backup.", sites, |site| {
            Some(site.requests_waiting)
        });
        self.gauge("lifeboat_notifications_waiting", "Messages that are not delivered yet.", sites, |site| {
            Some(site.notifications_waiting)
        });
        self.family(
            "lifeboat_schedule_skipped_total",
            "counter",
            "Times left out because a run was at work.",
        );
        for site in sites {
            for (kind, skipped, _) in &site.schedule {
                self.line("lifeboat_schedule_skipped_total", site, &[("kind", kind)], skipped);
            }
        }
        self.family(
            "lifeboat_schedule_missed_total",
            "counter",
            "Times that passed while no agent was there.",
        );
        for site in sites {
            for (kind, _, missed) in &site.schedule {
                self.line("lifeboat_schedule_missed_total", site, &[("kind", kind)], missed);
            }
        }
        self.family("lifeboat_schedule_next_timestamp_seconds", "gauge", "When work is due next.");
        for site in sites {
            for (kind, due) in &site.due {
                self.line(
                    "lifeboat_schedule_next_timestamp_seconds",
                    site,
                    &[("kind", kind)],
                    due.as_second(),
                );
            }
        }
    }

    fn of_last(&mut self, name: &str, help: &str, sites: &[Site], value: impl Fn(&Last) -> Option<String>) {
        self.family(name, "gauge", help);
        for site in sites {
            for (kind, last) in &site.totals.last {
                if let Some(value) = value(last) {
                    self.line(name, site, &[("kind", kind)], value);
                }
            }
        }
    }

    fn gauge<T: Display>(
        &mut self,
        name: &str,
        help: &str,
        sites: &[Site],
        value: impl Fn(&Site) -> Option<T>,
    ) {
        self.family(name, "gauge", help);
        for site in sites {
            if let Some(value) = value(site) {
                self.line(name, site, &[], value);
            }
        }
    }

    fn counter<T: Display>(&mut self, name: &str, help: &str, sites: &[Site], value: impl Fn(&Site) -> T) {
        self.family(name, "counter", help);
        for site in sites {
            self.line(name, site, &[], value(site));
        }
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, site: &Site, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "{name}{{site=\"{}\"", escaped(&site.name));
        for (label, text) in labels {
            let _ = write!(self.0, ",{label}=\"{}\"", escaped(text));
        }
        let _ = writeln!(self.0, "}} {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
