//! The same where no script runs: forms and links are enough for all that matters.

use super::Visitor;
use crate::api::Server;
use crate::browser::By;

/// Loads itself anew as long as there is something to wait for.
fn see_success(visitor: &Visitor) {
    visitor.see_success();
    let refresh = By::css("meta[http-equiv=refresh]");
    assert!(visitor.browser.texts(&refresh).is_empty(), "what is over is loaded once");
}

#[test]
fn forms_and_links_are_enough() {
    let visitor = Visitor::of(Server::start());
    let (browser, world) = (&visitor.browser, &visitor.server.world);
    visitor.expect(401);
    visitor.expect(422);
    browser.without_scripts();
    visitor.open("/sites/demo");
    visitor.log_in(&visitor.server.token);
    assert_eq!(visitor.path(), "/sites/demo", "where they wanted to go");

    world.write("page.html", "changed");
    browser.fill(&By::label("Comment (optional)"), "By hand");
    browser.click(&By::button("Back up now"));
    see_success(&visitor);
    browser.click(&By::css(".result a.button"));
    browser.see("By hand");
    browser.click(&By::link("Browse files"));
    browser.click(&By::link("Download page.html"));
    assert_eq!(browser.download("page.html"), b"changed");
    browser.fill(&By::label("Search all snapshots for a file"), "photo");
    browser.submit(&By::label("Search all snapshots for a file"));
    browser.see("photo.jpg");

    visitor.turn_to("Restore");
    // The older of the two.
    browser.click(&By::css("ul.moments li:last-child input"));
    browser.click(&By::css("input[value=files]"));
    browser.click(&By::button("Show what would change"));
    browser.see("page.html");
    let name = By::css("form.confirm input[name=name]");
    browser.fill(&name, "shop");
    browser.click(&By::button("Restore now"));
    browser.see("Nothing was done: “shop” is not the name of this site.");
    browser.with_scripts();
    visitor.examine("plan-wrong-name");
    browser.without_scripts();
    assert_eq!(std::fs::read(world.root.join("page.html")).unwrap(), b"changed");
    browser.fill(&name, "demo");
    browser.click(&By::button("Restore now"));
    see_success(&visitor);
    assert_eq!(std::fs::read(world.root.join("page.html")).unwrap(), b"hello");
    browser.click(&By::link("Undo this restore…"));
    browser.fill(&name, "demo");
    browser.click(&By::button("Undo the restore"));
    see_success(&visitor);
    assert_eq!(std::fs::read(world.root.join("page.html")).unwrap(), b"changed");
    visitor.assert_quiet();
}
