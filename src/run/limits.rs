//! What a run may take from the machine, applied to the run itself: whoever starts it, its limits are the same.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{getpriority_process, setpriority_process};

use super::Job;
use crate::error::{Context, Error, Result};
use crate::event::{Cx, Pace};
use crate::sys::pressure::{self, Resource};
use crate::sys::space::{Reserve, Space};

/// How often the kernel is asked while all is well, and while a run waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a run may take from the machine; whatever is left out is not limited.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// How far the run stands back for others, 0 to 19; the kernel derives the priority of its disk accesses from it.
    pub nice: Option<u8>,
    pub pause: Option<Pause>,
    /// Kept free on the file system of the node's state, and on the one that a restore writes to.
    pub free_node: Option<Reserve>,
}

/// When a run waits for a machine that is busy.
#[derive(Clone, Debug, PartialEq)]
pub struct Pause {
    /// Shares of time, in percent, in which somebody waits.
    pub above: Vec<(Resource, u8)>,
    /// How long a run waits in all before it goes on in any case.
    pub longest: Duration,
    /// Where the kernel tells it.
    pub directory: PathBuf,
}

/// Sets what belongs to the process, until this is dropped.
pub(crate) struct Applied {
    nice: Option<i32>,
}

/// For the length of a run, from the thread that runs it: threads that it starts inherit its priority.
pub(crate) fn apply(job: &Job, cx: &Cx) -> Applied {
    if let Some(pause) = &job.limits.pause {
        cx.set_pace(Box::new(Brake { pause: pause.clone(), state: Mutex::default() }));
    }
    let mut before = None;
    if let Some(nice) = job.limits.nice {
        let set = getpriority_process(None).and_then(|now| {
            // Whoever started us nicer still meant it.
            let wanted = i32::from(nice).max(now);
            setpriority_process(None, wanted).map(|()| now)
        });
        match set {
            Ok(now) => before = Some(now),
            Err(error) => cx.warn(format!("limits.nice is not in force: {error}")),
        }
    }
    Applied { nice: before }
}

impl Drop for Applied {
    fn drop(&mut self) {
        if let Some(nice) = self.nice {
            // Only root may become less nice; for anybody else it stays, until the process ends.
            setpriority_process(None, nice).ok();
        }
    }
}

/// Refuses to begin what would use up the room that is to be left on the node.
pub(crate) fn node_has_room(job: &Job) -> Result<()> {
    let Some(reserve) = job.limits.free_node else { return Ok(()) };
    room(&job.state, reserve, 0)
}

/// Room for so many bytes, with this much left.
pub(crate) fn room(place: &Path, reserve: Reserve, bytes: u64) -> Result<()> {
    let space = Space::at(place).with_context(|| format!("ask for free space at {}", place.display()))?;
    let Some(lack) = space.lacks(reserve, bytes) else { return Ok(()) };
    Err(Error::failed(format!(
        "{} has {} bytes free, {lack} too few: {reserve} are to stay free there",
        place.display(),
        space.free
    ))
    .with_remedy("make room there, or lower `limits.free_space.node`"))
}

/// Has a run wait while others wait for the machine.
struct Brake {
    pause: Pause,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    looked: Option<Instant>,
    waited: Duration,
    /// Said that the kernel does not tell.
    deaf: bool,
}

impl Brake {
    /// What is above its limit, in words.
    fn above(&self) -> std::io::Result<Option<String>> {
        for (resource, limit) in &self.pause.above {
            let share = pressure::waiting(&self.pause.directory, *resource)?;
            if share > f64::from(*limit) {
                let name = resource.name();
                return Ok(Some(format!(
                    "others wait for {name} during {share:.0}% of the time (limit {limit}%)"
                )));
            }
        }
        Ok(None)
    }
}

