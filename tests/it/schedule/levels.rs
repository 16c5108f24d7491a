//! Levels: Backtor's documented examples, and calendars with their edges.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use lifeboat::schedule::cron::Cron;
use lifeboat::schedule::{Candidate, Elect, Level, Levels, Retention, Rule, Within, decide, derived_cron};

use super::retention::snapshot;

/// `hourly 6, daily 0@3` as a policy.
fn policy(text: &str) -> Retention {
    let mut levels = Levels::default();
    for part in text.split(", ") {
        let (name, elect) = part.split_once(' ').unwrap();
        let level = Level::ALL.into_iter().find(|level| level.name() == name).unwrap();
        levels = levels.with(level, Elect::parse(level, elect).unwrap());
    }
    Retention { levels, ..Retention::default() }
}

const BACKTOR: &str = "minutely 0@L, hourly 0@L, daily 4@L, weekly 4@L, monthly 3@L, yearly 2@L";

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

/// Snapshots at every `step` from one local time to another, named by their local times.
fn every(step: Span, from: &str, to: &str, zone: &TimeZone) -> Vec<Candidate> {
    let (from, to): (jiff::civil::DateTime, jiff::civil::DateTime) =
        (from.parse().unwrap(), to.parse().unwrap());
    from.series(step).take_while(|at| *at <= to).map(|at| one(at, zone)).collect()
}

fn one(at: jiff::civil::DateTime, zone: &TimeZone) -> Candidate {
    let time = zone.to_timestamp(at).unwrap();
    Candidate { time, ..snapshot(&at.strftime("%Y-%m-%d %H:%M:%S").to_string(), 0, true, "shop", &[]) }
}

/// What stays right after the newest one, and for what, newest first.
fn stay(all: &[Candidate], policy: &Retention, zone: &TimeZone) -> Vec<(String, String)> {
    let now = all.iter().map(|one| one.time).max().unwrap();
    let verdicts = decide(all, policy, "shop", now, zone);
    verdicts.into_iter().filter(|verdict| verdict.keep).map(|verdict| (verdict.id, verdict.reason)).collect()
}

fn days(stay: &[(String, String)]) -> Vec<&str> {
    stay.iter().map(|(id, _)| &id[..10]).collect()
}

/// "Four of these daily ones, at the last day of the week, at the last day of the month, at the last day of the last month."
#[test]
fn backtors_defaults_keep_what_its_documentation_says() {
    let day = Span::new().days(1);
    let all = every(day, "2022-06-01T23:59:59", "2026-11-25T23:59:59", &berlin());
    let said = stay(&all, &policy(BACKTOR), &berlin());
    let said: Vec<_> = said.iter().map(|(id, reason)| (&id[..10], reason.as_str())).collect();
    assert_eq!(
        said,
        [
            // A Wednesday; so far it is also the last of its week, month and year.
            ("2026-11-25", "the newest complete snapshot"),
            ("2026-11-24", "daily 1 of 4 (2026-11-24)"),
            ("2026-11-23", "daily 2 of 4 (2026-11-23)"),
            ("2026-11-22", "weekly 1 of 4 (week 2026-W47)"),
            ("2026-11-21", "daily 3 of 4 (2026-11-21)"),
            ("2026-11-20", "daily 4 of 4 (2026-11-20)"),
            ("2026-11-15", "weekly 2 of 4 (week 2026-W46)"),
            ("2026-11-08", "weekly 3 of 4 (week 2026-W45)"),
            ("2026-11-01", "weekly 4 of 4 (week 2026-W44)"),
            ("2026-10-31", "monthly 1 of 3 (2026-10)"),
            ("2026-09-30", "monthly 2 of 3 (2026-09)"),
            ("2026-08-31", "monthly 3 of 3 (2026-08)"),
            ("2025-12-31", "yearly 2 of 2 (2025)"),
        ]
    );
}

