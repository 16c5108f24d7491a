//! Notices that the clock was set, or that the machine slept.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Less than this is the daily work of a time server.
const JUMP: SignedDuration = SignedDuration::from_secs(30);

pub(super) struct Clock {
    wall: Timestamp,
    steady: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { wall: Timestamp::now(), steady: Instant::now() }
    }

    /// The time now, and by how much it went farther than a steady clock since the last look, if that is much.
    pub(super) fn look(&mut self) -> (Timestamp, Option<SignedDuration>) {
        let (now, steady) = (Timestamp::now(), Instant::now());
        let jump = jump(now.duration_since(self.wall), steady.duration_since(self.steady));
        *self = Self { wall: now, steady };
        (now, jump)
    }
}

fn jump(wall: SignedDuration, steady: Duration) -> Option<SignedDuration> {
    let by = wall - SignedDuration::try_from(steady).unwrap_or(SignedDuration::MAX);
    (by.abs() >= JUMP).then_some(by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_by_much_is_a_jump() {
        let minute = Duration::from_mins(1);
        assert_eq!(jump(SignedDuration::from_secs(61), minute), None);
        assert_eq!(jump(SignedDuration::from_secs(3660), minute), Some(SignedDuration::from_hours(1)));
        assert_eq!(jump(SignedDuration::from_secs(-3540), minute), Some(SignedDuration::from_hours(-1)));
    }
}
