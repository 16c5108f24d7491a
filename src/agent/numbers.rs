//! A site in numbers, for Prometheus, from what the agent and the runs have left on the disk.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::memory::Memory;
use super::{news, spool};
use crate::config::Config;
use crate::error::Result;
use crate::history::{self, Past, Standing};
use crate::metrics::{Queue, Site, Work};
use crate::schedule::Task;
use crate::schedule::agenda::{self, Pending};

/// Work may wait for the run of another site; what nobody has begun after this long is told as overdue.
const OVERDUE: SignedDuration = SignedDuration::from_hours(1);

/// Everything there is to say of a site in numbers. Asks no agent: it may be the agent that is not there.
pub fn numbers(config: &Config, now: Timestamp) -> Result<Site> {
    let state = config.site_state();
    let (memory, _) = Memory::recall(&state);
    let requests = spool::list(&state, config.schedule.on_request.spool.as_deref())?;
    let (mut work, mut queue) = (Vec::new(), Queue::default());
    for task in config.tasks(now)? {
        let known = memory.tasks.get(&task.kind).cloned().unwrap_or_default();
        let begun = match &known.pending {
            Some(pending) => enqueue(&mut queue, &state, pending, now)?,
            None => false,
        };
        work.push(standing(&task, &known, begun, now));
    }
    if let Some(run) = &memory.requested {
        let pending = Pending { nominal: now, run: run.clone(), attempt: 1, not_before: now };
        enqueue(&mut queue, &state, &pending, now)?;
    }
    Ok(Site {
        work,
        queue,
        requests_waiting: requests.iter().filter(|request| !request.dead).count() as u64,
        ..news::numbers(&state, &config.site.name, now)?
    })
}

fn standing(task: &Task, known: &agenda::Memory, begun: bool, now: Timestamp) -> Work {
    let owed = known.owed_since(&task.timetable, now, begun);
    let late = owed.map_or(SignedDuration::ZERO, |due| now.duration_since(due));
    Work {
        kind: task.kind.name(),
        skipped: known.skipped,
        missed: known.missed,
        next: task.timetable.after(now).map(|occurrence| occurrence.due),
        late_seconds: late.as_secs_f64(),
        overdue: late > OVERDUE,
    }
}

/// Counts a run that was decided on where it stands; whether it was begun and nobody has to begin it again.
fn enqueue(queue: &mut Queue, state: &Path, pending: &Pending, now: Timestamp) -> Result<bool> {
    match history::read(&history::directory(state), &pending.run)? {
        Some(Past { standing: Standing::Running, .. }) => queue.running += 1,
        // The agent has not yet taken note of it.
        Some(Past { standing: Standing::Ended, .. }) => {}
        None | Some(Past { standing: Standing::Crashed, .. }) => {
            let place = if pending.not_before > now { &mut queue.postponed } else { &mut queue.waiting };
            *place += 1;
            return Ok(false);
        }
    }
    Ok(true)
}
