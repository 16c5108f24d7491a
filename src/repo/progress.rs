//! The engine's progress bars and log lines, turned into events.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};
use rustic_core::{Progress, ProgressBars, ProgressType, RusticProgress};

use crate::event::{Cx, Unit};

pub(crate) struct Bars(pub(crate) Cx);

struct Bar {
    cx: Cx,
    unit: Unit,
    done: AtomicU64,
    total: AtomicU64,
}

impl ProgressBars for Bars {
    fn progress(&self, kind: ProgressType, _prefix: &str) -> Progress {
        match kind {
            ProgressType::Bytes => Progress::new(Bar {
                cx: self.0.clone(),
                unit: Unit::Bytes,
                done: AtomicU64::new(0),
                total: AtomicU64::new(0),
            }),
            // Counting index files or snapshots is over before a person has read the line.
            ProgressType::Spinner | ProgressType::Counter => Progress::hidden(),
        }
    }
}

impl std::fmt::Debug for Bars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bars")
    }
}

impl std::fmt::Debug for Bar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bar")
    }
}

impl Bar {
    fn tell(&self) {
        let total = Some(self.total.load(Ordering::Relaxed)).filter(|total| *total > 0);
        self.cx.progress(self.done.load(Ordering::Relaxed), total, self.unit);
    }
}

impl RusticProgress for Bar {
    fn is_hidden(&self) -> bool {
        false
    }

    fn set_length(&self, length: u64) {
        self.total.store(length, Ordering::Relaxed);
    }

    fn set_title(&self, _title: &str) {}

    fn inc(&self, by: u64) {
        self.done.fetch_add(by, Ordering::Relaxed);
        self.tell();
    }

    fn finish(&self) {
        self.total.store(self.done.load(Ordering::Relaxed), Ordering::Relaxed);
        self.tell();
    }
}

/// The run whose events the engine's log lines become; runs are serial, so one at a time is right.
static LISTENER: Mutex<Option<Cx>> = Mutex::new(None);
static INSTALL: Once = Once::new();

/// While alive, what the engine logs as a warning or an error is a warning of this run: there it says what it dropped.
pub(crate) struct Listening;

impl Listening {
    pub(crate) fn start(cx: &Cx) -> Self {
        INSTALL.call_once(|| {
            // Somebody else's logger stays: then the lines are his to show, and ours are lost to nobody.
            if log::set_logger(&Forward).is_ok() {
                log::set_max_level(LevelFilter::Warn);
            }
        });
        *LISTENER.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.clone());
        Self
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        *LISTENER.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

struct Forward;

impl Log for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata())
            && let Some(cx) = LISTENER.lock().unwrap_or_else(PoisonError::into_inner).clone()
        {
            cx.warn(record.args().to_string());
        }
    }

    fn flush(&self) {}
}
