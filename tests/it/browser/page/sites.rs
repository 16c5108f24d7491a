//! Several sites, not all of them well; and what is not there.

use super::Visitor;
use crate::api::Server;
use crate::browser::By;
use crate::world::World;

#[test]
fn sites_that_are_not_well_are_seen_first_and_what_is_not_there_is_said() {
    let world = World::new("databases: []");
    world.write("page.html", "hello");
    world.init();
    world.backup();
    let conf = world.path("conf.d");
    std::fs::create_dir(&conf).unwrap();
    let text = std::fs::read_to_string(world.path("lifeboat.yaml")).unwrap();
    std::fs::write(conf.join("blog.yaml"), text.replace("name: demo", "name: blog")).unwrap();
    let visitor = Visitor::of(Server::of(world));
    let browser = &visitor.browser;
    visitor.expect(401);
    visitor.open("/");
    visitor.log_in(&visitor.server.token);
    browser.see("All sites");
    let line = |site: &str| {
        let all = browser.texts(&By::css("article.site"));
        all.into_iter().find(|text| text.starts_with(site)).unwrap_or_default()
    };
    assert!(line("blog").contains("ever backed up"), "{}", line("blog"));
    assert!(line("demo").contains("acked up"), "{}", line("demo"));
    visitor.examine("sites");
    browser.click(&By::link("blog"));
    browser.see("ever backed up");
    visitor.examine("overview-empty");
    for (tab, name) in [
        ("Snapshots", "snapshots-empty"),
        ("Restore", "restore-empty"),
        ("Runs", "runs-empty"),
        ("Drills", "drills-empty"),
    ] {
        visitor.turn_to(tab);
        visitor.examine(name);
    }
    visitor.expect(404);
    visitor.open("/sites/nothing");
    browser.see("no site of this name");
    visitor.examine("missing");
    visitor.expect(422);
    visitor.open("/sites/demo/compare?old=123456&new=123456");
    browser.see("no such snapshot");
    browser.click(&By::link("Lifeboat"));
    browser.see("All sites");
    visitor.assert_quiet();
}
