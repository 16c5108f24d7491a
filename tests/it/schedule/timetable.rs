//! What is due, compared with every minute of five years in zones that change their clocks in every way there is.

use std::time::Duration;

use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use lifeboat::schedule::{Timetable, share_of_jitter};

/// An hour, half an hour, none with a half-hour offset, and rules that were changed or given up in these years.
pub(crate) const ZONES: [&str; 6] = [
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Asia/Amman",
    "America/Mexico_City",
    "Africa/Casablanca",
];

pub(crate) const FIRST: DateTime = date(2021, 1, 1).at(0, 0, 0, 0);
pub(crate) const LAST: DateTime = date(2026, 1, 1).at(0, 0, 0, 0);

pub(crate) fn timetable(cron: &str, zone: &str) -> Timetable {
    Timetable {
        crons: vec![cron.parse().unwrap()],
        zone: TimeZone::get(zone).unwrap(),
        delay: SignedDuration::ZERO,
        not_during: Vec::new(),
        from: None,
        to: None,
    }
}

fn nominals(timetable: &Timetable, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    timetable.iter(from).map(|next| next.nominal).take_while(|nominal| *nominal < to).collect()
}

/// Every minute that there was, with what the clock on the wall showed, once in real order.
fn minutes(zone: &TimeZone) -> Vec<(Timestamp, DateTime)> {
    let (first, last) = (zone.to_timestamp(FIRST).unwrap(), zone.to_timestamp(LAST).unwrap());
    let count = last.duration_since(first).as_secs() / 60;
    let minute = |number| first.checked_add(SignedDuration::from_mins(number)).unwrap();
    (1..count).map(minute).map(|at| (at, zone.to_datetime(at))).collect()
}

#[test]
fn a_time_of_the_day_comes_once_a_day_whatever_the_clocks_do() {
    let mut odd = 0;
    for zone in ZONES {
        let minutes = minutes(&TimeZone::get(zone).unwrap());
        // The first minute at or after each wall time of each day; the clock never shows a time twice for this.
        for (hour, minute) in [(0, 0), (1, 45), (2, 0), (2, 10), (2, 30), (3, 0), (23, 59)] {
            let timetable = timetable(&format!("{minute} {hour} * * *"), zone);
            let mut expected = Vec::new();
            let mut day = None;
            for pair in minutes.windows(2) {
                let [(_, before), (at, shown)] = pair else { unreachable!() };
                let wanted = shown.date().at(hour, minute, 0, 0);
                let reached = *shown >= wanted && (*before < wanted || before.date() < shown.date());
                if reached && day != Some(shown.date()) {
                    day = Some(shown.date());
                    odd += u32::from(*shown != wanted);
                    expected.push(*at);
                }
            }
            let got = nominals(&timetable, minutes[0].0, minutes.last().unwrap().0 + 1.second());
            assert_eq!(got, expected, "{zone} {hour}:{minute}");
        }
    }
    assert!(odd > 20, "only {odd} times fell into a gap: the zones do not show what they are to show");
}

#[test]
fn what_repeats_follows_the_clock_through_both_changes() {
    for zone in ZONES {
        let minutes = minutes(&TimeZone::get(zone).unwrap());
        for (cron, every) in [("*/15 * * * *", 15_i8), ("0 * * * *", 60)] {
            let expected: Vec<_> = minutes
                .iter()
                .skip(1)
                .filter(|(_, shown)| shown.minute() % every == 0)
                .map(|(at, _)| *at)
                .collect();
            let got = nominals(&timetable(cron, zone), minutes[0].0, minutes.last().unwrap().0 + 1.second());
            assert_eq!(got.len(), expected.len(), "{zone} {cron}");
            assert_eq!(got, expected, "{zone} {cron}");
        }
    }
}

