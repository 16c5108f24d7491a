//! A site that is not enabled.

use std::time::Duration;

use super::{Agent, runs, scheduled, text, wait_until};

const WORK: &str = "schedule: {backup: \"* * * * * *\", on_request: {settle: 0s, at_most_every: 0s}}\n";

fn waiting(world: &crate::world::World) -> usize {
    world.json(0, &["request", "--list"])["result"].as_array().unwrap().len()
}

#[test]
fn a_site_that_is_not_enabled_is_left_alone_until_it_is_again() {
    let world = scheduled("databases: []", &format!("enabled: false\n{WORK}"));
    world.run(&["request", "a post was published"]).expect(0);
    let agent = Agent::start(&world, &[]);
    agent.wait_for("demo: is not enabled: nothing begins by schedule or for requests");
    for reload in 1..=3 {
        agent.wake();
        wait_until(|| agent.log().matches("reloaded: ").count() == reload, || agent.log());
    }
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(agent.log().matches("is not enabled").count(), 1, "{}", agent.log());
    assert!(!agent.log().contains(" begins as "), "{}", agent.log());
    assert_eq!((runs(&world).len(), waiting(&world)), (0, 1));

    assert_eq!(world.json(0, &["schedule"])["result"], serde_json::json!([]));
    assert!(world.run(&["schedule"]).expect(0).out.contains("demo is not enabled"));
    assert_eq!(world.json(0, &["config", "check"])["result"]["enabled"], false);
    // By hand, all is as ever.
    world.backup();
    assert_eq!(runs(&world).len(), 1);

    world.configure("databases: []", None, &format!("enabled: true\n{WORK}"));
    agent.wake();
    agent.wait_for("demo: is enabled again");
    wait_until(|| runs(&world).iter().any(|run| text(run, "cause") == "scheduled"), || agent.log());
    wait_until(|| waiting(&world) == 0, || agent.log());
}

/// What had its turn coming when the site was disabled does not begin any more, and is not lost.
#[test]
fn what_waits_in_the_queue_is_put_back() {
    let slow = "hooks: {before-save: [{command: [/bin/sleep, \"6\"]}]}\nschedule: \"*/2 * * * * *\"\n";
    let (busy, other) = (scheduled("databases: []", slow), scheduled("databases: []", ""));
    let sites = busy.path("conf.d");
    std::fs::create_dir(&sites).unwrap();
    let configure = |enabled: bool| {
        let more =
            format!("enabled: {enabled}\nschedule: {{on_request: {{settle: 0s, at_most_every: 0s}}}}\n");
        other.configure("databases: []", None, &more);
        std::fs::copy(other.path("lifeboat.yaml"), sites.join("other.yaml")).unwrap();
    };
    configure(true);
    let agent = Agent::start(&busy, &[]);
    wait_until(|| !agent.runs().is_empty(), || agent.log());
    other.run(&["request", "now"]).expect(0);
    agent.wait_for("backing up for 1 request(s)");
    configure(false);
    // Its name is that of the other one; nothing is begun for it until the run at work is over, and then neither.
    agent.wake();
    agent.wait_for("is not enabled");
    wait_until(|| agent.log().contains("ended: success"), || agent.log());
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((runs(&other).len(), waiting(&other)), (0, 1), "{}", agent.log());
    configure(true);
    agent.wake();
    wait_until(|| waiting(&other) == 0, || agent.log());
    assert_eq!(text(&runs(&other)[0], "cause"), "requested");
}