/// "7 backups will be kept. On the 8th day, the first backup will be deleted."
#[test]
fn backtors_simple_daily_backups() {
    let simple = policy("daily 7");
    let day = Span::new().days(1);
    let first_week = every(day, "2026-11-20T23:59:59", "2026-11-26T23:59:59", &berlin());
    assert_eq!(stay(&first_week, &simple, &berlin()).len(), 7);
    let eight = every(day, "2026-11-20T23:59:59", "2026-11-27T23:59:59", &berlin());
    let stays = stay(&eight, &simple, &berlin());
    assert_eq!((stays.len(), days(&stays).contains(&"2026-11-20")), (7, false));
}

/// "Every 4 hours: hourly 6, daily 0@3": what is kept for weeks and months is of the hour closest to 3.
#[test]
fn backtors_four_hours() {
    let often = policy("hourly 6, daily 0@3, weekly 4, monthly 3, yearly 2");
    let all = every(Span::new().hours(4), "2025-06-01T00:00:00", "2026-11-25T20:00:00", &berlin());
    let stays = stay(&all, &often, &berlin());
    let said: Vec<_> = stays.iter().map(|(id, _)| &id[5..16]).collect();
    assert_eq!(
        said,
        [
            "11-25 20:00",
            "11-25 16:00",
            "11-25 12:00",
            "11-25 08:00",
            "11-25 04:00",
            "11-25 00:00",
            "11-24 20:00",
            "11-22 04:00",
            "11-15 04:00",
            "11-08 04:00",
            "11-01 04:00",
            "10-31 04:00",
            "09-30 04:00",
            "08-31 04:00",
            "12-31 04:00"
        ]
    );
    assert_eq!(stays[4].1, "yearly 1 of 2 (2026)");
}

/// In Backtor a monthly one that is not weekly too is never elected, and with `1@1` the newest pushes the year's January out.
#[test]
fn what_is_not_the_last_of_its_week_counts_for_its_month_all_the_same() {
    let day = Span::new().days(1);
    let all = every(day, "2024-01-01T12:00:00", "2026-11-25T12:00:00", &berlin());
    let stays = stay(&all, &policy("weekly 2, monthly 2@15, yearly 3@1"), &berlin());
    assert_eq!(
        days(&stays),
        ["2026-11-25", "2026-11-22", "2026-11-15", "2026-10-15", "2026-01-15", "2025-01-15", "2024-01-15"]
    );
}

#[test]
fn a_reference_in_the_middle_takes_the_closest_and_of_two_the_later() {
    let all: Vec<_> = [
        "2026-10-05T10:00:00",
        "2026-10-13T10:00:00",
        "2026-10-17T10:00:00",
        "2026-10-30T10:00:00",
        "2026-11-25T00:00:00",
    ]
    .iter()
    .map(|at| one(at.parse().unwrap(), &berlin()))
    .collect();
    assert_eq!(days(&stay(&all, &policy("monthly 9@15"), &berlin())), ["2026-11-25", "2026-10-17"]);
}

/// A day is a day of the site's zone, a week is the ISO week, and the hour that comes twice is two hours.
#[test]
fn calendars_have_edges() {
    let zone = berlin();
    let at = |text: &str| Candidate { time: text.parse().unwrap(), ..snapshot(text, 0, true, "shop", &[]) };
    // 00:30 and 22:30 of one day in Berlin, on two days of UTC.
    let all = [at("2026-11-20T23:30:00Z"), at("2026-11-21T21:30:00Z"), at("2026-11-25T12:00:00Z")];
    assert_eq!(stay(&all, &policy("daily 9"), &zone).len(), 2);
    assert_eq!(stay(&all, &policy("daily 9"), &TimeZone::UTC).len(), 3);
    // 02:30 summer time, and 02:30 winter time; 02:45 is of the same hour as the second one.
    let twice = [
        at("2026-10-25T00:30:00Z"),
        at("2026-10-25T01:30:00Z"),
        at("2026-10-25T01:45:00Z"),
        at("2026-11-25T12:00:00Z"),
    ];
    let stays = stay(&twice, &policy("hourly 9"), &zone);
    assert_eq!(days(&stays).len(), 3);
    assert!(!stays.iter().any(|(id, _)| id == "2026-10-25T01:30:00Z"));
    // 2027-01-03 is a Sunday of 2026-W53, and Monday begins the next week.
    let turn = every(Span::new().days(1), "2026-12-28T12:00:00", "2027-01-04T12:00:00", &zone);
    let stays = stay(&turn, &policy("weekly 9"), &zone);
    assert_eq!(stays.len(), 2);
    assert_eq!(stays[1], ("2027-01-03 12:00:00".to_owned(), "weekly 2 of 9 (week 2026-W53)".to_owned()));
}

