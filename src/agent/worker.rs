//! The one thread on which runs happen, each in a process of its own, and what it reports.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::mpsc::UnboundedSender;

use super::live::Live;
use super::order::Order;
use crate::error::{Context, Error, Result};
use crate::event::{Event, What};
use crate::notify;
use crate::sys::process::{Again, Handle};

/// Only an error is looked for in it, in bytes.
const LONGEST_RESULT: usize = 1 << 16;

/// What the worker has to say.
#[derive(Debug)]
pub(super) enum Report {
    /// The run at work has its first event.
    Begun,
    /// What came of telling others.
    Told {
        site: PathBuf,
        sent: Result<notify::Report>,
    },
    Ended {
        order: Order,
        end: End,
    },
}

/// How the process of a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With this exit code, and what it said in case it never got to be a run.
    Code(i32, Option<String>),
    /// By a signal, such as that of a machine out of memory.
    Signal(i32),
    /// It could not be started or waited for.
    Lost(String),
}

impl End {
    /// Why a process ended that never got to be a run.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Code(_, Some(text)) | Self::Lost(text) => text.clone(),
            Self::Code(code, None) => format!("it ended with code {code} before it began"),
            Self::Signal(signal) => format!("it was killed by signal {signal} before it began"),
        }
    }
}

struct Worker {
    orders: Sender<(Order, Vec<OsString>)>,
    at_work: Arc<Mutex<Option<Handle>>>,
}

impl Worker {
    fn start(reports: UnboundedSender<Report>, live: Live) -> Result<Self> {
        let (orders, incoming) = channel::<(Order, Vec<OsString>)>();
        let at_work = Arc::new(Mutex::new(None));
        let handle = Arc::clone(&at_work);
        let work = move || {
            while let Ok((order, arguments)) = incoming.recv() {
                let end = run(&order, &arguments, &reports, &live, &handle);
                // Nobody listens any more if the agent is on its way out.
                drop(reports.send(Report::Ended { order, end }));
            }
        };
        thread::Builder::new().name("runs".to_owned()).spawn(work).context("start the thread for runs")?;
        Ok(Self { orders, at_work })
    }

    fn give(&self, order: Order, arguments: Vec<OsString>) -> Result<()> {
        self.orders.send((order, arguments)).map_err(|_| Error::failed("the thread for runs is gone"))
    }

    /// Asks the run at work to unwind.
    fn cancel(&self) -> Result<()> {
        let handle = *self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        handle.map_or(Ok(()), Handle::ask_to_stop)
    }
}

/// A thread for runs, and what is at work on it.
pub(super) struct Lane {
    worker: Worker,
    at_work: Option<Order>,
    live: Live,
}

impl Lane {
    pub(super) fn start(reports: UnboundedSender<Report>, live: Live) -> Result<Self> {
        Ok(Self { worker: Worker::start(reports, live.clone())?, at_work: None, live })
    }

    pub(super) fn give(&mut self, order: Order, arguments: Vec<OsString>) -> Result<()> {
        self.live.expect(&order.site, &order.run);
        self.worker.give(order.clone(), arguments)?;
        self.at_work = Some(order);
        Ok(())
    }

    pub(super) fn at_work(&self) -> Option<&Order> {
        self.at_work.as_ref()
    }

    pub(super) fn works_for(&self, site: &Path) -> bool {
        self.at_work.as_ref().is_some_and(|order| order.site == site)
    }

    pub(super) fn ended(&mut self, order: &Order) {
        self.at_work.take_if(|at_work| at_work.run == order.run && at_work.site == order.site);
    }

    pub(super) fn cancel(&self) -> Result<()> {
        self.worker.cancel()
    }
}

fn run(
    order: &Order,
    arguments: &[OsString],
    reports: &UnboundedSender<Report>,
    live: &Live,
    at_work: &Mutex<Option<Handle>>,
) -> End {
    let (reports, board, site) = (reports.clone(), live.clone(), order.site.clone());
    let started = Again::start(arguments, LONGEST_RESULT, move |line| {
        let Ok(event) = serde_json::from_str::<Event>(line) else { return };
        board.tell(&site, &event);
        // All else that a run says is in its history; the loop need not wake for it.
        if matches!(event.what, What::RunStarted { .. }) {
            drop(reports.send(Report::Begun));
        }
    });
    let set = |handle| *at_work.lock().unwrap_or_else(PoisonError::into_inner) = handle;
    let ended = started.and_then(|process| {
        set(Some(process.handle()?));
        let waited = process.wait();
        set(None);
        waited?;
        process.take()
    });
    match ended {
        Ok((status, output)) => end(status, &output),
        Err(error) => End::Lost(error.to_string()),
    }
}

fn end(status: ExitStatus, output: &[u8]) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Code(code, error_in(output)),
        (None, Some(signal)) => End::Signal(signal),
        (None, None) => End::Lost(format!("it ended with {status}")),
    }
}

/// The error in the one document that a run prints.
fn error_in(output: &[u8]) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(output).ok()?;
    let error = document.get("error")?;
    let text = error.get("message").or(Some(error)).and_then(|text| text.as_str())?;
    Some(text.to_owned())
}