impl Pace for Brake {
    fn wait(&self, cx: &Cx) -> Result<()> {
        // One waits for all threads of the run: the others are held here.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let longest = self.pause.longest;
        if state.deaf
            || state.waited >= longest
            || state.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY)
        {
            return Ok(());
        }
        let begun = Instant::now();
        let mut told = false;
        loop {
            state.looked = Some(Instant::now());
            let left = longest.saturating_sub(state.waited + begun.elapsed());
            match self.above() {
                Err(error) => {
                    state.deaf = true;
                    cx.warn(format!("limits.pause_under_load is not in force: {error}"));
                    break;
                }
                Ok(None) => break,
                Ok(Some(_)) if left.is_zero() || cx.is_hurried() => break,
                Ok(Some(why)) => {
                    if !told {
                        cx.note(format!("waiting: {why}"));
                    }
                    told = true;
                    cx.go_on()?;
                    std::thread::sleep(LOOK_EVERY.min(left));
                }
            }
        }
        if told {
            state.waited += begun.elapsed();
            let over = if state.waited >= longest { ", and waits no more in this run" } else { "" };
            cx.note(format!("goes on after {:.0} s{over}", begun.elapsed().as_secs_f64()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::event::Cancel;

    fn brake(directory: &Path, longest: Duration) -> Brake {
        let above = vec![(Resource::Cpu, 60), (Resource::Memory, 10)];
        Brake { pause: Pause { above, longest, directory: directory.to_owned() }, state: Mutex::default() }
    }

    fn say(directory: &Path, cpu: &str, memory: &str) {
        for (name, share) in [("cpu", cpu), ("memory", memory)] {
            fs::write(directory.join(name), format!("some avg10={share} avg60=0 avg300=0 total=1\n"))
                .unwrap();
        }
    }

    #[test]
    fn a_run_waits_while_others_do_and_tells_it() {
        let directory = tempfile::tempdir().unwrap();
        say(directory.path(), "59.99", "0.00");
        let cx = Cx::silent();
        let brake = brake(directory.path(), Duration::from_mins(1));
        let begun = Instant::now();
        brake.wait(&cx).unwrap();
        assert!(begun.elapsed() < Duration::from_millis(500) && cx.state().notes.is_empty());

        say(directory.path(), "10.00", "10.50");
        let place = directory.path().to_owned();
        let calm = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(1500));
            say(&place, "10.00", "1.00");
        });
        std::thread::sleep(LOOK_EVERY);
        brake.wait(&cx).unwrap();
        calm.join().unwrap();
        let notes = cx.state().notes;
        assert!(notes[0].contains("wait for memory during 10%"), "{notes:?}");
        assert!(notes[1].starts_with("goes on after"), "{notes:?}");
    }

    #[test]
    fn it_waits_no_longer_than_it_may_and_not_at_all_in_a_hurry() {
        let directory = tempfile::tempdir().unwrap();
        say(directory.path(), "99.00", "0.00");
        let cx = Cx::silent();
        cx.set_pace(Box::new(brake(directory.path(), Duration::from_millis(1200))));
        cx.hurry(true);
        let begun = Instant::now();
        cx.go_on_at_pace().unwrap();
        assert!(begun.elapsed() < Duration::from_millis(500));
        cx.hurry(false);
        cx.go_on_at_pace().unwrap();
        let took = begun.elapsed();
        assert!((Duration::from_millis(1200)..Duration::from_secs(5)).contains(&took), "{took:?}");
        std::thread::sleep(LOOK_EVERY);
        let begun = Instant::now();
        cx.go_on_at_pace().unwrap();
        assert!(begun.elapsed() < Duration::from_millis(500), "it waited again");
    }

    #[test]
    fn a_cancel_ends_the_wait_and_a_silent_kernel_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        say(directory.path(), "99.00", "0.00");
        let cancel = Cancel::default();
        let cx = Cx::new("test", cancel.clone(), Vec::new());
        cancel.cancel();
        assert!(brake(directory.path(), Duration::from_mins(1)).wait(&cx).is_err());

        let cx = Cx::silent();
        let deaf = brake(&directory.path().join("nothing"), Duration::from_mins(1));
        deaf.wait(&cx).unwrap();
        deaf.wait(&cx).unwrap();
        assert_eq!(cx.state().warning_count, 1);
    }
}
