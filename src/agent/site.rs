//! One site as the agent knows it: what is due for it, what is at work, and what became of it.

mod asked;
mod card;
mod kept;
mod leftovers;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use self::requests::tried;
use super::memory::Memory;
use super::news::{Delivery, News};
use super::order::{Order, Work};
use super::roster::Entry;
use super::spool::Spool;
use super::voice::Voice;
use super::waits::{Forbidden, Rescue};
use super::worker::End;
use crate::config::Config;
use crate::error::{Context, Kind as ErrorKind, Result};
use crate::event::{Outcome, RunState};
use crate::history::{self, Past, Standing};
use crate::notify::Report;
use crate::schedule::agenda::{Fate, Next, Seen};
use crate::schedule::{Kind, Task};
use crate::sys::claim::Claim;
use crate::sys::local_time::local_time;

pub(super) struct Site {
    pub(super) name: String,
    pub(super) config_file: PathBuf,
    pub(super) state: PathBuf,
    /// Something may begin by itself.
    enabled: bool,
    zone: TimeZone,
    tasks: Vec<Task>,
    forbidden: Forbidden,
    memory: Memory,
    spool: Spool,
    news: News,
    /// Runs of this process that wait in the queue or are at work.
    at_hand: BTreeSet<String>,
    voice: Voice,
    rescue: Option<Rescue>,
    /// What was complained of and when: it need not be said each minute.
    troubles: BTreeMap<String, Timestamp>,
    /// The configuration as it was accepted.
    text: Zeroizing<Vec<u8>>,
    claim: Claim,
}

impl Site {
    /// Takes a site on; an agent that has it already is named in the error.
    pub(super) fn open(entry: &Entry, voice: &Voice, now: Timestamp) -> Result<Self> {
        let config = &entry.config;
        let state = config.site_state();
        let claim = kept::claim_of(&state).context("take the site on")?;
        let (memory, damage) = Memory::recall(&state);
        let mut site = Self {
            name: config.site.name.clone(),
            config_file: entry.file.clone(),
            enabled: config.enabled,
            zone: config.time_zone()?,
            tasks: config.tasks(now)?,
            forbidden: Forbidden::of(config)?,
            memory,
            spool: spool(config, &state)?,
            news: News::open(&state, &config.site.name, config.notify_spec(&entry.file)?, now)?,
            at_hand: BTreeSet::new(),
            voice: voice.clone(),
            rescue: None,
            troubles: BTreeMap::new(),
            text: entry.text.clone(),
            state,
            claim,
        };
        if let Some(damage) = damage {
            site.complain(format!("{damage}; what is due is counted from now on"));
        }
        site.keep_config()?;
        site.forget_former_tasks();
        site.tell_enabled(true);
        site.memory.config_file = Some(entry.file.clone());
        site.keep(now);
        Ok(site)
    }

    /// The configuration was read anew; what is at work goes on.
    pub(super) fn reload(&mut self, entry: &Entry, now: Timestamp) -> Result<()> {
        let config = &entry.config;
        let (tasks, zone, spool) = (config.tasks(now)?, config.time_zone()?, spool(config, &self.state)?);
        let forbidden = Forbidden::of(config)?;
        self.news.reload(config.notify_spec(&entry.file)?, now);
        self.text.clone_from(&entry.text);
        self.keep_config()?;
        self.config_file.clone_from(&entry.file);
        self.memory.config_file = Some(entry.file.clone());
        (self.tasks, self.zone, self.spool, self.forbidden) = (tasks, zone, spool, forbidden);
        self.forget_former_tasks();
        let before = std::mem::replace(&mut self.enabled, config.enabled);
        self.tell_enabled(before);
        self.keep(now);
        Ok(())
    }

    /// Once, not with each look at the site.
    fn tell_enabled(&self, before: bool) {
        match (before, self.enabled) {
            (true, false) => {
                self.say("is not enabled: nothing begins by schedule or for requests; runs by hand go on");
            }
            (false, true) => self.say("is enabled again"),
            _ => {}
        }
    }

    /// Work that is not scheduled any more owes nothing when it is scheduled again.
    fn forget_former_tasks(&mut self) {
        self.memory.tasks.retain(|kind, _| self.tasks.iter().any(|task| task.kind == *kind));
    }

    pub(super) fn spools(&self) -> &[PathBuf] {
        self.spool.places()
    }

    /// Looks at clock, spool and history, and says what is to be run now. What cannot be looked at is no reason to leave out the rest:
    /// a stranger's spool must not stop the backups.
    pub(super) fn look(&mut self, now: Timestamp) -> Vec<Order> {
        let mut orders = Vec::new();
        for part in [
            Self::look_after_place,
            Self::look_at_asked,
            Self::look_at_tasks,
            Self::look_at_requests,
            Self::look_for_leftovers,
        ] {
            if let Err(error) = part(self, now, &mut orders) {
                self.complain_sometimes(format!("cannot be looked after: {error}"), now);
            }
        }
        for order in &orders {
            self.at_hand.insert(order.run.clone());
        }
        orders
    }

