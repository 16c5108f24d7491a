//! What stands between a verdict and a removal.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lifeboat::schedule::{Candidate, Refusal, Retention, Rule, Verdict, after_grace, decide, restrain};

use super::retention::{kept, snapshot};

const DAY: i64 = 86_400;
const ZONE: TimeZone = TimeZone::UTC;

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(20_000 * DAY + day * DAY).unwrap()
}

/// One for each of these days.
fn daily(days: impl IntoIterator<Item = i64>) -> Vec<Candidate> {
    let one = |day: i64| Candidate { time: at(day), ..snapshot(&format!("{day:08}"), 0, true, "shop", &[]) };
    days.into_iter().map(one).collect()
}

fn refusal(all: &[Candidate], policy: &Retention, now: i64, accepted: &[&str]) -> Option<Refusal> {
    let accepted: BTreeSet<String> = accepted.iter().map(|&id| id.to_owned()).collect();
    let verdicts = decide(all, policy, "shop", at(now), &ZONE);
    restrain(all, &verdicts, policy, "shop", &accepted, (at(now), &ZONE))
}

fn is_brake(refusal: Option<&Refusal>) -> bool {
    matches!(refusal, Some(Refusal::Brake { .. }))
}

fn is_clock(refusal: Option<&Refusal>) -> bool {
    matches!(refusal, Some(Refusal::Clock { .. }))
}

#[test]
fn the_brake_lets_a_few_go_and_not_most() {
    let rules = |last| Retention::last(Some(last));
    assert_eq!(refusal(&daily(0..10), &rules(5), 9, &[]), None, "half of them");
    let most = refusal(&daily(0..10), &rules(4), 9, &[]).unwrap();
    assert_eq!(
        most.text(),
        "6 of 10 complete snapshots would go at once, more than the brake of 50% lets through"
    );
    assert_eq!(refusal(&daily(0..3), &rules(1), 2, &[]), None, "two of three are few");
    assert!(is_brake(refusal(&daily(0..4), &rules(1), 3, &[]).as_ref()));
    assert_eq!(refusal(&daily(0..10), &Retention { brake: 60, ..rules(4) }, 9, &[]), None);
    assert_eq!(refusal(&daily(0..100), &Retention { brake: 100, ..rules(1) }, 99, &[]), None);
    // Incomplete ones, and other sites', are no reason to stop, nor to go on.
    let mut mixed = daily(0..10);
    mixed.iter_mut().take(8).for_each(|one| one.complete = false);
    assert_eq!(refusal(&mixed, &rules(1), 9, &[]), None);
    let mut mixed = daily(0..20);
    mixed.iter_mut().take(10).for_each(|one| one.site = "blog".to_owned());
    assert!(is_brake(refusal(&mixed, &rules(4), 19, &[]).as_ref()));
}

#[test]
fn a_snapshot_from_the_future_stops_the_rotation_until_it_is_accepted() {
    let mut all = daily(0..10);
    all.extend(daily([5000]));
    let rules = Retention::last(Some(8));
    let told = refusal(&all, &rules, 9, &[]).unwrap();
    assert!(is_clock(Some(&told)) && told.text().contains("snapshot 00005000 is of 2038-06-13"), "{told:?}");
    assert_eq!(refusal(&all, &rules, 9, &["00005000"]), None);
    // Where nothing is to go there is nothing to refuse; and clocks may differ a little.
    assert_eq!(refusal(&all, &Retention::last(Some(10)), 9, &[]), None);
    all.last_mut().unwrap().time = Timestamp::from_second(at(9).as_second() + 1800).unwrap();
    assert_eq!(refusal(&all, &rules, 9, &[]), None);
}

/// A leap of the clock makes everything old at once; with the third snapshot since it is taken for a pause.
#[test]
fn a_leap_of_the_clock_stops_what_goes_by_age() {
    let rules = Retention { keep_within: Some("14d".parse().unwrap()), brake: 100, ..Retention::default() };
    let mut all = daily(0..20);
    assert_eq!(refusal(&all, &rules, 19, &[]), None);
    for after in 0..2 {
        all.extend(daily([3000 + after]));
        let told = refusal(&all, &rules, 3000 + after, &[]);
        assert!(is_clock(told.as_ref()), "{told:?}");
        let text = told.unwrap().text().to_owned();
        assert!(text.contains("which is 2981 days and much longer than usual"), "{text}");
    }
    all.extend(daily([3002]));
    assert_eq!(refusal(&all, &rules, 3002, &[]), None);
    // What goes by number alone does not depend on the clock.
    all.truncate(21);
    assert_eq!(refusal(&all, &Retention::last(Some(18)), 3000, &[]), None);
    // An ended pin does.
    all[0].tags.push(format!("pin-until={}", at(100)));
    assert!(is_clock(refusal(&all, &Retention::last(Some(18)), 3000, &[]).as_ref()));
    // A site that is saved once a month is used to pauses, and one with little history tells nothing.
    let monthly = daily((0..20).map(|month| month * 30));
    assert_eq!(refusal(&monthly, &rules, 19 * 30 + 90, &[]), None);
    let mut few = daily(0..4);
    few.extend(daily([3000]));
    assert_eq!(refusal(&few, &rules, 3000, &[]), None);
}

