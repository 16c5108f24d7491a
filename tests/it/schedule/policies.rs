//! What holds for every policy, every repository and every zone.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lifeboat::schedule::{Candidate, Elect, Level, Levels, Pin, Retention, Rule, Verdict, decide};
use proptest::prelude::*;

use super::retention::{kept, snapshot};

const START: i64 = 1_760_000_000;
const DAY: i64 = 86_400;
const NOW: Timestamp = Timestamp::constant(START + 900 * DAY, 0);
const ZONES: [&str; 5] = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Havana", "Pacific/Apia"];

/// Crowded in some hours and days, with gaps between them.
fn time() -> impl Strategy<Value = i64> {
    let near = (0..4_i64, 0..DAY).prop_map(|(day, second)| 880 * DAY + day * DAY + second);
    let hour = (0..3600_i64).prop_map(|second| 897 * DAY + 7200 + second);
    let far = (0..900_i64, 0..4_i64).prop_map(|(day, part)| day * DAY + part * 20_000);
    prop_oneof![near, hour, far].prop_map(|second| START + second)
}

/// Some in the future, of another site, incomplete, pinned, past their pins, saved by restores; at most one is proven.
fn repository() -> impl Strategy<Value = Vec<Candidate>> {
    let tags = prop_oneof![
        8 => Just(None),
        1 => Just(Some("pin".to_owned())),
        1 => Just(Some("keep".to_owned())),
        1 => Just(Some("safety".to_owned())),
        2 => (-200..200_i64).prop_map(|days| {
            Some(Pin::Until(NOW.checked_add(SignedDuration::from_hours(days * 24)).unwrap()).tag())
        }),
    ];
    let one =
        (time(), prop::bool::weighted(0.85), prop::bool::weighted(0.9), tags, prop::bool::weighted(0.02));
    (prop::collection::vec(one, 0..60), any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(all, proven, drilled)| {
            let each = |(number, (time, complete, ours, tag, future)): (
                usize,
                (i64, bool, bool, Option<String>, bool),
            )| {
                let time =
                    if future { NOW.as_second() + 5000 + i64::try_from(number).unwrap() } else { time };
                let tags: Vec<&str> = tag.iter().map(String::as_str).collect();
                snapshot(&format!("{number:02}"), time, complete, if ours { "shop" } else { "blog" }, &tags)
            };
            let mut all: Vec<_> = all.into_iter().enumerate().map(each).collect();
            if drilled && !all.is_empty() {
                let at = proven.index(all.len());
                all[at].newest_proven = all[at].complete && all[at].site == "shop";
            }
            all
        },
    )
}

fn policy() -> impl Strategy<Value = Retention> {
    let level = |level: Level| {
        let (first, last) = match level {
            Level::Minutely | Level::Hourly => (0, 59),
            Level::Daily => (0, 23),
            Level::Weekly => (1, 7),
            Level::Monthly => (1, 31),
            Level::Yearly => (1, 12_u8),
        };
        prop::option::of((0..5_u32, prop_oneof![Just(last), first..=last])).prop_map(move |said| {
            said.map_or(Elect::none(level), |(keep, reference)| Elect { keep, reference })
        })
    };
    let levels = Level::ALL.map(level);
    let within = prop::option::of(prop_oneof![Just("3h"), Just("2d"), Just("20d"), Just("2m"), Just("1y1m")]);
    (prop::option::of(0..6_u32), levels, within, 0..6_u32).prop_map(|(last, levels, within, floor)| {
        Retention {
            levels: Level::ALL
                .into_iter()
                .zip(levels)
                .fold(Levels::default(), |all, (level, elect)| all.with(level, elect)),
            keep_within: within.map(|within| within.parse().unwrap()),
            floor,
            ..Retention::last(last)
        }
    })
}

fn zone() -> impl Strategy<Value = TimeZone> {
    prop::sample::select(&ZONES[..]).prop_map(|name| TimeZone::get(name).unwrap())
}

fn left(all: &[Candidate], verdicts: &[Verdict]) -> Vec<Candidate> {
    let kept = kept(verdicts);
    all.iter().filter(|one| kept.contains(&one.id.as_str())).cloned().collect()
}

fn holds(one: &Candidate, now: Timestamp) -> bool {
    Pin::of(&one.tags).is_some_and(|(_, pin)| pin > Pin::Until(now))
}

fn is_safety(one: &Candidate) -> bool {
    one.tags.iter().any(|tag| tag == "safety")
}