    fn look_at_tasks(&mut self, now: Timestamp, orders: &mut Vec<Order>) -> Result<()> {
        for task in self.tasks.clone() {
            // Before the clock is looked at: a run that came to its end meanwhile is in nobody's way.
            self.settle_pending(&task, now)?;
            let memory = self.memory.tasks.entry(task.kind).or_default();
            let before = memory.clone();
            let seen = memory.look(&task.timetable, now, || history::new_run(task.kind.name()));
            if *memory != before {
                self.keep(now);
            }
            self.tell(task.kind, &seen);
            if let Some(run) = self.settle_pending(&task, now)? {
                let site = self.state.clone();
                orders.push(Order { site, run, work: Work::Task(task) });
            }
        }
        Ok(())
    }

    /// What is pending is looked up in the history, which knows what a former agent did; gives back a run that is to begin.
    fn settle_pending(&mut self, task: &Task, now: Timestamp) -> Result<Option<String>> {
        loop {
            let pending = self.memory.tasks.get(&task.kind).and_then(|memory| memory.pending.clone());
            let Some(pending) = pending.filter(|pending| pending.not_before <= now) else { return Ok(None) };
            if self.at_hand.contains(&pending.run) {
                return Ok(None);
            }
            match history::read(&history::directory(&self.state), &pending.run)? {
                None => return Ok((!self.waits_for_hours(task.kind, now)).then_some(pending.run)),
                Some(Past { standing: Standing::Running, .. }) => return Ok(None),
                // It is over, or begun again under another name.
                Some(past) => self.task_ended(task, self.fate_of(&past, None, task.kind), now),
            }
        }
    }

    fn task_ended(&mut self, task: &Task, fate: Fate, now: Timestamp) {
        let memory = self.memory.tasks.entry(task.kind).or_default();
        let next = memory.ended(fate, task.retries, now, || history::new_run(task.kind.name()));
        self.keep(now);
        match next {
            Next::Done => {}
            Next::Retry(then) if then <= now => self.say(format!("{} is begun again", task.kind.name())),
            Next::Retry(then) => {
                self.say(format!("{} is tried again at {}", task.kind.name(), self.local(then)));
            }
            Next::GivenUp => self.complain(format!("{} was tried often enough", task.kind.name())),
        }
    }

    /// Whether the pending run has to wait for the end of hours in which nothing begins; then it does.
    fn waits_for_hours(&mut self, kind: Kind, now: Timestamp) -> bool {
        let Some(end) = self.forbidden.until(now) else { return false };
        if let Some(pending) = self.memory.tasks.get_mut(&kind).and_then(|memory| memory.pending.as_mut()) {
            pending.not_before = end;
            self.keep(now);
            self.say(format!("{} waits for the end of not_during at {}", kind.name(), self.local(end)));
        }
        true
    }

    /// Whether an order that has its turn came, while it waited for it, into hours in which nothing begins, or to a site that is not
    /// enabled any more.
    pub(super) fn must_wait(&mut self, order: &Order, now: Timestamp) -> bool {
        let person = matches!(order.work, Work::Asked(_));
        if person || order.is_rescue() || (self.enabled && self.forbidden.until(now).is_none()) {
            return false;
        }
        match &order.work {
            Work::Task(task) => drop(self.waits_for_hours(task.kind, now)),
            Work::Requested | Work::Recover | Work::Asked(_) => {
                self.memory.requested = None;
                Spool::uncover(&mut self.memory.requests, &order.run);
                self.keep(now);
            }
        }
        true
    }

    /// The agent is on its way out and may take this run along: then the next one begins it again.
    pub(super) fn interrupting(&mut self, order: &Order, now: Timestamp) {
        self.memory.interrupted = Some(order.run.clone());
        self.keep(now);
    }

    /// A failed backup may succeed in five minutes; a check or drill that found something would find it again.
    fn fate_of(&self, past: &Past, end: Option<&End>, kind: Kind) -> Fate {
        let interrupted = self.memory.interrupted.as_ref() == Some(&past.id);
        match (past.standing, past.state.outcome) {
            (Standing::Crashed | Standing::Running, _) | (_, None) => Fate::Crashed,
            (_, Some(Outcome::Cancelled)) if interrupted => Fate::Interrupted,
            (_, Some(Outcome::Failed)) if is_locked(end) || kind == Kind::Backup => Fate::Again,
            (_, Some(_)) => Fate::Over,
        }
    }

    /// Tells others what is new; gives back what is to be sent.
    pub(super) fn look_at_news(&mut self, now: Timestamp) -> Option<Delivery> {
        if let Err(error) = self.news.look(now) {
            self.complain_sometimes(format!("others cannot be told: {error}"), now);
        }
        self.news.delivery(now)
    }

    pub(super) fn delivered(&mut self, sent: Result<Report>, now: Timestamp) {
        let report = match sent {
            Ok(report) => report,
            Err(error) => {
                self.complain_sometimes(format!("others cannot be told: {error}"), now);
                return self.news.delivered(now.checked_add(SignedDuration::from_mins(1)).ok());
            }
        };
        for (channel, trouble) in &report.troubles {
            self.complain_sometimes(format!("{channel} could not be told: {trouble}"), now);
        }
        if report.given_up > 0 {
            self.complain(format!(
                "{} message(s) were given up: see `lifeboat notify list`",
                report.given_up
            ));
        }
        self.news.delivered(report.next_try);
    }

