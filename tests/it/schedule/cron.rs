//! Schedules as cron writes them, and mistakes in them.

use lifeboat::schedule::cron::Cron;

fn fields(text: &str) -> [u64; 6] {
    text.parse::<Cron>().unwrap_or_else(|error| panic!("{text}: {error}")).fields()
}

#[test]
fn schedules_are_understood() {
    assert_eq!(fields("0 3 * * *"), fields("daily"));
    assert_eq!(fields("0 3 * * sun"), fields("@weekly"));
    assert_eq!(fields("0 3 * * 7"), fields("0 3 * * 0"));
    assert_eq!(fields("0 0 3 1 JAN-dec ?"), fields("monthly"));
    assert_eq!(fields("*/20 * * * *")[1], 1 | 1 << 20 | 1 << 40);
    assert_eq!(fields("5/20,7 1-3/2 * * *")[1..3], [1 << 5 | 1 << 25 | 1 << 45 | 1 << 7, 1 << 1 | 1 << 3]);
    assert_eq!(fields("0 0 * * fri-7")[5], 1 << 5 | 1 << 6 | 1);
}

#[test]
fn mistakes_are_named() {
    for (text, expected) in [
        ("", "has 0 fields; a schedule has five, or six with seconds in front"),
        ("often", "\"often\" is neither five fields nor hourly, daily, weekly or monthly"),
        ("0 3 * *", "has 4 fields; a schedule has five, or six with seconds in front"),
        ("60 3 * * *", "\"60\" is no minute (0 to 59)"),
        ("0 24 * * *", "\"24\" is no hour (0 to 23)"),
        ("0 3 0 * *", "\"0\" is no day of the month (1 to 31)"),
        ("0 3 * foo *", "\"foo\" is no month (1 to 12)"),
        ("0 5-3 * * *", "\"5-3\" runs backwards in the hour"),
        ("*/0 * * * *", "\"0\" is no step for the minute"),
        ("+1 * * * *", "\"+1\" is no minute (0 to 59)"),
        ("0 3 31 feb,apr *", "names a day that none of its months has, so it would never run"),
    ] {
        assert_eq!(text.parse::<Cron>().expect_err(text), expected);
    }
}
