//! How an agent stands: a fold of what it says, and the lines that show it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::runs::what_came_of;
use crate::cli::output::{bytes, duration, printable, table};
use crate::client::{Happening, Progress, Run, Site};
use crate::sys::local_time::local_time;

/// Columns of a bar.
const BAR: usize = 20;

/// Runs at their end that are shown, and that are remembered.
const SHOWN: usize = 8;
const KEPT: usize = 64;

/// An agent with its sites and runs.
#[derive(Default)]
pub(super) struct Board {
    sites: Vec<Site>,
    runs: BTreeMap<(String, String), Run>,
}

impl Board {
    pub(super) fn set_sites(&mut self, sites: Vec<Site>) {
        self.sites = sites;
    }

    pub(super) fn set_run(&mut self, run: Run) {
        self.runs.insert((run.site.clone(), run.id.clone()), run);
        let old = self.ended().into_iter().skip(KEPT).map(|run| (run.site.clone(), run.id.clone()));
        for key in old.collect::<Vec<_>>() {
            self.runs.remove(&key);
        }
    }

    /// Takes in what happened; a line for each thing that is worth one.
    pub(super) fn take(&mut self, happening: Happening) -> Vec<String> {
        match happening.name.as_str() {
            "sites" => serde_json::from_value::<Vec<Site>>(happening.data).map_or_else(
                |_| Vec::new(),
                |sites| {
                    let told = sites.iter().flat_map(|site| site_news(self.site(&site.name), site)).collect();
                    self.set_sites(sites);
                    told
                },
            ),
            "run" => serde_json::from_value::<Run>(happening.data).map_or_else(
                |_| Vec::new(),
                |run| {
                    let before = self.runs.get(&(run.site.clone(), run.id.clone()));
                    let told = run_news(before, &run);
                    self.set_run(run);
                    told.into_iter().collect()
                },
            ),
            _ => Vec::new(),
        }
    }

    fn site(&self, name: &str) -> Option<&Site> {
        self.sites.iter().find(|site| site.name == name)
    }

    /// What is at work for a site, whoever began it.
    pub(super) fn at_work(&self, site: &str) -> Vec<&Run> {
        self.runs.values().filter(|run| run.site == site && !run.is_over()).collect()
    }

    /// The newest end first.
    pub(super) fn ended(&self) -> Vec<&Run> {
        let mut ended: Vec<_> = self.runs.values().filter(|run| run.is_over()).collect();
        ended.sort_by_key(|run| std::cmp::Reverse(run.finished.or(run.started)));
        ended
    }

    /// All of it.
    pub(super) fn lines(&self, now: Timestamp, zone: &TimeZone) -> Vec<String> {
        let sites = self
            .sites
            .iter()
            .map(|site| vec![printable(&site.name).into_owned(), self.cell(site, now, zone).join("\n")]);
        let mut lines = rows(&table(&["Site", "Now"], &[], sites));
        if self.sites.is_empty() {
            lines = vec!["the agent has no sites".to_owned()];
        }
        let ended = self.ended();
        if !ended.is_empty() {
            lines.push(String::new());
            let rows_of = ended.iter().take(SHOWN).map(|run| {
                let at = run.finished.or(run.started).map(|at| clock(at, zone)).unwrap_or_default();
                let cells = [
                    &at,
                    &run.site,
                    run.kind.as_deref().unwrap_or_default(),
                    run.word(),
                    &run.seconds().map(duration).unwrap_or_default(),
                    &what_came_of(run),
                ];
                cells.map(|cell| printable(cell).into_owned()).to_vec()
            });
            lines.extend(rows(&table(&["Ended", "Site", "Kind", "Outcome", "Took", ""], &[4], rows_of)));
        }
        lines
    }

    fn cell(&self, site: &Site, now: Timestamp, zone: &TimeZone) -> Vec<String> {
        let mut lines = Vec::new();
        let at_work = self.at_work(&site.name);
        for run in &at_work {
            let begun = run.started.map(|at| now.duration_since(at).as_secs_f64().max(0.0));
            let since = begun.map(|seconds| format!(", {}", duration(seconds))).unwrap_or_default();
            lines.push(format!("{}{since}", headline(run)));
            lines.extend(run.progress.as_ref().map(bar));
        }
        match &site.at_work {
            // Its process has not said anything yet.
            Some(run) if at_work.is_empty() => lines.push(format!("{run} begins")),
            None if at_work.is_empty() => lines.push("idle".to_owned()),
            _ => {}
        }
        lines.extend(waiting(site));
        lines.extend(due(site, now, zone));
        lines.extend(site.troubles.iter().map(|text| format!("! {text}")));
        lines.iter().map(|line| printable(line).into_owned()).collect()
    }
}

