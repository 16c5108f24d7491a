//! The resident half: it begins what is due, once, and tells how it went.
//!
//! Runs are synchronous and happen on one thread, each in a process of its own, so that the memory of a run is given back and its
//! death is not the agent's. Everything else is this one loop, which sleeps until the clock, a signal, a request or the end of a run
//! wakes it.

mod clock;
mod lookout;
mod memory;
mod news;
mod order;
mod roster;
mod site;
pub mod spool;
mod systemd;
mod ticks;
mod voice;
mod waits;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use self::clock::Clock;
use self::lookout::Lookout;
use self::order::{Order, Queue};
use self::roster::Entry;
use self::site::Site;
pub use self::voice::{Voice, Word};
use self::worker::{Lane, Report};
use crate::error::{Context, Error, Kind, Result};
use crate::event::What;

/// What the agent is told on its command line.
#[derive(Clone, Debug)]
pub struct Settings {
    pub config: PathBuf,
    /// Directory with the configurations of more sites.
    pub sites: PathBuf,
    /// How long a run may go on after the agent was asked to stop.
    pub drain: Duration,
}

/// A run that was cancelled has this long to unwind before the agent goes without it.
const UNWIND: Duration = Duration::from_mins(1);

/// Longer than this nobody sleeps: the clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_mins(10);

/// Works by the schedules of all sites until it is asked to stop.
pub fn run(settings: &Settings, signals: Signals, voice: Voice) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime
        .context("start the agent")?
        .block_on(async { Agent::begin(settings, voice)?.work(signals.0).await })
}

/// The signals of this process, on their way to the loop.
#[derive(Debug)]
pub struct Signals(UnboundedReceiver<Signal>);

impl Signals {
    /// What is to be called with each signal, and where they arrive.
    pub fn new() -> (impl Fn(Signal) + Send + 'static, Self) {
        let (to, from) = unbounded_channel();
        // Nobody listens any more if the agent is on its way out.
        let forward = move |signal| {
            let _ = to.send(signal);
        };
        (forward, Self(from))
    }
}

struct Agent<'a> {
    settings: &'a Settings,
    voice: Voice,
    sites: Vec<Site>,
    /// Those that could not be taken on, and are tried again: a lock may be let go of, a disk may come.
    refused: Vec<Entry>,
    queue: Queue,
    runs: Lane,
    /// A site that stands still does not wait for the run of another one.
    rescue: Lane,
    clock: Clock,
    report: UnboundedSender<Report>,
    reports: UnboundedReceiver<Report>,
    /// Something came into a spool.
    looks: UnboundedReceiver<()>,
    lookout: Lookout,
    stopping: Option<Stop>,
}

/// The way out.
struct Stop {
    /// When the run at work is cancelled.
    cancel_at: Instant,
    cancelled: bool,
}

impl<'a> Agent<'a> {
    fn begin(settings: &'a Settings, voice: Voice) -> Result<Self> {
        let roster = roster::read(&settings.config, &settings.sites)?;
        if roster.good.is_empty() {
            return Err(roster.refusal());
        }
        let (reports, incoming) = unbounded_channel();
        let (look, looks) = unbounded_channel();
        let mut agent = Self {
            settings,
            voice,
            sites: Vec::new(),
            refused: Vec::new(),
            queue: Queue::default(),
            runs: Lane::start(reports.clone())?,
            rescue: Lane::start(reports.clone())?,
            report: reports,
            clock: Clock::new(),
            reports: incoming,
            looks,
            lookout: Lookout::start(look)?,
            stopping: None,
        };
        // One site's mistakes are no reason to leave the others without backups.
        for (file, text) in &roster.bad {
            agent.voice.complain(None, format!("{}: {text}", file.display()));
        }
        let now = Timestamp::now();
        let mut refused = None;
        for entry in roster.good {
            match Site::open(&entry, &agent.voice, now) {
                Ok(site) => agent.sites.push(site),
                Err(error) => {
                    agent.voice.complain(Some(&entry.config.site.name), error.to_string());
                    agent.refused.push(entry);
                    refused = Some(error);
                }
            }
        }
        match refused {
            Some(error) if agent.sites.is_empty() => Err(error),
            _ => Ok(agent),
        }
    }

    fn try_refused(&mut self, now: Timestamp) {
        let before = self.sites.len();
        self.refused.retain(|entry| match Site::open(entry, &self.voice, now) {
            Ok(site) => {
                site.say("is looked after now");
                self.sites.push(site);
                false
            }
            Err(_) => true,
        });
        if self.sites.len() > before {
            self.watch_spools();
        }
    }