#[test]
fn two_day_fields_are_a_union_and_names_are_understood() {
    let got = nominals(
        &timetable("0 12 13 jan,feb fri", "UTC"),
        "2026-01-01T00:00:00Z".parse().unwrap(),
        "2026-03-01T00:00:00Z".parse().unwrap(),
    );
    let days: Vec<_> = got.iter().map(|at| at.strftime("%m-%d").to_string()).collect();
    assert_eq!(
        days,
        ["01-02", "01-09", "01-13", "01-16", "01-23", "01-30", "02-06", "02-13", "02-20", "02-27"]
    );
}

#[test]
fn what_comes_due_in_forbidden_hours_waits_for_their_end() {
    let mut timetable = timetable("0 * * * *", "Europe/Berlin");
    timetable.not_during = vec!["mon-fri 08:00-18:00".parse().unwrap(), "22:00-02:00".parse().unwrap()];
    let start = timetable.zone.to_timestamp(date(2026, 11, 27).at(6, 30, 0, 0)).unwrap();
    let shown: Vec<_> = timetable
        .iter(start)
        .map(|next| next.due.to_zoned(timetable.zone.clone()).strftime("%a %H:%M").to_string())
        .take(22)
        .collect();
    let mut once = shown.clone();
    once.dedup();
    assert_eq!(
        once,
        [
            "Fri 07:00",
            "Fri 18:00",
            "Fri 19:00",
            "Fri 20:00",
            "Fri 21:00",
            "Sat 02:00",
            "Sat 03:00",
            "Sat 04:00"
        ]
    );
    // All of those that waited are one run.
    let six = timetable.zone.to_timestamp(date(2026, 11, 27).at(18, 0, 0, 0)).unwrap();
    let due = timetable.due_by(start + 1.hour(), six).unwrap();
    assert_eq!(due.count, 11);
    assert_eq!(timetable.due_by(due.nominal, six), None);
}

#[test]
fn a_window_over_a_change_of_the_clocks_ends() {
    for zone in ZONES {
        let mut timetable = timetable("*/10 * * * *", zone);
        timetable.not_during = vec!["01:00-02:15".parse().unwrap()];
        let first = timetable.zone.to_timestamp(FIRST).unwrap();
        let last = timetable.zone.to_timestamp(LAST).unwrap();
        let mut former = first;
        for next in timetable.iter(first).take_while(|next| next.due < last) {
            assert!(next.due >= former && next.due >= next.nominal, "{zone}: {next:?}");
            assert!(next.due.duration_since(former) <= SignedDuration::from_hours(3), "{zone}: {next:?}");
            let shown = timetable.zone.to_datetime(next.due).time();
            let inside = (jiff::civil::time(1, 0, 0, 0)..jiff::civil::time(2, 15, 0, 0)).contains(&shown);
            assert!(!inside, "{zone}: {shown} lies in the window");
            former = next.due;
        }
    }
}

#[test]
fn activation_has_a_first_and_a_last_moment() {
    let mut timetable = timetable("0 0 * * *", "Europe/Berlin");
    let day = |day| timetable.zone.to_timestamp(date(2026, 12, day).at(0, 0, 0, 0)).unwrap();
    let (from, to) = (day(5), day(8));
    (timetable.from, timetable.to) = (Some(from), Some(to));
    let got: Vec<_> = timetable.iter(day(1)).map(|next| next.nominal).collect();
    assert_eq!(got, [day(5), day(6), day(7)]);
}

#[test]
fn jitter_is_stable_and_spreads() {
    let ten = Duration::from_mins(10);
    let share = |site: &str| share_of_jitter(ten, site, "backup");
    assert_eq!(share("shop"), share("shop"));
    let mut shares: Vec<_> = (0..1000).map(|number| share(&format!("site{number}")).as_secs()).collect();
    assert!(shares.iter().all(|share| (0..600).contains(share)));
    shares.sort_unstable();
    shares.dedup();
    assert!(shares.len() > 400, "{} different shares", shares.len());
    assert_eq!(share_of_jitter(Duration::ZERO, "shop", "backup"), SignedDuration::ZERO);
}
