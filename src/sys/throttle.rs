//! A bound on bytes a second, over all threads that share it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What may go at once after a pause.
const BURST: Duration = Duration::from_millis(200);

/// Hands out time instead of tokens: whoever pays is told how long to wait for his turn.
pub struct Throttle {
    bytes_per_second: f64,
    /// When everything that was paid for so far has passed.
    free_at: Mutex<Option<Instant>>,
}

impl Throttle {
    #[allow(clippy::cast_precision_loss)] // nobody has such a network
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1) as f64, free_at: Mutex::default() }
    }

    /// How long to wait, from `now` on, for so many bytes to be within the bound.
    #[allow(clippy::cast_precision_loss)]
    pub fn pay(&self, bytes: u64, now: Instant) -> Duration {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = free_at.map_or(now, |at| at.max(now));
        let end = begin + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        *free_at = Some(end);
        (end - now).saturating_sub(BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_paid_for_adds_up_and_pauses_do_not() {
        let (throttle, now) = (Throttle::new(1000), Instant::now());
        assert_eq!(throttle.pay(100, now), Duration::ZERO);
        assert_eq!(throttle.pay(1000, now), Duration::from_millis(900));
        assert_eq!(throttle.pay(500, now), Duration::from_millis(1400));
        // An hour of silence is no credit.
        let later = now + Duration::from_hours(1);
        assert_eq!(throttle.pay(1000, later), Duration::from_millis(800));
    }
}
