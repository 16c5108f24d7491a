//! Retention never removes what is needed, whatever the repository holds.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lifeboat::schedule::{Candidate, Retention, Verdict, decide};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::constant(1000, 0);

pub(super) fn snapshot(id: &str, time: i64, complete: bool, site: &str, tags: &[&str]) -> Candidate {
    let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
    Candidate {
        id: id.to_owned(),
        time: Timestamp::from_second(time).unwrap(),
        site: site.to_owned(),
        complete,
        tags,
        newest_proven: false,
        original: None,
        tree: id.to_owned(),
    }
}

pub(super) fn kept(verdicts: &[Verdict]) -> Vec<&str> {
    verdicts.iter().filter(|verdict| verdict.keep).map(|verdict| verdict.id.as_str()).collect()
}

#[test]
fn every_verdict_has_its_reason() {
    let all = [
        snapshot("new-incomplete", 90, false, "shop", &[]),
        snapshot("third", 80, true, "shop", &["scheduled"]),
        snapshot("blog", 75, true, "blog", &[]),
        snapshot("between", 70, false, "shop", &[]),
        snapshot("second", 60, true, "shop", &[]),
        snapshot("rescue", 55, true, "shop", &["pre-restore"]),
        snapshot("old-incomplete", 50, false, "shop", &[]),
        snapshot("first", 40, true, "shop", &[]),
        snapshot("pinned", 30, true, "shop", &["keep"]),
    ];
    let verdicts = decide(&all, &Retention::last(Some(2)), "shop", NOW, &TimeZone::UTC);
    let said: Vec<_> = verdicts.iter().map(|v| (v.id.as_str(), v.keep, v.reason.as_str())).collect();
    assert_eq!(
        said,
        [
            (
                "new-incomplete",
                true,
                "incomplete, but newer than the oldest of the last 2 complete snapshots"
            ),
            ("third", true, "the newest complete snapshot"),
            ("blog", true, "belongs to blog"),
            ("between", true, "incomplete, but newer than the oldest of the last 2 complete snapshots"),
            ("second", true, "complete snapshot 2 of the last 2"),
            ("rescue", true, "is tagged pre-restore"),
            ("old-incomplete", false, "incomplete, and older than the last 2 complete snapshots"),
            ("first", false, "older than the last 2 complete snapshots"),
            ("pinned", true, "is tagged keep"),
        ]
    );
}

#[test]
fn without_a_complete_snapshot_nothing_goes() {
    let all = [snapshot("a", 1, false, "shop", &[]), snapshot("b", 2, false, "shop", &[])];
    assert_eq!(kept(&decide(&all, &Retention::last(Some(1)), "shop", NOW, &TimeZone::UTC)), ["b", "a"]);
}

#[test]
fn zero_still_keeps_the_newest() {
    let all = [snapshot("a", 1, true, "shop", &[]), snapshot("b", 2, true, "shop", &[])];
    assert_eq!(kept(&decide(&all, &Retention::last(Some(0)), "shop", NOW, &TimeZone::UTC)), ["b"]);
}

#[test]
fn a_snapshot_from_the_future_pushes_nobody_out() {
    let all = [
        snapshot("future", 5000, true, "shop", &[]),
        snapshot("half", 4000, false, "shop", &[]),
        snapshot("new", 90, true, "shop", &[]),
        snapshot("old", 80, true, "shop", &[]),
        snapshot("older", 70, true, "shop", &[]),
    ];
    let verdicts = decide(&all, &Retention::last(Some(2)), "shop", NOW, &TimeZone::UTC);
    assert_eq!(kept(&verdicts), ["future", "half", "new", "old"]);
    assert!(verdicts[0].reason.contains("future"), "{}", verdicts[0].reason);
}