    /// The loop.
    async fn work(mut self, mut signals: UnboundedReceiver<Signal>) -> Result<()> {
        let (beat, mut beats) = unbounded_channel();
        let _ticks = ticks::start(beat).await?;
        self.watch_spools();
        let heartbeat = systemd::heartbeat();
        systemd::ready(&self.status());
        self.voice.say(None, format!("ready: {}", self.status()));
        let mut look = true;
        loop {
            if look {
                self.look_at_all();
                self.give_work();
            }
            if self.is_done() {
                systemd::stopping();
                self.voice.say(None, "stopped");
                return Ok(());
            }
            systemd::alive();
            let wake = self.wake_at(heartbeat);
            look = true;
            tokio::select! {
                Some(()) = beats.recv() => self.try_refused(Timestamp::now()),
                Some(()) = self.looks.recv() => {}
                () = sleep_until(wake) => {}
                Some(report) = self.reports.recv() => look = self.heard(report),
                Some(signal) = signals.recv() => match signal {
                    Signal::SIGHUP => self.reload(),
                    _ if self.stopping.is_some() => {
                        // Whoever asks twice does not want to wait; the run at work unwinds by itself.
                        self.cancel();
                        return Err(Error::new(Kind::Cancelled, "stopped at once, by a second signal"));
                    }
                    _ => self.begin_to_stop(),
                },
            }
        }
    }

    fn look_at_all(&mut self) {
        let (now, jump) = self.clock.look();
        if let Some(by) = jump {
            self.voice.complain(None, told_jump(by));
        }
        self.tell_others(now);
        if self.stopping.is_some() {
            return;
        }
        for site in &mut self.sites {
            site.look(now).into_iter().for_each(|order| self.queue.add(order));
        }
    }

    /// Servers may be slow, and runs do not wait for them.
    fn tell_others(&mut self, now: Timestamp) {
        for site in &mut self.sites {
            let Some(delivery) = site.look_at_news(now) else { continue };
            let reports = self.report.clone();
            let send = move || {
                let sent = delivery.send();
                // Nobody listens any more if the agent is on its way out; what was not sent waits on the disk.
                let _ = reports.send(Report::Told { site: delivery.state, sent });
            };
            if let Err(error) = std::thread::Builder::new().name("notify".to_owned()).spawn(send) {
                site.complain(format!("others cannot be told: {error}"));
            }
        }
    }

    fn give_work(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        Self::give(&mut self.rescue, &self.runs, &mut self.queue, &mut self.sites, Order::is_rescue);
        Self::give(&mut self.runs, &self.rescue, &mut self.queue, &mut self.sites, |order| {
            !order.is_rescue()
        });
    }

    /// What fits into a lane, and is not of a site that the other one works for.
    fn give(lane: &mut Lane, other: &Lane, queue: &mut Queue, sites: &mut [Site], fits: fn(&Order) -> bool) {
        while lane.at_work().is_none() {
            let Some(order) = queue.next(|order| fits(order) && !other.works_for(&order.site)) else {
                return;
            };
            let Some(site) = sites.iter_mut().find(|site| site.state == order.site) else { continue };
            let now = Timestamp::now();
            if site.must_wait(&order, now) {
                site.put_back(&order);
                continue;
            }
            let arguments = order.arguments(&site.accepted());
            site.starting(&order, now);
            match lane.give(order.clone(), arguments) {
                Ok(()) => systemd::status(&format!("{} of {}", order.work.word(), site.name)),
                // It stays pending, and is looked at again.
                Err(error) => {
                    site.put_back(&order);
                    site.complain(format!("{} cannot begin: {error}", order.run));
                }
            }
        }
    }

    /// Asks what is at work to unwind; what this interrupts is begun again by the next agent.
    fn cancel(&mut self) {
        for lane in [&self.runs, &self.rescue] {
            let Some(order) = lane.at_work() else { continue };
            if let Some(site) = self.sites.iter_mut().find(|site| site.state == order.site) {
                site.interrupting(order, Timestamp::now());
            }
            if let Err(error) = lane.cancel() {
                self.voice.complain(None, error.to_string());
            }
        }
    }

    /// Whether it is worth a look at the sites.
    fn heard(&mut self, report: Report) -> bool {
        match report {
            Report::Event(event) => return matches!(event.what, What::RunStarted { .. }),
            Report::Told { site, sent } => {
                let Some(site) = self.sites.iter_mut().find(|known| known.state == site) else {
                    return false;
                };
                let now = Timestamp::now();
                match sent {
                    Ok(report) => site.delivered(&report, now),
                    Err(error) => site.complain_sometimes(format!("others cannot be told: {error}"), now),
                }
            }
            Report::Ended { order, end } => {
                self.runs.ended(&order);
                self.rescue.ended(&order);
                let stopping = self.stopping.is_some();
                if let Some(site) = self.sites.iter_mut().find(|site| site.state == order.site)
                    && let Err(error) = site.ended(&order, &end, stopping, Timestamp::now())
                {
                    site.complain(format!("the end of {} could not be written down: {error}", order.run));
                }
                systemd::status(&self.status());
            }
        }
        true
    }