#[test]
fn grace_holds_what_is_to_go_and_begins_anew_when_it_is_needed_again() {
    let week = Duration::from_hours(7 * 24);
    let decided =
        |last: u32, now: i64| decide(&daily(0..4), &Retention::last(Some(last)), "shop", at(now), &ZONE);
    let wait = |last: u32,
                noted: &BTreeMap<String, Timestamp>,
                now: i64|
     -> (Vec<Verdict>, BTreeMap<String, Timestamp>) {
        after_grace(decided(last, now), noted, week, (at(now), &ZONE))
    };
    let (verdicts, notes) = wait(2, &BTreeMap::new(), 3);
    assert_eq!((kept(&verdicts).len(), notes.len()), (4, 2));
    assert_eq!((verdicts[3].rule, verdicts[3].until), (Rule::Grace, Some(at(10))));
    assert_eq!(
        verdicts[3].reason,
        "to be removed after 2024-10-14 00:00 UTC: older than the last 2 complete snapshots"
    );
    let (verdicts, notes) = wait(2, &notes, 9);
    assert_eq!((kept(&verdicts).len(), notes["00000000"]), (4, at(3)));
    let (verdicts, _) = wait(2, &notes, 10);
    assert_eq!(kept(&verdicts), ["00000003", "00000002"]);
    // The policy kept it for a while: its time begins anew.
    let (_, notes) = wait(3, &notes, 10);
    assert_eq!(notes.keys().collect::<Vec<_>>(), ["00000000"]);
    let (verdicts, notes) = wait(2, &notes, 11);
    assert_eq!(kept(&verdicts).len(), 3);
    assert_eq!(notes["00000001"], at(11));
    // A note from the future is worth nothing.
    let (verdicts, notes) = wait(2, &BTreeMap::from([("00000000".to_owned(), at(500))]), 12);
    assert_eq!((kept(&verdicts).len(), notes["00000000"]), (4, at(12)));
    // Without a grace nothing is noted.
    let (verdicts, notes) = after_grace(decided(2, 3), &BTreeMap::new(), Duration::ZERO, (at(3), &ZONE));
    assert_eq!((kept(&verdicts).len(), notes.len()), (2, 0));
}

/// A change of tags that was killed leaves two of the same: they count once, and the one that is held longest stays.
#[test]
fn twins_count_once() {
    let tagged = |id: &str, original: Option<&str>, tags: &[&str]| Candidate {
        time: at(5),
        original: original.map(str::to_owned),
        tree: "tree".to_owned(),
        ..snapshot(id, 0, true, "shop", tags)
    };
    let decided = |twins: [Candidate; 2]| -> Vec<(String, Rule)> {
        let all = [daily(0..5), twins.to_vec()].concat();
        let verdicts = decide(&all, &Retention::last(Some(3)), "shop", at(6), &ZONE);
        verdicts.into_iter().take(5).map(|verdict| (verdict.id, verdict.rule)).collect()
    };
    let rules = |list: [(&str, Rule); 5]| list.map(|(id, rule)| (id.to_owned(), rule)).to_vec();
    assert_eq!(
        decided([tagged("a", None, &[]), tagged("b", Some("a"), &["other"])]),
        rules([
            ("b", Rule::Newest),
            ("a", Rule::Superseded),
            ("00000004", Rule::Last),
            ("00000003", Rule::Last),
            ("00000002", Rule::Unneeded)
        ])
    );
    let held = decided([tagged("a", None, &[]), tagged("b", Some("a"), &["pin"])]);
    assert_eq!(
        held[..2],
        rules([
            ("b", Rule::Pinned),
            ("a", Rule::Superseded),
            ("", Rule::Last),
            ("", Rule::Last),
            ("", Rule::Last)
        ])[..2]
    );
    let unpinned = decided([tagged("a", None, &["pin"]), tagged("b", Some("a"), &[])]);
    assert_eq!(
        unpinned[..2],
        rules([
            ("b", Rule::Superseded),
            ("a", Rule::Pinned),
            ("", Rule::Last),
            ("", Rule::Last),
            ("", Rule::Last)
        ])[..2]
    );
    // With another content it is another snapshot, whatever it was made from.
    let mut rewritten = tagged("b", Some("a"), &[]);
    rewritten.tree = "other".to_owned();
    let both = decided([tagged("a", None, &[]), rewritten]);
    assert!(both[..3].iter().all(|(_, rule)| *rule != Rule::Superseded), "{both:?}");
}
