//! The kill matrix for `PostgreSQL`, where the way of the database makes a difference.

use lifeboat::event::{Cx, Step};

use super::transaction::{Story, kill_in};
use crate::database::{same, witness};
use crate::postgres::Postgres;
use crate::world::{World, assert_same, fingerprint};

const KILLS: [(Step, &str, bool); 7] = [
    (Step::Preflight, "kill-after", false),
    (Step::Load, "kill-within-1", false),
    (Step::SwapDatabase, "kill", false),
    (Step::SwapDatabase, "kill-within-1", false),
    (Step::Probe, "kill", false),
    (Step::Commit, "kill-after", true),
    (Step::Settle, "kill-within-1", true),
];

#[test]
fn a_restore_and_an_undo_that_are_killed_are_before_or_after() {
    let server = Postgres::start();
    server.sql("postgres", "CREATE DATABASE shop");
    server.sql(
        "shop",
        "CREATE TABLE item (id INT PRIMARY KEY, name TEXT); CREATE TABLE sale (id INT PRIMARY KEY, item INT REFERENCES item);
         INSERT INTO item VALUES (1,'rope'),(2,'oar'); INSERT INTO sale VALUES (1,2); CREATE VIEW names AS SELECT name FROM item",
    );
    let spec = server.spec("shop");
    let host = server.path("").display().to_string().trim_end_matches('/').to_owned();
    let world = World::new(&format!(
        "databases: [{{type: postgresql, name: shop, user: {}, host: {host}}}]",
        spec.user
    ));
    world.write("index", "old");
    world.init();
    world.backup();
    world.write("index", "new");
    server.sql(
        "shop",
        "DROP VIEW names; ALTER TABLE item ADD COLUMN more INT; DELETE FROM sale; CREATE TABLE extra (a INT)",
    );
    let state = || (fingerprint(&world.root), witness::of(&server, "shop"));
    let before = state();
    assert!(Story::Restore.tell(&world.job(), &Cx::silent()));
    let after = state();
    assert_ne!(before.1, after.1);

    // Undone and restored in turns: each begins where the other ended.
    for (step, kind, committed) in KILLS {
        for (story, from, to) in [(Story::Undo, &after, &before), (Story::Restore, &before, &after)] {
            let has_step = story == Story::Restore || step != Step::Load;
            assert_eq!(kill_in(&world, story, step, kind), has_step, "{story:?} {step:?} {kind}");
            if has_step {
                world.json(0, &["recover"]);
                assert_eq!(world.json(0, &["recover"])["result"]["recovered"]["recovery"], "nothing");
                let expected = if committed { to } else { from };
                assert_same(&expected.0, &fingerprint(&world.root));
                same(&expected.1, &witness::of(&server, "shop"));
            }
            if has_step && !committed {
                assert!(story.tell(&world.job(), &Cx::silent()));
            }
            same(&to.1, &witness::of(&server, "shop"));
        }
    }
    world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    assert_eq!(server.databases(), ["shop"]);
}
