//! Moments as people type them, read at a fixed now.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lifeboat::schedule::Wanted;
use proptest::prelude::*;

/// Saturday.
const NOW: &str = "2026-11-21T08:30:00Z";

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn parse(text: &str) -> Wanted {
    Wanted::parse(text, NOW.parse().unwrap(), &berlin()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn moment(text: &str) -> (Timestamp, String, Option<String>) {
    match parse(text) {
        Wanted::AtOrBefore { ts, said, note } => (ts, said, note),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn moments_are_found() {
    for (text, expected) in [
        ("now", "2026-11-21T08:30:00Z"),
        ("2026-11-20 03:00", "2026-11-20T02:00:59.999999999Z"),
        ("2026-11-20 03:00:05", "2026-11-20T02:00:05.999999999Z"),
        ("2026-11-20 03:00:05.25", "2026-11-20T02:00:05.25Z"),
        ("2026-11-20T03:00:00Z", "2026-11-20T03:00:00.999999999Z"),
        ("2026-11-20t03:00:00.5z", "2026-11-20T03:00:00.5Z"),
        ("2026-11-20T03:00:00.000+05:30", "2026-11-19T21:30:00Z"),
        ("2026-11-20 03:00 -0800", "2026-11-20T11:00:59.999999999Z"),
        ("2026-11-20 03:00+01", "2026-11-20T02:00:59.999999999Z"),
        ("2026-11-20 03:00 America/New_York", "2026-11-20T08:00:59.999999999Z"),
        ("2026-11-20 03:00[asia/tokyo]", "2026-11-19T18:00:59.999999999Z"),
        ("2026-11-20 03:00 UTC", "2026-11-20T03:00:59.999999999Z"),
        ("2026-11-20T03:00:00+09:00[Asia/Tokyo]", "2026-11-19T18:00:00.999999999Z"),
        ("Fri 2026-11-20 03:00", "2026-11-20T02:00:59.999999999Z"),
        ("2026-11-20", "2026-11-20T22:59:59.999999999Z"),
        ("yesterday", "2026-11-20T22:59:59.999999999Z"),
        ("yesterday 03:00", "2026-11-20T02:00:59.999999999Z"),
        ("Yesterday at 03:00", "2026-11-20T02:00:59.999999999Z"),
        ("today 08:30", "2026-11-21T07:30:59.999999999Z"),
        ("3 days ago", "2026-11-18T08:30:00Z"),
        ("2h ago", "2026-11-21T06:30:00Z"),
        ("1d 2h ago", "2026-11-20T06:30:00Z"),
        ("an hour ago", "2026-11-21T07:30:00Z"),
        ("1 month ago", "2026-10-21T07:30:00Z"),
        ("friday 03:00", "2026-11-20T02:00:59.999999999Z"),
        ("saturday 03:00", "2026-11-21T02:00:59.999999999Z"),
        ("saturday 23:00", "2026-11-14T22:00:59.999999999Z"),
        ("last saturday 03:00", "2026-11-14T02:00:59.999999999Z"),
        ("mon 12:00", "2026-11-16T11:00:59.999999999Z"),
    ] {
        let (ts, said, note) = moment(text);
        assert_eq!(ts, expected.parse().unwrap(), "{text}");
        assert!(said.contains("UTC"), "{text}: {said}");
        assert_eq!(note, None, "{text}");
    }
    assert_eq!(moment("2026-11-20 03:00").1, "Fri 2026-11-20 03:00:59 Europe/Berlin (UTC+01)");
    assert_eq!(moment("2026-11-20").1, "the end of Fri 2026-11-20 Europe/Berlin (UTC+01)");
}

#[test]
fn a_time_that_comes_twice_is_the_first_and_says_so() {
    let (ts, _, note) = moment("2026-10-25 02:30");
    assert_eq!(ts, "2026-10-25T00:30:59.999999999Z".parse().unwrap());
    assert_eq!(
        note.unwrap(),
        "02:30 came twice on 2026-10-25 in Europe/Berlin, at UTC+02 and at UTC+01; the first is meant (write 02:30+01 for the second)"
    );
    assert_eq!(moment("2026-10-25 02:30+01").0, "2026-10-25T01:30:59.999999999Z".parse().unwrap());
}

#[test]
fn a_time_that_does_not_exist_is_the_change_and_says_so() {
    let (ts, _, note) = moment("2026-03-29 02:30");
    assert_eq!(ts, "2026-03-29T01:00:00Z".parse().unwrap());
    assert_eq!(
        note.unwrap(),
        "02:30 did not exist on 2026-03-29 in Europe/Berlin: the clocks went forward to 03:00, and that moment is meant"
    );
    let santiago = TimeZone::get("America/Santiago").unwrap();
    let wanted = Wanted::parse("2026-09-05", NOW.parse().unwrap(), &santiago).unwrap();
    let Wanted::AtOrBefore { ts, .. } = wanted else { panic!("{wanted:?}") };
    assert_eq!(ts, "2026-09-06T03:59:59.999999999Z".parse().unwrap(), "the next day has no midnight");
}

#[test]
fn the_future_is_worth_a_word() {
    assert!(moment("2027-01-01 03:00").2.unwrap().contains("still to come"));
}

#[test]
fn latest_and_ids() {
    assert_eq!(parse(" Latest "), Wanted::Latest);
    assert_eq!(parse("4F3A9c01"), Wanted::Id("4f3a9c01".to_owned()));
    assert_eq!(parse("20261120"), Wanted::Id("20261120".to_owned()), "a date has dashes");
}

#[test]
fn what_cannot_be_read_is_said() {
    for (text, expected) in [
        ("", "cannot read \"\" as a moment or a snapshot id"),
        ("4f3a9c", "cannot read \"4f3a9c\" as a moment or a snapshot id"),
        ("2026-02-30", "cannot use \"2026-02-30\" as a moment: there is no such day"),
        ("Mon 2026-11-20 03:00", "cannot use \"Mon 2026-11-20 03:00\" as a moment: 2026-11-20 is a friday"),
        ("2026-11-20 24:00", "cannot read \"2026-11-20 24:00\" as a moment or a snapshot id"),
        ("2026-11-20 03:00 CEST", "cannot read \"cest\" as a time zone"),
        ("2026-11-20 03:00 +1:0", "cannot read \"+1:0\" as a time zone"),
        ("3 ago", "cannot read \"3 ago\" as a moment or a snapshot id"),
        ("3 days", "cannot read \"3 days\" as a moment or a snapshot id"),
        ("99999999999 days ago", "cannot read \"99999999999 days ago\" as a moment or a snapshot id"),
    ] {
        let error = Wanted::parse(text, NOW.parse().unwrap(), &berlin()).expect_err(text);
        assert_eq!(error.to_string(), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_typed_does_no_harm(text in ".{0,40}") {
        let _ = Wanted::parse(&text, NOW.parse().unwrap(), &berlin());
    }

    #[test]
    fn what_a_list_shows_finds_its_snapshot(seconds in 1_600_000_000_i64..1_900_000_000, nanoseconds in 0_i32..1_000_000_000) {
        let taken = Timestamp::new(seconds, nanoseconds).unwrap();
        let shown = taken.to_zoned(berlin()).strftime("%Y-%m-%d %H:%M:%S%:z").to_string();
        let Wanted::AtOrBefore { ts, .. } = Wanted::parse(&shown, NOW.parse().unwrap(), &berlin()).unwrap() else {
            return Err(TestCaseError::fail("no moment"));
        };
        prop_assert!(taken <= ts && ts.as_second() == taken.as_second());
    }
}
