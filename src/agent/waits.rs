//! What a site has to wait for: hours in which nothing begins, and the next try to put it right.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config::Config;
use crate::error::Result;
use crate::schedule::agenda::back_off;
use crate::schedule::window::{Window, open_from};

/// Hours in which nothing begins, whoever asks: also what makes up for the past, a further try, or a request.
pub(super) struct Forbidden {
    windows: Vec<Window>,
    zone: TimeZone,
}

impl Forbidden {
    pub(super) fn of(config: &Config) -> Result<Self> {
        Ok(Self { windows: config.schedule.not_during.clone(), zone: config.schedule_zone()? })
    }

    /// Their end, if it is such an hour now.
    pub(super) fn until(&self, now: Timestamp) -> Option<Timestamp> {
        // Without an end in sight it is looked at again.
        let later = now.checked_add(SignedDuration::from_hours(1)).unwrap_or(now);
        Some(open_from(&self.windows, now, SignedDuration::ZERO, &self.zone).unwrap_or(later))
            .filter(|open| *open > now)
    }
}

/// The last try to put right what a run left that died.
pub(super) struct Rescue {
    pub(super) run: String,
    pub(super) at: Timestamp,
    pub(super) tries: u32,
}

impl Rescue {
    /// Whether it still goes on, or another try would come too soon: each of them is a run in the history, which has an end.
    pub(super) fn waits(&self, at_hand: &BTreeSet<String>, now: Timestamp) -> bool {
        let pause = back_off(self.tries, Duration::from_mins(1), Duration::from_mins(30));
        at_hand.contains(&self.run) || now.duration_since(self.at).abs() < pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_hours_have_their_end() {
        let windows = ["mon-fri 08:00-18:00", "18:00-19:00"].map(|text| text.parse().unwrap()).to_vec();
        let forbidden = Forbidden { windows, zone: TimeZone::UTC };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(forbidden.until(at("2026-11-25T10:00:00Z")), Some(at("2026-11-25T19:00:00Z")));
        assert_eq!(forbidden.until(at("2026-11-25T19:00:00Z")), None);
        assert_eq!(forbidden.until(at("2026-11-28T10:00:00Z")), None, "a Saturday");
        let always = Forbidden { windows: vec!["00:00-24:00".parse().unwrap()], zone: TimeZone::UTC };
        assert_eq!(always.until(at("2026-11-25T10:00:00Z")), Some(at("2026-11-25T11:00:00Z")));
    }

    #[test]
    fn what_waits_in_the_queue_is_not_ordered_again() {
        let begun = Timestamp::UNIX_EPOCH;
        let later = |minutes| begun + SignedDuration::from_mins(minutes);
        let rescue = Rescue { run: "a".to_owned(), at: begun, tries: 2 };
        assert!(rescue.waits(&BTreeSet::from(["a".to_owned()]), later(600)));
        assert!(rescue.waits(&BTreeSet::new(), later(1)));
        assert!(!rescue.waits(&BTreeSet::new(), later(2)));
    }
}
