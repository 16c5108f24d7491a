//! Ends processes that another process of this program left behind, found by a mark in their environment.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, getpgrp, pidfd_open, pidfd_send_signal};

use super::GRACE;
use crate::error::{Error, Result};

/// A killed process is gone after so long, or waits for a dead file server.
const PATIENCE: Duration = Duration::from_secs(5);

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Ends every process that was started with this in its environment, with its group, politely first, and waits until all are gone.
///
/// The group matters: servers write their title over their environment, and are found only by who started them.
pub fn end_marked(name: &str, value: &str) -> Result<()> {
    let mark = format!("{name}={value}");
    let mut groups = BTreeSet::new();
    for (signal, limit) in [(Signal::TERM, GRACE), (Signal::KILL, PATIENCE)] {
        let begun = Instant::now();
        let mut told = BTreeSet::new();
        loop {
            let left = marked(mark.as_bytes(), &mut groups);
            if left.is_empty() {
                return Ok(());
            }
            for (number, process) in left {
                if told.insert(number) {
                    // One that ended meanwhile needs no signal.
                    let _ = pidfd_send_signal(process, signal);
                }
            }
            if begun.elapsed() >= limit {
                break;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
    Err(Error::failed("a process of it does not end even when it is killed"))
}

/// Held by what names a process for good: its number may be another's by the time the signal is sent.
fn marked(mark: &[u8], groups: &mut BTreeSet<i32>) -> Vec<(i32, OwnedFd)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers: Vec<i32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let ours = getpgrp().as_raw_nonzero().get();
    let with_mark =
        numbers.iter().filter(|number| has_mark(**number, mark)).filter_map(|number| group(*number));
    groups.extend(with_mark.filter(|group| *group != ours));
    let is_meant =
        |number: i32| group(number).is_some_and(|group| groups.contains(&group) || has_mark(number, mark));
    let open = |number| {
        let process = pidfd_open(Pid::from_raw(number)?, PidfdFlags::empty()).ok()?;
        is_meant(number).then_some((number, process))
    };
    numbers.into_iter().filter(|number| is_meant(*number)).filter_map(open).collect()
}

fn has_mark(number: i32, mark: &[u8]) -> bool {
    let environment = std::fs::read(format!("/proc/{number}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == mark)
}

/// The process group; `None` of one that has ended and waits to be noticed.
fn group(number: i32) -> Option<i32> {
    let text = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // The name before it is in brackets and may hold anything.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    fields.nth(1)?.parse().ok().filter(|_| !matches!(state, "Z" | "X"))
}