fn counts(one: &Candidate) -> bool {
    one.site == "shop" && one.complete && one.time <= NOW && !holds(one, NOW) && !is_safety(one)
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// One verdict each; and what must never go never does.
    #[test]
    fn what_must_stay_stays(all in repository(), policy in policy(), zone in zone()) {
        let verdicts = decide(&all, &policy, "shop", NOW, &zone);
        prop_assert_eq!(verdicts.len(), all.len());
        let stays = left(&all, &verdicts);
        let keeps = |one: &Candidate| stays.contains(one);
        prop_assert!(all.iter().filter(|one| one.site != "shop").all(keeps));
        prop_assert!(all.iter().filter(|one| holds(one, NOW)).all(keeps), "a pin did not hold");
        prop_assert!(all.iter().filter(|one| one.newest_proven || one.time > NOW).all(keeps));
        let counted: Vec<_> = all.iter().filter(|one| counts(one)).collect();
        prop_assert!(counted.iter().max_by_key(|one| (one.time, &one.id)).is_none_or(|newest| keeps(newest)));
        let floor = counted.len().min(policy.floor.max(1) as usize);
        prop_assert!(counted.iter().filter(|one| keeps(one)).count() >= floor, "below the floor");
        let last = counted.len().min(policy.last.unwrap_or(0) as usize);
        prop_assert!(counted.iter().filter(|one| keeps(one)).count() >= last);
        if policy.keeps_everything() {
            prop_assert!(all.iter().filter(|one| !is_safety(one)).all(keeps));
        }
    }

    /// Each level keeps as many as it says, or all there are that no coarser one keeps.
    #[test]
    fn no_level_keeps_more_than_it_says(all in repository(), policy in policy(), zone in zone()) {
        let verdicts = decide(&all, &policy, "shop", NOW, &zone);
        for (level, elect) in policy.levels.keeping() {
            let kept = verdicts.iter().filter(|verdict| verdict.rule == Rule::Elected(level)).count();
            prop_assert!(kept <= elect.keep as usize);
        }
        for verdict in &verdicts {
            let removed = [Rule::Superseded, Rule::SafetyOver, Rule::IncompleteOld, Rule::Unneeded];
            prop_assert_eq!(verdict.keep, !removed.contains(&verdict.rule), "{:?}", verdict);
            prop_assert!(!verdict.reason.is_empty());
        }
    }

    #[test]
    fn the_order_they_come_in_does_not_matter(
        all in repository().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        policy in policy(),
        zone in zone(),
    ) {
        prop_assert_eq!(decide(&all.0, &policy, "shop", NOW, &zone), decide(&all.1, &policy, "shop", NOW, &zone));
    }

    /// Deciding on what was kept removes nothing, and says the same of the rest.
    #[test]
    fn deciding_again_removes_nothing_more(all in repository(), policy in policy(), zone in zone()) {
        let first = decide(&all, &policy, "shop", NOW, &zone);
        let stays = left(&all, &first);
        let again = decide(&stays, &policy, "shop", NOW, &zone);
        let kept: Vec<_> = first.into_iter().filter(|verdict| verdict.keep).map(|verdict| verdict.id).collect();
        let still: Vec<_> = again.into_iter().filter(|verdict| verdict.keep).map(|verdict| verdict.id).collect();
        prop_assert_eq!(still, kept);
    }

    /// Incomplete ones, pinned ones, those of other sites and of the future decide about no other.
    #[test]
    fn what_does_not_count_changes_nothing_for_the_rest(all in repository(), policy in policy(), zone in zone()) {
        let with = decide(&all, &policy, "shop", NOW, &zone);
        let counted: Vec<_> = all.iter().filter(|one| counts(one)).cloned().collect();
        let alone = decide(&counted, &policy, "shop", NOW, &zone);
        let same: Vec<_> =
            with.into_iter().filter(|verdict| counted.iter().any(|one| one.id == verdict.id)).collect();
        prop_assert_eq!(same, alone);
    }

    /// Time goes by and newer snapshots come, while nobody removes what was to go: it is still to go. Only the floor may take
    /// some in again, when rules come to overlap more than before.
    #[test]
    fn what_is_to_go_stays_so(
        all in repository(),
        later in prop::collection::vec((1..400 * DAY, prop::bool::weighted(0.85)), 0..40),
        policy in policy(),
        zone in zone(),
    ) {
        let before = decide(&all, &policy, "shop", NOW, &zone);
        let mut grown = all.clone();
        for (number, (seconds, complete)) in later.iter().enumerate() {
            grown.push(snapshot(&format!("later-{number:02}"), NOW.as_second() + seconds, *complete, "shop", &[]));
        }
        let end = Timestamp::from_second(NOW.as_second() + 401 * DAY).unwrap();
        let after = decide(&grown, &policy, "shop", end, &zone);
        let now = |id: &str| after.iter().find(|verdict| verdict.id == id).unwrap();
        for verdict in before.iter().filter(|verdict| !verdict.keep) {
            let now = now(&verdict.id);
            prop_assert!(!now.keep || now.rule == Rule::Floor, "{:?} became {:?}", verdict, now);
        }
    }

    /// The first rule that applies is the reason: without the rule that was named, only later ones are.
    #[test]
    fn reasons_have_an_order(all in repository(), policy in policy(), zone in zone()) {
        let full = decide(&all, &policy, "shop", NOW, &zone);
        let fewer = [
            Retention { last: policy.last.map(|_| 1), ..policy.clone() },
            Retention { keep_within: policy.keep_within.map(|_| "1h".parse().unwrap()), ..policy.clone() },
        ];
        for (named, policy) in [Rule::Last, Rule::Within].into_iter().zip(&fewer) {
            let less = decide(&all, policy, "shop", NOW, &zone);
            for (full, less) in full.iter().zip(&less).filter(|(full, _)| full.rule == named) {
                prop_assert!(less.rule >= full.rule, "{:?} became {:?}", full, less);
            }
        }
    }
}
