//! What a share is for.

use std::time::Duration;

use super::super::wordpress::there_and_back;
use super::{Running, Share, says};
use crate::world::World;

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn wordpress_there_and_back() {
    let share = Share::new("wordpress");
    there_and_back(Some(&share.yaml("on-demand")));
    share.is_left_alone();
    // Any world has the same password.
    share.restic_is_content(&World::new(""));
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn restic_on_the_server_respects_our_lock() {
    let share = Share::new("lock");
    let world = share.world("on-demand", 60);
    world.init();
    let mut running = Running::start(&world, &["backup"]);
    running.held_when(
        || share.stored() > 0,
        || {
            let locks = world.restic_on(&share.repository(), &["list", "locks", "--no-lock"]).expect(0);
            assert_eq!(locks.out.lines().count(), 1, "{}", locks.out);
            let prune = world.restic_on(&share.repository(), &["prune"]).expect(1);
            says(&prune, "already locked");
        },
    );
    running.end_within(Duration::from_mins(1)).expect(0);
    let locks = world.restic_on(&share.repository(), &["list", "locks", "--no-lock"]).expect(0);
    assert_eq!(locks.out, "");
    world.restic_on(&share.repository(), &["prune"]).expect(0);
    share.restic_is_content(&world);
    share.is_left_alone();
}