    /// An order could not be begun after all.
    pub(super) fn put_back(&mut self, order: &Order) {
        self.at_hand.remove(&order.run);
    }

    /// An order gets its turn. What it is to satisfy is on disk before it begins.
    pub(super) fn starting(&mut self, order: &Order, now: Timestamp) {
        if order.work.is_backup() {
            self.look_at_spools(now);
            self.spool.cover(&mut self.memory.requests, &order.run);
            self.keep(now);
        }
        self.say(format!("{} begins as {}", order.work.word(), order.run));
    }

    /// An order is at its end, or was dropped without having begun.
    pub(super) fn ended(&mut self, order: &Order, end: &End, now: Timestamp) -> Result<()> {
        self.at_hand.remove(&order.run);
        let past = history::read(&history::directory(&self.state), &order.run)?;
        self.tell_end(order, past.as_ref(), end);
        let settled = if order.work.is_backup() {
            self.requests_settled(&order.run, tried(past.as_ref(), Some(end)), now)
        } else {
            Ok(())
        };
        let task = match &order.work {
            Work::Task(task) => task,
            Work::Asked(_) => {
                self.forget_asked(&order.run, now);
                return settled;
            }
            Work::Recover | Work::Requested => return settled,
        };
        let fate = match &past {
            Some(past) => self.fate_of(past, Some(end), task.kind),
            // Where no history can be written the exit code is all there is.
            None if matches!(end, End::Code(0 | 3 | 75, _)) => Fate::Over,
            None => Fate::Again,
        };
        let current = self.tasks.iter().find(|known| known.kind == task.kind).unwrap_or(task).clone();
        self.task_ended(&current, fate, now);
        settled
    }

    /// When there is something to look at again, if nothing else happens.
    pub(super) fn next_look(&self, now: Timestamp) -> Option<Timestamp> {
        let tasks = self.tasks.iter().filter_map(|task| {
            self.memory.tasks.get(&task.kind).and_then(|memory| memory.next_look(&task.timetable, now))
        });
        let requests = self.spool.due(&self.memory.requests).filter(|due| self.enabled && *due > now);
        tasks.chain(requests).chain(self.news.next_look()).min()
    }

    fn tell(&self, kind: Kind, seen: &Seen) {
        let name = kind.name();
        match seen {
            Seen::Nothing | Seen::Taken { missed: 0 } => {}
            Seen::Taken { missed } => {
                self.say(format!("{name} makes up for {missed} time(s) that passed before"));
            }
            Seen::Skipped(count) => {
                self.complain(format!(
                    "{name} came due {count} time(s) while the former one was at work: left out"
                ));
            }
            Seen::ClockWasWrong { by } => self.complain(format!(
                "the clock had been ahead by {by:#}: what is due for {name} is counted from now on"
            )),
        }
    }

    fn tell_end(&self, order: &Order, past: Option<&Past>, end: &End) {
        let run = &order.run;
        match (past, end) {
            (Some(Past { state: RunState { outcome: Some(outcome), error, .. }, .. }), _) => {
                let error = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
                let text = format!("{run} ended: {}{error}", outcome.name());
                if *outcome == Outcome::Success { self.say(text) } else { self.complain(text) }
            }
            (_, End::Signal(signal)) => self.complain(format!("{run} was killed by signal {signal}")),
            (_, End::Lost(why)) => self.complain(format!("{run}: {why}")),
            (_, End::Code(code, said)) => {
                let said = said.as_ref().map(|said| format!(": {said}")).unwrap_or_default();
                self.complain(format!("{run} ended with exit code {code} and is not in the history{said}"));
            }
        }
    }

    fn local(&self, moment: Timestamp) -> String {
        local_time(moment, &self.zone)
    }

    pub(super) fn say(&self, text: impl Into<String>) {
        self.voice.say(Some(&self.name), text);
    }

    /// Not more often than once an hour.
    pub(super) fn complain_sometimes(&mut self, text: String, now: Timestamp) {
        let hour = SignedDuration::from_hours(1);
        self.troubles.retain(|_, told| now.duration_since(*told).abs() < hour);
        if !self.troubles.contains_key(&text) {
            self.complain(&text);
            self.troubles.insert(text, now);
        }
    }

    pub(super) fn complain(&self, text: impl Into<String>) {
        self.voice.complain(Some(&self.name), text);
    }
}

fn spool(config: &Config, state: &Path) -> Result<Spool> {
    let wish = &config.schedule.on_request;
    Spool::open(state, wish.spool.as_deref(), wish.settle, wish.at_most_every)
}

fn is_locked(end: Option<&End>) -> bool {
    matches!(end, Some(End::Code(code, _)) if *code == i32::from(ErrorKind::Locked.exit_code()))
}
