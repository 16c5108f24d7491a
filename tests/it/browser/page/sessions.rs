//! Sessions that end while somebody is at it, and tokens that may not do everything.

use serde_json::json;

use super::Visitor;
use crate::api::Server;
use crate::browser::{Browser, By};

const ENDED: &str = "Your session has ended.";

/// Sends a form that this page would not have, with the word that makes it ours.
fn send(browser: &Browser, action: &str) {
    browser.script(
        "const form = document.createElement('form');
         form.method = 'post';
         form.action = arguments[0];
         form.append(document.querySelector('input[name=csrf]').cloneNode());
         document.body.append(form);
         form.submit();",
        &json!([action]),
    );
}

#[test]
fn who_is_signed_out_is_told_and_comes_back_to_where_they_were() {
    let mut visitor = Visitor::of(Server::start());
    visitor.expect(401);
    let token = visitor.server.token.clone();
    visitor.open("/sites/demo/snapshots");
    assert!(!visitor.browser.page_text().contains(ENDED), "there was none");
    visitor.expect(401);
    visitor.browser.fill(&By::label("Token"), "lifeboat-wrong");
    visitor.browser.click(&By::button("Sign in"));
    visitor.browser.see("This token lets nobody in");
    visitor.examine("login-wrong");
    visitor.log_in(&token);
    assert_eq!(visitor.path(), "/sites/demo/snapshots");

    // Nobody has touched the page when the agent is another one.
    visitor.turn_to("Overview");
    visitor.expect_silence();
    visitor.server.crash_and_restart();
    visitor.browser.see(ENDED);
    visitor.examine("login-ended");
    visitor.log_in(&token);
    assert_eq!(visitor.path(), "/sites/demo");

    // What was sent too late was not done.
    visitor.browser.fill(&By::label("Comment (optional)"), "too late");
    let before = visitor.server.json("/v1/sites/demo/runs").as_array().unwrap().len();
    visitor.browser.script("document.querySelector('#main').dataset.events = ''", &json!([]));
    let cookie = visitor.browser.cookies().remove(0).name;
    visitor.browser.delete_cookie(&cookie);
    visitor.browser.click(&By::button("Back up now"));
    visitor.browser.see("Sign in");
    visitor.log_in(&token);
    assert_eq!(visitor.path(), "/sites/demo");
    assert_eq!(visitor.server.json("/v1/sites/demo/runs").as_array().unwrap().len(), before);
}

#[test]
fn who_may_only_look_has_nothing_to_press_and_is_refused_with_a_reason() {
    let visitor = Visitor::of(Server::start());
    let browser = &visitor.browser;
    let token = visitor.server.token("looks", "read");
    visitor.expect(401);
    visitor.open("/");
    visitor.log_in(&token);
    browser.see("This token can only look.");
    visitor.examine("overview-read-only");
    let id = visitor.server.json("/v1/sites/demo/snapshots")[0]["id"].as_str().unwrap().to_owned();
    let root = visitor.server.world.root.display();
    let pages = [
        "/sites/demo".to_owned(),
        "/sites/demo/snapshots".to_owned(),
        format!("/sites/demo/snapshots/{id}"),
        format!("/sites/demo/snapshots/{id}/browse?path={root}"),
        "/sites/demo/search?q=page".to_owned(),
        "/sites/demo/runs".to_owned(),
        "/sites/demo/drills".to_owned(),
    ];
    for page in &pages {
        visitor.open(page);
        let acts = browser
            .texts(&By::css("form[method=post]:not([action='/logout']), a[href*=restore], a[download]"));
        assert!(acts.is_empty(), "{page}: {acts:?}");
    }
    visitor.expect(403);
    for act in ["backup", "drill", "check", "restore", "undo"] {
        visitor.open("/sites/demo");
        send(browser, &format!("/sites/demo/{act}"));
        let scope = if matches!(act, "restore" | "undo") { "restore" } else { "backup" };
        browser.see(&format!("This needs a token with the scope {scope}"));
    }
    visitor.examine("refused");
    for page in ["/sites/demo/restore", "/sites/demo/undo"] {
        visitor.open(page);
        browser.see("This needs a token with the scope restore");
    }
    browser.click(&By::link("Back to demo"));
    let content = format!("/v1/sites/demo/snapshots/{id}/content?path={root}/page.html");
    let status =
        browser.script("return fetch(arguments[0]).then((answer) => answer.status)", &json!([content]));
    assert_eq!(status, 403);
    assert_eq!(visitor.server.json("/v1/sites/demo/runs").as_array().unwrap().len(), 1, "nothing was begun");
}

#[test]
fn who_may_back_up_does_and_restores_nothing() {
    let visitor = Visitor::of(Server::start());
    let browser = &visitor.browser;
    visitor.expect(401);
    visitor.open("/sites/demo");
    visitor.log_in(&visitor.server.token("night", "backup"));
    assert!(!browser.shows(&By::link("Restore")) && !browser.shows(&By::link("Restore…")));
    browser.click(&By::button("Back up now"));
    visitor.see_success();
    browser.click(&By::css(".result a.button"));
    visitor.examine("snapshot-backup-only");
    browser.click(&By::link("Browse files"));
    browser.see("This token cannot restore or download.");
}
