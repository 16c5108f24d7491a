//! Names that somebody chose to do harm: they are text, and no wider than the window.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::json;

use super::Visitor;
use crate::api::Server;
use crate::browser::By;
use crate::world::World;

/// What must not be obeyed: the ends of lines, of terminals' commands, and of the direction of writing.
const INVISIBLE: [char; 5] = ['\u{1b}', '\u{7}', '\u{202e}', '\u{2066}', '\u{0}'];

fn names() -> Vec<Vec<u8>> {
    vec![
        // A directory and a file in it: there is no `/` in a name.
        b"<script>alert(1)</script>".to_vec(),
        b"<img src=x onerror=alert(1)>.html".to_vec(),
        b"\" onmouseover=\"alert(1)\" '.html".to_vec(),
        b"line\nbreak\x1b[31m\x07.html".to_vec(),
        "invoice-\u{202e}lmth.exe\u{2066}.html".as_bytes().to_vec(),
        b"caf\xe9-\xff.html".to_vec(),
        b"100%25-&lt;-?a=b#c-+.html".to_vec(),
        [&b"long".repeat(61)[..], b".html"].concat(),
    ]
}

fn world() -> World {
    let world = World::new("databases: []");
    for name in names() {
        let path = world.root.join(Path::new(std::ffi::OsStr::from_bytes(&name)));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &name).unwrap();
    }
    world.init();
    world.backup();
    world
}

/// Nothing of a name was taken for markup, and nothing invisible is on the page.
#[track_caller]
fn assert_harmless(visitor: &Visitor, context: &str) {
    let browser = &visitor.browser;
    let made = By::css(
        "img, main script, [onmouseover], [onerror], body > :not(.skip, header, nav, main, footer, p)",
    );
    assert!(browser.texts(&made).is_empty(), "{context}: a name became markup");
    let text = browser.script("return document.documentElement.textContent", &json!([]));
    let text = text.as_str().unwrap_or_default();
    let found: Vec<_> = INVISIBLE.iter().filter(|letter| text.contains(**letter)).collect();
    assert!(found.is_empty(), "{context}: {found:?} in {text}");
}

#[test]
fn names_are_text_and_fit() {
    let visitor = Visitor::of(Server::of(world()));
    let browser = &visitor.browser;
    visitor.expect(401);
    visitor.open("/sites/demo");
    visitor.log_in(&visitor.server.token);
    let comment = By::label("Comment (optional)");
    visitor.expect(422);
    browser.fill(&comment, "\u{202e}backwards");
    browser.click(&By::button("Back up now"));
    browser.see("This is no comment");
    browser.click(&By::link("Back to demo"));
    browser.fill(&comment, &format!("<b>bold</b> {}", "long-".repeat(30)));
    for name in names() {
        let path = visitor.server.world.root.join(Path::new(std::ffi::OsStr::from_bytes(&name)));
        std::fs::write(path, "other").unwrap();
    }
    browser.click(&By::button("Back up now"));
    visitor.see_success();
    assert_harmless(&visitor, "run");
    browser.click(&By::css(".result a.button"));
    browser.see("<b>bold</b>");
    assert_harmless(&visitor, "snapshot");
    visitor.examine("hostile-snapshot");
    visitor.turn_to("Snapshots");
    assert_harmless(&visitor, "snapshots");
    visitor.examine("hostile-snapshots");
    browser.click(&By::button("Compare the two chosen"));
    browser.see("<img src=x onerror=alert(1)>.html");
    assert_harmless(&visitor, "compare");
    visitor.examine("hostile-compare");
    browser.fill(&By::label("Search all snapshots for a file"), "html");
    browser.submit(&By::label("Search all snapshots for a file"));
    browser.see("7 paths in 2 snapshots");
    assert_harmless(&visitor, "search");
    visitor.examine("hostile-search");
    browser.fill(&By::css("#q"), "<script>alert(1)<");
    browser.submit(&By::css("#q"));
    browser.see("script>alert(1)<");
    assert_harmless(&visitor, "search for markup");

    visitor.turn_to("Snapshots");
    browser.click(&By::css("table.snapshots tbody tr:last-child th a"));
    browser.click(&By::link("Browse files"));
    browser.see("<img src=x onerror=alert(1)>.html");
    assert_harmless(&visitor, "browse");
    visitor.examine("hostile-browse");
    // Each of them comes down, byte for byte; what has no name in text is brought back by a restore.
    browser.see("by a restore");
    let fetched = browser.script(
        "return Promise.all([...document.querySelectorAll('a[download]')].map((link) => fetch(link.href).then((answer) => answer.text())))",
        &json!([]),
    );
    let mut fetched: Vec<_> =
        fetched.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    let mut wanted: Vec<_> =
        names().into_iter().skip(1).filter_map(|name| String::from_utf8(name).ok()).collect();
    fetched.sort();
    wanted.sort();
    assert_eq!(fetched, wanted);
    browser.click(&By::link("<script>alert(1)</"));
    browser.see("script>");
    assert_harmless(&visitor, "browse below");

    visitor.turn_to("Restore");
    assert_harmless(&visitor, "restore");
    visitor.examine("hostile-restore");
    browser.click(&By::css("ul.moments li:last-child input"));
    browser.click(&By::button("Show what would change"));
    browser.see("Nothing is changed yet");
    assert_harmless(&visitor, "plan");
    visitor.examine("hostile-plan");
}