/// What a year has no room for any more is kept by its month, and its neighbours are not taken in its place.
#[test]
fn what_a_coarse_level_lets_go_is_not_lost_to_the_finer_ones() {
    let month = Span::new().months(1);
    let mut all = every(month, "2024-01-31T12:00:00", "2026-12-31T12:00:00", &berlin());
    let rules = policy("monthly 30, yearly 1");
    for _ in 0..3 {
        let now = Timestamp::constant(1_900_000_000, 0);
        let verdicts = decide(&all, &rules, "shop", now, &berlin());
        all.retain(|one| verdicts.iter().any(|verdict| verdict.id == one.id && verdict.keep));
        assert_eq!(all.len(), 31);
    }
}

#[test]
fn within_goes_by_the_calendar() {
    let zone = berlin();
    let within = |text: &str, at: &str| {
        let at: Timestamp = at.parse().unwrap();
        text.parse::<Within>().unwrap().before(at, &zone).to_string()
    };
    assert_eq!(within("1d", "2026-03-29T12:00:00Z"), "2026-03-28T13:00:00Z");
    assert_eq!(within("24h", "2026-03-29T12:00:00Z"), "2026-03-28T12:00:00Z");
    assert_eq!(within("1m", "2026-03-31T12:00:00Z"), "2026-02-28T13:00:00Z");
    assert_eq!(within("2y5m7d3h", "2026-11-25T12:00:00Z"), "2024-06-18T08:00:00Z");
    assert_eq!("7d3h2y5m".parse::<Within>().unwrap().to_string(), "2y5m7d3h");
    for wrong in ["", "d", "7", "7w", "1d1d", "0d", "-1d", "99999d", "1d 2h", "7ä", "+7d"] {
        assert!(wrong.parse::<Within>().is_err(), "{wrong}");
    }
    let all = every(Span::new().days(1), "2026-01-01T12:00:00", "2026-11-25T12:00:00", &zone);
    let rules = Retention { keep_within: Some("1m".parse().unwrap()), ..Retention::default() };
    let stays = stay(&all, &rules, &zone);
    assert_eq!((stays.len(), days(&stays)[31]), (32, "2026-10-25"));
    assert_eq!(stays[31].1, "within 1m of the newest complete snapshot");
}

