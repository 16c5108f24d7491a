//! Tags that hold a snapshot back from every rule, for good or until a moment; stock restic shows them like any other.

use jiff::Timestamp;

/// Snapshots with one of these tags are never removed by a rule, and take nobody's place.
const FOR_GOOD: [&str; 3] = ["keep", "pre-restore", "pin"];

const UNTIL: &str = "pin-until=";

/// How long something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pin {
    Until(Timestamp),
    ForGood,
}

impl Pin {
    pub fn tag(self) -> String {
        match self {
            Self::ForGood => "pin".to_owned(),
            // Restic separates tags by commas; this text has none.
            Self::Until(end) => format!("{UNTIL}{}", end.strftime("%Y-%m-%dT%H:%M:%SZ")),
        }
    }

    /// The tag that holds longest, and its meaning.
    pub fn of(tags: &[String]) -> Option<(&str, Self)> {
        tags.iter().filter_map(|tag| Some((tag.as_str(), Self::read(tag)?))).max_by_key(|(_, pin)| *pin)
    }

    /// The one that holds a snapshot at a moment.
    pub(super) fn holding(tags: &[String], now: Timestamp) -> Option<(&str, Self)> {
        Self::of(tags).filter(|(_, pin)| *pin > Self::Until(now))
    }

    /// Whether a tag is one that `pin` sets, and `unpin` takes away; `keep` is a person's own.
    pub fn is_ours(tag: &str) -> bool {
        tag == "pin" || tag.starts_with(UNTIL)
    }

    /// Whoever wrote an end that cannot be read wanted to keep the snapshot.
    fn read(tag: &str) -> Option<Self> {
        match tag.strip_prefix(UNTIL) {
            Some(end) => Some(end.parse().map_or(Self::ForGood, Self::Until)),
            None => FOR_GOOD.contains(&tag).then_some(Self::ForGood),
        }
    }
}