    /// All configurations are read anew. Those that are wrong are refused with their problems, and their sites stay as they were.
    fn reload(&mut self) {
        systemd::reloading();
        match roster::read(&self.settings.config, &self.settings.sites) {
            Err(error) => self.voice.complain(None, format!("nothing is reloaded: {error}")),
            Ok(roster) => self.take_over(roster),
        }
        self.watch_spools();
        systemd::ready(&self.status());
        self.voice.say(None, format!("reloaded: {}", self.status()));
    }

    fn take_over(&mut self, roster: roster::Roster) {
        let now = Timestamp::now();
        for (file, text) in &roster.bad {
            self.voice.complain(None, format!("{} stays as it was: {text}", file.display()));
        }
        let described = |site: &Site| {
            roster.good.iter().any(|entry| entry.state() == site.state)
                || roster.bad.iter().any(|(file, _)| *file == site.config_file)
        };
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.sites).into_iter().partition(described);
        self.sites = kept;
        for site in gone {
            site.say("is no longer looked after");
        }
        self.refused.clear();
        for entry in roster.good {
            let known = self.sites.iter_mut().find(|site| site.state == entry.state());
            let (taken, is_new) = match known {
                Some(site) => (site.reload(&entry, now), false),
                None => (Site::open(&entry, &self.voice, now).map(|site| self.sites.push(site)), true),
            };
            if let Err(error) = taken {
                self.voice.complain(Some(&entry.config.site.name), format!("stays as it was: {error}"));
                self.refused.extend(is_new.then_some(entry));
            }
        }
        let sites = &self.sites;
        self.queue.retain(|order| sites.iter().any(|site| site.state == order.site));
    }

    fn begin_to_stop(&mut self) {
        let what = if self.is_busy() { "the run at work may end" } else { "nothing is at work" };
        self.voice.say(None, format!("asked to stop: {what}"));
        systemd::stopping();
        self.stopping = Some(Stop { cancel_at: Instant::now() + self.settings.drain, cancelled: false });
    }

    fn is_busy(&self) -> bool {
        self.runs.at_work().is_some() || self.rescue.at_work().is_some()
    }

    /// Whether there is nothing to wait for any more, on the way out.
    fn is_done(&mut self) -> bool {
        let busy = self.is_busy();
        let Some(stop) = &mut self.stopping else { return false };
        if !busy {
            return true;
        }
        let (now, cancel_at) = (Instant::now(), stop.cancel_at);
        if now < cancel_at {
            return false;
        }
        if !std::mem::replace(&mut stop.cancelled, true) {
            self.voice.complain(None, "the run at work did not end in time and is cancelled");
            self.cancel();
        }
        now >= cancel_at + UNWIND
    }

    fn wake_at(&self, heartbeat: Option<Duration>) -> Instant {
        let now = Timestamp::now();
        // What is due and was not dealt with, because a disk is full for instance, must not keep us spinning.
        let soon =
            |then: Timestamp| Duration::try_from(then.duration_since(now)).unwrap_or(Duration::from_secs(1));
        let due = if self.stopping.is_some() {
            None
        } else {
            self.sites.iter().filter_map(|site| site.next_look(now)).min()
        };
        let sleep =
            due.map_or(LONGEST_SLEEP, soon).min(heartbeat.unwrap_or(LONGEST_SLEEP)).min(LONGEST_SLEEP);
        let wake = Instant::now() + sleep;
        match &self.stopping {
            Some(stop) if stop.cancelled => wake.min(stop.cancel_at + UNWIND),
            Some(stop) => wake.min(stop.cancel_at),
            None => wake,
        }
    }

    fn watch_spools(&mut self) {
        let places: Vec<PathBuf> = self.sites.iter().flat_map(|site| site.spools().to_vec()).collect();
        for (place, error) in self.lookout.watch(&places) {
            let text = format!("{} cannot be watched for requests: {error}", place.display());
            self.voice.complain(None, text);
        }
    }

    fn status(&self) -> String {
        let waiting = self.queue.len();
        match waiting {
            0 => format!("{} site(s)", self.sites.len()),
            _ => format!("{} site(s), {waiting} run(s) waiting", self.sites.len()),
        }
    }
}

fn told_jump(by: SignedDuration) -> String {
    let (word, by) = if by.is_negative() { ("back", by.abs()) } else { ("forward", by) };
    format!("the clock went {word} by {by:#}, or the machine slept; what is due is looked at anew")
}
