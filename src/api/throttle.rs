//! Who guesses waits longer and longer; who asks too often waits a moment.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens from one place that cost nothing: people mistype.
const FREE: u32 = 5;
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);

/// A place that was quiet for so long has a clean record.
const FORGET: Duration = Duration::from_mins(30);

/// Places that are remembered; beyond it the oldest are forgotten.
const PLACES: usize = 4096;

/// Requests that one token may have at once, and how many more each second.
const BURST: f64 = 5000.0;
const EACH_SECOND: f64 = 1000.0;

#[derive(Default)]
pub(super) struct Throttle {
    failures: Mutex<HashMap<String, Failures>>,
    buckets: Mutex<HashMap<String, Bucket>>,
}

struct Failures {
    count: u32,
    last: Instant,
}

struct Bucket {
    left: f64,
    at: Instant,
}

impl Throttle {
    /// How long this place still has to wait because of wrong tokens.
    pub(super) fn must_wait(&self, place: &str, now: Instant) -> Option<Duration> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let known = failures.get(place)?;
        let pause = pause(known.count)?;
        pause.checked_sub(now.duration_since(known.last)).filter(|left| !left.is_zero())
    }

    pub(super) fn failed(&self, place: &str, now: Instant) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, known| now.duration_since(known.last) < FORGET);
        if failures.len() >= PLACES
            && let Some(oldest) =
                failures.iter().min_by_key(|(_, known)| known.last).map(|(place, _)| place.clone())
        {
            failures.remove(&oldest);
        }
        let known = failures.entry(place.to_owned()).or_insert(Failures { count: 0, last: now });
        known.count = known.count.saturating_add(1);
        known.last = now;
    }

    /// Whether this token may have one more request now.
    pub(super) fn allows(&self, token: &str, now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= PLACES {
            buckets.retain(|_, bucket| now.duration_since(bucket.at) < FORGET);
        }
        let bucket = buckets.entry(token.to_owned()).or_insert(Bucket { left: BURST, at: now });
        let gained = now.duration_since(bucket.at).as_secs_f64() * EACH_SECOND;
        bucket.left = (bucket.left + gained).min(BURST);
        bucket.at = now;
        let enough = bucket.left >= 1.0;
        if enough {
            bucket.left -= 1.0;
        }
        enough
    }
}

fn pause(failures: u32) -> Option<Duration> {
    let beyond = failures.checked_sub(FREE)?;
    Some(FIRST.saturating_mul(1 << beyond.min(16)).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_guesses_waits_longer_and_longer_and_alone() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for _ in 0..FREE - 1 {
            throttle.failed("here", now);
        }
        assert_eq!(throttle.must_wait("here", now), None);
        let mut former = Duration::ZERO;
        for _ in 0..6 {
            throttle.failed("here", now);
            let wait = throttle.must_wait("here", now).unwrap();
            assert!(wait > former);
            former = wait;
        }
        assert_eq!(throttle.must_wait("elsewhere", now), None);
        assert_eq!(throttle.must_wait("here", now + LONGEST), None);
        for number in 0..2 * PLACES {
            throttle.failed(&number.to_string(), now);
        }
        assert!(throttle.failures.lock().unwrap().len() <= PLACES);
    }

    #[test]
    fn requests_are_counted_by_token() {
        let throttle = Throttle::default();
        let now = Instant::now();
        let allowed = (0..9000).filter(|_| throttle.allows("one", now)).count();
        assert_eq!(allowed, 5000);
        assert!(throttle.allows("two", now));
        assert!(throttle.allows("one", now + Duration::from_millis(10)));
    }
}
