//! A moment as people read it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// On the clocks of a zone, which is named; to the second. As such it can be typed where a snapshot is asked for.
pub fn local_time(moment: Timestamp, zone: &TimeZone) -> String {
    moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}
