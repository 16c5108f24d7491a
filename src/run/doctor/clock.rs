//! The clocks of this node and of the storage.

use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};

use super::Finding;
use crate::error::Result;
use crate::repo::Snapshot;
use crate::run::Job;
use crate::sys::fs::private_file;

/// File systems keep times to the second at worst.
const EXACT: Duration = Duration::from_secs(2);
/// Others see our locks, and we theirs, as this much older or younger than they are; they are stale after half an hour.
const BAD: Duration = Duration::from_mins(10);

const REMEDY: &str = "have both set by NTP (`timedatectl set-ntp true`)";

/// Asks the storage for its time by a file that is written there.
pub(super) fn storage(name: &str, root: &Path) -> Finding {
    let what = "clock";
    let finding = match apart(root) {
        Err(error) => Finding::of(what, Err(error)),
        Ok(apart) if apart <= EXACT => Finding::ok(what, "agrees with the storage's"),
        Ok(apart) => {
            let text = format!("differs by {:.0} s from the storage's", apart.as_secs_f64());
            if apart >= BAD {
                Finding::error(what, text, REMEDY)
            } else {
                Finding::warning(what, text, REMEDY)
            }
        }
    };
    finding.at(name)
}

fn apart(root: &Path) -> Result<Duration> {
    let path = root.join(format!(".lifeboat-clock-{}", std::process::id()));
    // Of one that had our number and was killed.
    drop(std::fs::remove_file(&path));
    let before = SystemTime::now();
    let written = private_file(&path).and_then(|file| {
        file.sync_all()?;
        file.metadata()?.modified()
    });
    drop(std::fs::remove_file(&path));
    let (written, after) = (written?, SystemTime::now());
    let early = before.duration_since(written).unwrap_or_default();
    Ok(early.max(written.duration_since(after).unwrap_or_default()))
}

/// A snapshot that is of the future says that a clock is, or was, wrong; rotation removes nothing then.
pub(super) fn future(job: &Job, snapshots: &[Snapshot]) -> Option<Finding> {
    let newest = snapshots.iter().max_by_key(|snapshot| snapshot.time)?;
    let ahead = Timestamp::now().duration_until(newest.time);
    (ahead > SignedDuration::from_mins(1)).then(|| {
        Finding::warning(
            "time of snapshots",
            format!(
                "snapshot {} is of {}, which is to come: a clock was set back, or was wrong then. Rotation removes nothing meanwhile",
                newest.short_id(),
                job.local(newest.time)
            ),
            "set the clock right; if it is, `lifeboat forget --force` accepts what is there",
        )
        .at(newest.short_id())
    })
}
