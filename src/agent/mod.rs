//! The resident half: it begins what is due, once, and tells how it went.
//!
//! Runs are synchronous and happen on one thread, rescues on another, each in a process of its own, so that the memory of a run is
//! given back and its death is not the agent's. Everything else is this one loop, which sleeps until the clock, a signal, a request or the end of a run
//! wakes it.

mod asked;
mod clock;
mod desk;
mod live;
mod lookout;
mod memory;
mod news;
mod numbers;
mod order;
mod reload;
mod roster;
mod site;
pub mod spool;
mod stop;
mod systemd;
mod ticks;
mod voice;
mod waits;
mod wish;
mod worker;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use self::clock::Clock;
pub use self::desk::{Card, Counter, Desk, Due, Queued, Reloaded, desk};
pub use self::live::{Live, Shown};
use self::lookout::Lookout;
pub use self::numbers::numbers;
use self::order::{Order, Queue, Work};
use self::roster::Entry;
use self::site::Site;
use self::stop::{Stop, UNWIND};
pub use self::voice::{Voice, Word};
pub use self::wish::Wish;
use self::worker::{Lane, Report};
use crate::error::{Context, Error, Kind, Result};
use crate::event::Outcome;
use crate::history;
use crate::notify;
pub use crate::run::{Drill, drills_of as drills};

/// What the agent is told on its command line.
#[derive(Clone, Debug)]
pub struct Settings {
    pub config: PathBuf,
    /// Directory with the configurations of more sites.
    pub sites: PathBuf,
    /// How long a run may go on after the agent was asked to stop.
    pub drain: Duration,
}

/// Longer than this nobody sleeps: the clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_mins(10);

/// Works by the schedules of all sites until it is asked to stop.
pub fn run(settings: &Settings, signals: Signals, voice: Voice, desk: Counter) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime
        .context("start the agent")?
        .block_on(async { Agent::begin(settings, voice, desk)?.work(signals.0).await })
}

/// In how many days a site's storage is full, at its present pace; nothing if it does not fill, or too little is known of it.
pub fn days_left(state: &Path, now: Timestamp) -> Option<f64> {
    notify::forecast(&notify::samples(state), now).map(|forecast| forecast.days_left)
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
    desk: Counter,
    stopping: Option<Stop>,
}

impl<'a> Agent<'a> {
    fn begin(settings: &'a Settings, voice: Voice, desk: Counter) -> Result<Self> {
        let mut roster = roster::read(&settings.config, &settings.sites)?;
        // One site's mistakes are no reason to leave it or the others without backups.
        for (file, text) in &roster.bad {
            voice.complain(None, format!("{}: {text}", file.display()));
            if let Some(entry) = roster::as_accepted(file, &roster.good) {
                voice.complain(None, format!("{}: going on as it was accepted before", file.display()));
                roster.good.push(entry);
            }
        }
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
            runs: Lane::start(reports.clone(), desk.live.clone())?,
            rescue: Lane::start(reports.clone(), desk.live.clone())?,
            report: reports,
            clock: Clock::new(),
            reports: incoming,
            looks,
            lookout: Lookout::start(look)?,
            desk,
            stopping: None,
        };
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

    /// The loop.
    async fn work(mut self, mut signals: UnboundedReceiver<Signal>) -> Result<()> {
        let (beat, mut beats) = unbounded_channel();
        let _ticks = ticks::start(beat).await?;
        self.watch_spools();
        let heartbeat = systemd::heartbeat();
        self.lay_out();
        systemd::ready(&self.status());
        self.voice.say(None, format!("ready: {}", self.status()));
        loop {
            self.look_at_all();
            self.give_work();
            self.lay_out();
            if self.is_done() {
                self.voice.say(None, "stopped");
                return Ok(());
            }
            systemd::alive();
            let wake = self.wake_at(heartbeat);
            tokio::select! {
                Some(()) = beats.recv() => self.try_refused(Timestamp::now()),
                Some(()) = self.looks.recv() => {}
                () = sleep_until(wake) => {}
                Some(report) = self.reports.recv() => self.heard(report),
                Some(ask) = self.desk.asks.recv() => self.asked(ask),
                Some(signal) = signals.recv() => match signal {
                    // What was refused is in the log.
                    Signal::SIGHUP => drop(self.reload()),
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
                site.delivered(Err(error.into()), now);
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

    fn heard(&mut self, report: Report) {
        match report {
            // The history has it, and is looked at after each report.
            Report::Begun => {}
            Report::Told { site, sent } => {
                if let Some(site) = self.sites.iter_mut().find(|known| known.state == site) {
                    site.delivered(sent, Timestamp::now());
                }
            }
            Report::Ended { order, end } => {
                self.runs.ended(&order);
                self.rescue.ended(&order);
                if let Some(site) = self.sites.iter_mut().find(|site| site.state == order.site)
                    && let Err(error) = site.ended(&order, &end, Timestamp::now())
                {
                    site.complain(format!("the end of {} could not be written down: {error}", order.run));
                }
                match history::read(&history::directory(&order.site), &order.run) {
                    Ok(Some(past)) => self.desk.live.see(&order.site, &past),
                    // One that is due by the schedule is begun again under the same name.
                    _ if matches!(order.work, Work::Asked(_)) => {
                        self.desk.live.never_began(&order, Outcome::Failed, &end.reason());
                    }
                    _ => {}
                }
                self.desk.live.gone(&order.site, &order.run);
                systemd::status(&self.status());
            }
        }
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