fn rows(table: &comfy_table::Table) -> Vec<String> {
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// What is due, the nearest with its time.
fn due(site: &Site, now: Timestamp, zone: &TimeZone) -> Option<String> {
    let mut due: Vec<_> = site.work.iter().filter_map(|work| Some((work.next?, &work.work))).collect();
    due.sort_unstable();
    let time = due.first().map(|(next, _)| format!(" ({})", clock(*next, zone)))?;
    let mut said: Vec<_> = due.iter().map(|(next, work)| format!("{work} in {}", left(*next, now))).collect();
    said[0].push_str(&time);
    Some(format!("next: {}", said.join(", ")))
}

fn left(then: Timestamp, now: Timestamp) -> String {
    let seconds = then.duration_since(now).as_secs_f64().max(0.0);
    if seconds < 48.0 * 3600.0 { duration(seconds) } else { format!("{:.0} days", seconds / 86_400.0) }
}

fn waiting(site: &Site) -> Option<String> {
    let waiting: Vec<_> = site.queue.iter().map(|queued| queued.run.as_str()).collect();
    (!waiting.is_empty()).then(|| format!("waits: {}", waiting.join(", ")))
}

/// What a run does.
fn headline(run: &Run) -> String {
    let kind = run.kind.as_deref().unwrap_or("run");
    let step = run.step.as_ref().map(|step| format!(": {step}")).unwrap_or_default();
    let phase = run.phase.as_ref().map(|phase| format!(" ({phase})")).unwrap_or_default();
    format!("{kind} {}{step}{phase}", run.id)
}

/// How far a step is: a bar, the share, the amount, the pace and the time that is left.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // shown to people
fn bar(progress: &Progress) -> String {
    let amount = |count: u64| if progress.unit == "bytes" { bytes(count) } else { count.to_string() };
    let unit = if progress.unit == "bytes" { String::new() } else { format!(" {}", progress.unit) };
    let Some((total, percent)) = progress.total.zip(progress.percent) else {
        return format!("{}{unit}", amount(progress.done));
    };
    let percent = percent.clamp(0.0, 100.0);
    let full = (percent / 100.0 * BAR as f64) as usize;
    let head = usize::from(full < BAR);
    let drawn = format!("{}{}{}", "━".repeat(full), "╸".repeat(head), " ".repeat(BAR - full - head));
    let rate = progress.rate().map(|rate| format!(", {}/s", amount(rate))).unwrap_or_default();
    let left = progress
        .seconds_left
        .filter(|left| *left > 0.0)
        .map(|left| format!(", {} left", duration(left)))
        .unwrap_or_default();
    // A total may be an estimate, and too small.
    let total = amount(total.max(progress.done));
    format!("{drawn} {percent:>3.0}%  {} of {total}{unit}{rate}{left}", amount(progress.done))
}

/// Without a zone: that of whoever looks.
fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A line for a run that began, came to another step, or ended.
fn run_news(before: Option<&Run>, run: &Run) -> Option<String> {
    let head = format!("{}: {}", run.site, run.id);
    if run.is_over() {
        let before = before.is_some_and(Run::is_over);
        let took = run.seconds().map(|seconds| format!(", {}", duration(seconds))).unwrap_or_default();
        let what = Some(what_came_of(run)).filter(|what| !what.is_empty());
        let what = what.map(|what| format!(": {what}")).unwrap_or_default();
        return (!before).then(|| format!("{head} ended {}{took}{what}", run.word()));
    }
    let at = |run: &Run| (run.step.clone(), run.phase.clone());
    if before.is_some_and(|before| at(before) == at(run)) {
        return None;
    }
    Some(format!("{}: {}", run.site, headline(run)))
}

/// Lines for what waits, and for what the agent complains of, where that has changed.
fn site_news(before: Option<&Site>, site: &Site) -> Vec<String> {
    let mut lines = Vec::new();
    let waits = waiting(site);
    if waits != before.and_then(waiting) {
        lines.push(waits.unwrap_or_else(|| "nothing waits".to_owned()));
    }
    let known = |text: &String| before.is_some_and(|before| before.troubles.contains(text));
    lines.extend(site.troubles.iter().filter(|text| !known(text)).map(|text| format!("! {text}")));
    lines.into_iter().map(|line| format!("{}: {line}", site.name)).collect()
}

/// With a date and zone, before a line.
pub(super) fn stamped(line: &str, now: Timestamp, zone: &TimeZone) -> String {
    format!("{}  {}", local_time(now, zone), printable(line))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn happening(name: &str, data: Value) -> Happening {
        Happening { name: name.to_owned(), data }
    }

    fn running(step: &str) -> Value {
        json!({
            "id": "r1", "site": "shop", "kind": "backup", "standing": "running", "started": "2026-11-26T22:00:00Z",
            "step": step, "progress": {"done": 52_428_800, "total": 104_857_600, "unit": "bytes", "percent": 50.0, "seconds_left": 5.0},
        })
    }

    fn ended(outcome: &str) -> Value {
        json!({
            "id": "r1", "site": "shop", "kind": "backup", "standing": "ended", "started": "2026-11-26T22:00:00Z",
            "finished": "2026-11-26T22:00:12Z", "outcome": outcome, "snapshot": "0123456789abcdef",
        })
    }

    #[test]
    fn a_frame_shows_what_is_at_work_waits_is_next_and_has_ended() {
        let mut board = Board::default();
        let sites = json!([
            {"name": "blog", "work": [{"work": "drill", "next": "2026-11-30T22:00:00Z"}, {"work": "backup", "next": "2026-11-27T03:00:00Z"}, {"work": "check"}], "queue": [], "troubles": ["the \u{1b}[31mdisk is full"]},
            {"name": "shop", "at_work": "r1", "queue": [{"run": "r2", "what": "drill"}]},
        ]);
        board.take(happening("sites", sites));
        board.take(happening("run", running("save")));
        let mut old = ended("failed");
        (old["id"], old["error"]) = (json!("r0"), json!("no\nroom"));
        board.take(happening("run", old));
        let now = "2026-11-26T22:00:05Z".parse().unwrap();
        insta::assert_snapshot!(board.lines(now, &TimeZone::UTC).join("\n"), @r"
        Site  Now
        blog  idle
              next: backup in 5.0 h (2026-11-27 03:00:00), drill in 4 days
              ! the \u{1b}[31mdisk is full
        shop  backup r1: save, 5.00 s
              ━━━━━━━━━━╸           50%  50.00 MiB of 100.00 MiB, 10.00 MiB/s, 5.00 s left
              waits: r2

        Ended                Site  Kind    Outcome  Took
        2026-11-26 22:00:12  shop  backup  failed   12 s  no\nroom
        ");
    }

    #[test]
    fn lines_tell_each_change_once_and_every_end() {
        let mut board = Board::default();
        assert_eq!(board.take(happening("run", running("dump"))), ["shop: backup r1: dump"]);
        assert!(board.take(happening("run", running("dump"))).is_empty());
        assert_eq!(board.take(happening("run", running("save"))), ["shop: backup r1: save"]);
        assert_eq!(
            board.take(happening("run", ended("success"))),
            ["shop: r1 ended success, 12 s: snapshot 01234567"]
        );
        assert!(board.take(happening("run", ended("success"))).is_empty());
        let site = |troubles: &[&str]| json!([{"name": "shop", "troubles": troubles}]);
        assert_eq!(board.take(happening("sites", site(&["full"]))), ["shop: ! full"]);
        assert!(board.take(happening("sites", site(&["full"]))).is_empty());
        for (name, data) in [("sites", json!(1)), ("run", json!([])), ("new", json!(null))] {
            assert!(board.take(happening(name, data)).is_empty(), "what is not understood is left out");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut board = Board::default();
        for number in 0..200 {
            let mut run = ended("success");
            run["id"] = json!(format!("r{number}"));
            run["finished"] = json!(Timestamp::from_second(number).unwrap());
            board.take(happening("run", run));
        }
        let ended = board.ended();
        assert_eq!((ended.len(), ended[0].id.as_str()), (KEPT, "r199"));
    }
}