#[test]
fn levels_are_read() {
    let read = |level, text| Elect::parse(level, text).map(|elect| elect.text(level));
    assert_eq!(read(Level::Daily, "4@L").as_deref(), Ok("4@L"));
    assert_eq!(read(Level::Daily, "7").as_deref(), Ok("7@L"));
    assert_eq!(read(Level::Daily, "0@3").as_deref(), Ok("0@3"));
    assert_eq!(read(Level::Weekly, "4@SAT").as_deref(), Ok("4@6"));
    assert_eq!(read(Level::Weekly, "4@7").as_deref(), Ok("4@L"));
    assert_eq!(read(Level::Yearly, "2@jan").as_deref(), Ok("2@1"));
    for (level, text, error) in [
        (
            Level::Weekly,
            "4@0",
            "the part behind @ is no day of the week (1 is Monday) from 1 to 7, nor L for the last",
        ),
        (Level::Daily, "4@24", "the part behind @ is no hour from 0 to 23, nor L for the last"),
        (Level::Daily, "4@mon", "the part behind @ is no hour from 0 to 23, nor L for the last"),
        (Level::Daily, "-4@3", "\"-4\" is no number of snapshots from 0 to 10000"),
        (Level::Daily, "@3", "\"\" is no number of snapshots from 0 to 10000"),
        (Level::Daily, "4@", "the part behind @ is no hour from 0 to 23, nor L for the last"),
        (Level::Daily, "4@259", "the part behind @ is no hour from 0 to 23, nor L for the last"),
    ] {
        assert_eq!(read(level, text), Err(error.to_owned()), "{text}");
    }
}

/// The schedule follows from the finest level that keeps something; the last day of a month is not lost on the way.
#[test]
fn schedules_follow_from_levels() {
    for (levels, crons) in [
        (BACKTOR, &["59 59 23 * * *"][..]),
        ("minutely 10@5", &["5 * * * * *"]),
        ("hourly 6@30, minutely 0@7, daily 4", &["7 30 * * * *"]),
        ("hourly 0@15, daily 7@3", &["59 15 3 * * *"]),
        ("weekly 4@sat, monthly 3", &["59 59 23 * * 6"]),
        ("weekly 4", &["59 59 23 * * 7"]),
        ("monthly 3", &["59 59 23 L * *"]),
        ("monthly 3@15", &["59 59 23 15 * *"]),
        ("monthly 3@30", &["59 59 23 30 1,3-12 *", "59 59 23 L 2 *"]),
        ("yearly 2", &["59 59 23 L 12 *"]),
        ("yearly 2@feb, monthly 0@30", &["59 59 23 L 2 *"]),
    ] {
        let derived = derived_cron(&policy(levels)).unwrap();
        assert_eq!(derived, crons, "{levels}");
        for cron in &derived {
            let cron: Cron = cron.parse().unwrap_or_else(|error| panic!("{cron}: {error}"));
            assert_eq!(cron.on_last_day(), cron.to_string().contains('L'));
        }
    }
    assert_eq!(derived_cron(&Retention::last(Some(7))), None);
    assert_eq!(derived_cron(&policy("hourly 0@15")), None);
}

/// Every time that follows from a policy is one that the same policy then elects.
#[test]
fn what_the_derived_schedule_saves_is_what_its_level_elects() {
    let zone = berlin();
    for levels in [
        "daily 5",
        "daily 5@3",
        "weekly 5@wed",
        "monthly 5",
        "monthly 5@30",
        "monthly 5@29",
        "yearly 2@feb, monthly 0@30",
    ] {
        let rules = policy(levels);
        let crons: Vec<Cron> =
            derived_cron(&rules).unwrap().iter().map(|cron| cron.parse().unwrap()).collect();
        let start: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
        let next = |moment: &Timestamp| crons.iter().filter_map(|cron| cron.after(*moment, &zone)).min();
        let times: Vec<Timestamp> = std::iter::successors(next(&start), next).take(30).collect();
        let all: Vec<_> = times
            .iter()
            .map(|time| Candidate { time: *time, ..snapshot(&time.to_string(), 0, true, "shop", &[]) })
            .collect();
        let keep = rules.levels.keeping().next().unwrap().1.keep as usize;
        let verdicts = decide(&all, &rules, "shop", *times.last().unwrap(), &zone);
        let newest: Vec<_> = verdicts.iter().take(keep).map(|verdict| verdict.keep).collect();
        assert_eq!(newest, vec![true; keep], "{levels}");
        assert!(verdicts.iter().skip(keep).all(|verdict| verdict.rule == Rule::Unneeded), "{levels}");
    }
}