fn repository() -> impl Strategy<Value = Vec<Candidate>> {
    let one = (0_i64..50, any::<bool>(), 0..4_usize, 0..8_usize);
    prop::collection::vec(one, 0..30).prop_map(|all| {
        let each = |(number, (time, complete, site, tag)): (usize, (i64, bool, usize, usize))| {
            let tags = [&["keep"][..], &["pre-restore"], &["other"]].get(tag).copied().unwrap_or_default();
            let site = if site == 0 { "blog" } else { "shop" };
            snapshot(&format!("{number:02}"), time, complete, site, tags)
        };
        all.into_iter().enumerate().map(each).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_below_the_floor(all in repository(), last in 0..12_u32) {
        let verdicts = decide(&all, &Retention::last(Some(last)), "shop", NOW, &TimeZone::UTC);
        prop_assert_eq!(verdicts.len(), all.len());
        let keeps = |candidate: &Candidate| verdicts.iter().any(|verdict| verdict.id == candidate.id && verdict.keep);
        let mine = || all.iter().filter(|candidate| candidate.site == "shop" && candidate.complete);
        let floor = mine().count().min(last.max(1) as usize);
        prop_assert!(mine().filter(|candidate| keeps(candidate)).count() >= floor);
        if let Some(newest) = mine().map(|candidate| candidate.time).max() {
            prop_assert!(mine().any(|candidate| candidate.time == newest && keeps(candidate)));
        }
        prop_assert!(all.iter().filter(|candidate| candidate.site != "shop").all(keeps));
        prop_assert!(all.iter().filter(|candidate| candidate.tags.iter().any(|tag| tag != "other")).all(keeps));
    }

    /// What restores saved counts for nobody, stays for its time, and goes after it unless there is nothing else.
    #[test]
    fn safety_snapshots_neither_count_nor_go_early(
        all in repository(),
        saved in prop::collection::vec((0_i64..2000, any::<bool>()), 0..10),
        last in prop::option::of(1..6_u32),
        keep in 0_u64..1500,
    ) {
        let policy = Retention { keep_safety: Duration::from_secs(keep), ..Retention::last(last) };
        let alone = decide(&all, &policy, "shop", NOW, &TimeZone::UTC);
        let mut mixed = all.clone();
        for (number, (time, complete)) in saved.iter().enumerate() {
            mixed.push(snapshot(&format!("safety-{number}"), *time, *complete, "shop", &["safety"]));
        }
        let (ours, others): (Vec<Verdict>, Vec<Verdict>) =
            decide(&mixed, &policy, "shop", NOW, &TimeZone::UTC).into_iter().partition(|verdict| verdict.id.starts_with("safety-"));
        prop_assert_eq!(others, alone);
        let backups = all.iter().any(|one| {
            one.site == "shop" && one.complete && !one.tags.iter().any(|tag| tag != "other")
        });
        for verdict in ours {
            let (time, _) = saved[verdict.id["safety-".len()..].parse::<usize>().unwrap()];
            let young = NOW.as_second() - time < i64::try_from(keep).unwrap();
            prop_assert_eq!(verdict.keep, young || time > NOW.as_second() || !backups, "{:?}", verdict);
        }
    }

    #[test]
    fn order_does_not_matter(all in repository().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())), last in 1..6_u32) {
        let policy = Retention::last(Some(last));
        prop_assert_eq!(decide(&all.0, &policy, "shop", NOW, &TimeZone::UTC), decide(&all.1, &policy, "shop", NOW, &TimeZone::UTC));
    }

    #[test]
    fn more_never_keeps_less(all in repository(), last in 1..12_u32) {
        let fewer = decide(&all, &Retention::last(Some(last)), "shop", NOW, &TimeZone::UTC);
        for policy in [Retention::last(Some(last + 1)), Retention::last(None)] {
            let more = decide(&all, &policy, "shop", NOW, &TimeZone::UTC);
            prop_assert!(kept(&fewer).iter().all(|id| kept(&more).contains(id)));
        }
    }

    #[test]
    fn deciding_again_removes_nothing_more(all in repository(), last in 1..6_u32) {
        let policy = Retention::last(Some(last));
        let verdicts = decide(&all, &policy, "shop", NOW, &TimeZone::UTC);
        let left: Vec<_> = all.iter().filter(|one| kept(&verdicts).contains(&one.id.as_str())).cloned().collect();
        prop_assert_eq!(kept(&decide(&left, &policy, "shop", NOW, &TimeZone::UTC)).len(), left.len());
    }
}

/// A month of snapshots that nobody drilled must not push out the one that is known to come back.
#[test]
fn the_newest_proven_one_stays_and_takes_its_place() {
    let all: Vec<_> = (1..=6).map(|time| snapshot(&time.to_string(), time, true, "shop", &[])).collect();
    let stay = |proven: &str, last: u32| -> Vec<String> {
        let mut all = all.clone();
        for candidate in &mut all {
            candidate.newest_proven = candidate.id == proven;
        }
        let verdicts = decide(&all, &Retention::last(Some(last)), "shop", NOW, &TimeZone::UTC);
        kept(&verdicts).into_iter().map(str::to_owned).collect()
    };
    assert_eq!(stay("none", 2), ["6", "5"]);
    assert_eq!(stay("2", 2), ["6", "5", "2"]);
    // Among those that are kept anyhow it takes no place of another.
    assert_eq!(stay("5", 2), ["6", "5"]);
    assert_eq!(stay("6", 1), ["6"]);
}
