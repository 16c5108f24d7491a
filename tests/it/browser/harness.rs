//! The harness itself: that each verb does what it says, and that what must be found is found.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::json;

use super::driver::users_of;
use super::{Browser, By, assert_accessible, violations};
use crate::stage::{Page, Stage};

const HTML: &str = "text/html; charset=utf-8";
const POLICY: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'";

const SCRIPT: &str = "
document.querySelector('#start').addEventListener('click', () => {
  setTimeout(() => { document.querySelector('[role=status]').textContent = 'The backup is done' }, 300);
});
document.querySelector('#late').addEventListener('click', () => {
  // What is meant is replaced while it is waited for.
  document.querySelector('[role=status]').outerHTML = '<p role=status>Replaced</p>';
});
";

const STYLE: &str = "
body { background: #fff; color: #111; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } a { color: #9cf; } }
.wide { display: block; } .narrow { display: none; }
@media (max-width: 600px) { .wide { display: none; } .narrow { display: block; } }
.pale { color: #ccc; background: #fff; }
";

/// A page as ours are: policy, one style, one script, a form.
fn page(more: &str) -> String {
    format!(
        "<!doctype html><html lang=en><head><title>Stage</title>\
         <meta name=viewport content='width=device-width, initial-scale=1'>\
         <link rel=icon href='/icon.svg'><link rel=stylesheet href='/style.css'></head><body><main><h1>Shop</h1>\
         <p class=wide>A wide window</p><p class=narrow>A narrow window</p><p role=status>Nothing runs</p>\
         <noscript><p>Without scripts</p></noscript>\
         <button id=start>Back up now</button><button id=late>Replace</button>\
         <form action=/sent><label for=name>Name of the site</label> <input id=name name=name value=old>\
         <label>Moment <select name=moment><option value=1>Yesterday<option value=2>Today</select></label>\
         <button>Send</button></form>\
         <nav><a href='/dump.sql' download>Download</a> <a href='/other'>Other</a></nav>\
         <ul><li><button>Open</button><li><button>Open</button></ul>{more}</main>\
         <script src='/script.js'></script></body></html>"
    )
}

fn stage() -> Stage {
    Stage::start(|asked| {
        let (path, _) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let page = match path {
            "/" => Page::new(200, HTML, page(""))
                .with("Set-Cookie: session=secret; Path=/; HttpOnly; SameSite=Strict"),
            "/pale" => Page::new(200, HTML, page("<p class=pale>Hard to read</p><input>")),
            "/forbidden" => Page::new(200, HTML, page("<script>document.title = 'inline'</script>")),
            "/sent" => Page::new(200, HTML, page(&format!("<p id=got>{}</p>", asked.path))),
            "/other" if asked.head.contains("session=secret") => Page::new(200, HTML, page("<p>Known</p>")),
            "/other" => Page::new(200, HTML, page("<p>Unknown</p>")),
            "/script.js" => Page::new(200, "text/javascript", SCRIPT),
            "/style.css" => Page::new(200, "text/css", STYLE),
            "/icon.svg" => Page::new(200, "image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
            "/dump.sql" => Page::new(200, "application/octet-stream", "SELECT 1;"),
            _ => Page::new(404, HTML, "nothing here"),
        };
        page.with(POLICY)
    })
}

fn opened(path: &str) -> (Stage, Browser) {
    let (stage, browser) = (stage(), Browser::start());
    browser.open(&stage.url(path));
    (stage, browser)
}

/// The message of the panic that this must end in.
fn failure_of(act: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(act)).expect_err("it must fail");
    panic.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn a_form_is_filled_and_sent_and_what_comes_late_is_waited_for() {
    let (stage, browser) = opened("/");
    browser.click(&By::button("Back up now"));
    browser.see("The backup is done");
    browser.click(&By::button("Replace"));
    browser.wait_until("for another status", |page| page.text(&By::css("[role=status]")) == "Replaced");

    browser.fill(&By::label("Name of the site"), "shop");
    browser.type_text(&By::label("Name of the site"), "-2");
    assert_eq!(browser.value(&By::label("Name of the site")), "shop-2");
    browser.select(&By::label("Moment"), "Today");
    browser.click(&By::button("Send"));
    browser.see("/sent?name=shop-2&moment=2");
    browser.submit(&By::label("Name of the site"));
    browser.see("/sent?name=old&moment=1");
    assert!(browser.url().starts_with(&stage.url("/sent?")));

    assert_eq!(browser.texts(&By::button("Open")).len(), 2);
    assert_eq!(browser.text(&By::button("Open").within("li:last-child")), "Open");
    assert_eq!(browser.text(&By::button("Open").nth(1)), "Open");
    assert!(!browser.shows(&By::button("Open").nth(2)) && !browser.shows(&By::button("Open")));
    assert_eq!(browser.attribute(&By::link("Other"), "href").as_deref(), Some("/other"));
    assert_eq!(browser.attribute(&By::link("Other"), "title"), None);
    assert_eq!(browser.script("return arguments[0] + 1", &json!([1])), 2);
    browser.assert_no_console_errors();
}

#[test]
fn the_keyboard_goes_from_one_to_the_next() {
    let (_stage, browser) = opened("/");
    browser.press("Tab");
    assert_eq!(browser.focused(), "button Back up now");
    browser.press("Tab");
    browser.press("Tab");
    assert_eq!(browser.focused(), "textbox Name of the site");
    browser.press("x");
    browser.press("Shift+Tab");
    assert_eq!(browser.focused(), "button Replace");
    browser.press("Enter");
    browser.see("Replaced");
}

#[test]
fn light_dark_phone_and_desktop_are_what_the_page_sees_and_the_picture_shows() {
    let (_stage, browser) = opened("/");
    let background = "return getComputedStyle(document.body).backgroundColor";
    let width = "return document.documentElement.clientWidth";
    assert_eq!(browser.script(background, &json!([])), "rgb(255, 255, 255)");
    assert_eq!(browser.script(width, &json!([])), 1280);
    assert!(browser.page_text().contains("A wide window"));
    let light = std::fs::read(browser.screenshot("harness-light")).unwrap();

    browser.dark();
    browser.reload();
    assert_eq!(browser.script(background, &json!([])), "rgb(17, 17, 17)");
    browser.phone();
    assert_eq!(browser.script(width, &json!([])), 390);
    assert!(browser.page_text().contains("A narrow window"));
    let dark = std::fs::read(browser.screenshot("harness-dark-phone")).unwrap();

    // Width and height in a PNG's first chunk.
    let size = |png: &[u8]| [16, 20].map(|at| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()));
    assert_eq!((size(&light)[0], size(&dark)[0]), (1280, 780));
    assert!(size(&light)[1] >= 900 && size(&dark)[1] >= 844 * 2, "{:?} {:?}", size(&light), size(&dark));

    browser.light();
    browser.desktop();
    assert_eq!(browser.script(background, &json!([])), "rgb(255, 255, 255)");
}

#[test]
fn without_scripts_the_page_is_still_steered() {
    let (stage, browser) = opened("/");
    assert!(!browser.page_text().contains("Without scripts"));
    browser.without_scripts();
    browser.open(&stage.url("/"));
    browser.see("Without scripts");
    browser.click(&By::button("Back up now"));
    browser.fill(&By::label("Name of the site"), "plain");
    browser.click(&By::button("Send"));
    browser.see("/sent?name=plain");
    assert!(browser.page_text().contains("Nothing runs"));
}

#[test]
fn what_is_hard_to_use_is_named() {
    let (stage, browser) = opened("/");
    assert_accessible(&browser, "the page as it should be");
    browser.open(&stage.url("/pale"));
    let found = violations(&browser);
    let said = found.join("\n");
    assert_eq!(found.len(), 2, "{said}");
    assert!(said.contains("color-contrast") && said.contains("Hard to read"), "{said}");
    assert!(said.contains("label (critical)") && said.contains("<input>"), "{said}");
    let failure = failure_of(|| assert_accessible(&browser, "light, desktop"));
    assert!(failure.starts_with("light, desktop: 2 violations"), "{failure}");
}

#[test]
fn what_the_policy_forbids_and_what_is_not_there_are_errors() {
    let (stage, browser) = opened("/");
    browser.assert_no_console_errors();
    browser.open(&stage.url("/forbidden"));
    let errors = browser.console_errors();
    assert!(!errors.is_empty(), "an inline script was let through");
    assert!(errors.iter().all(|error| error.contains("Content Security Policy")), "{errors:?}");
    browser.script("setTimeout(() => { throw new Error('broken') })", &json!([]));
    browser.wait_until("for the error", |page| page.console_errors().len() > errors.len());
    let failure = failure_of(|| browser.assert_no_console_errors());
    assert!(failure.contains("Content Security Policy") && failure.contains("broken"), "{failure}");
}

#[test]
fn cookies_are_read_with_their_flags_and_taken_away_and_downloads_arrive_whole() {
    let (_stage, browser) = opened("/");
    let cookies = browser.cookies();
    let [cookie] = &cookies[..] else { panic!("{cookies:?}") };
    assert_eq!([&*cookie.name, &*cookie.value, &*cookie.path], ["session", "secret", "/"]);
    assert!(cookie.http_only && !cookie.secure && cookie.same_site == "Strict", "{cookie:?}");
    browser.click(&By::link("Download"));
    assert_eq!(browser.download("dump.sql"), b"SELECT 1;");
    browser.click(&By::link("Other"));
    browser.see("Known");
    browser.delete_cookie("session");
    assert!(browser.cookies().is_empty());
    browser.reload();
    browser.see("Unknown");
}

#[test]
fn a_failure_says_what_the_page_showed_and_leaves_no_browser() {
    let (_stage, mut browser) = opened("/");
    browser.deadline = Duration::from_millis(200);
    let failure = failure_of(|| browser.see("What never comes"));
    for part in ["What never comes", "\"Stage\"", "Nothing runs"] {
        assert!(failure.contains(part), "{failure}");
    }
    let failure = failure_of(|| browser.click(&By::button("Open")));
    assert!(failure.contains("there are 2"), "{failure}");
    let failure = failure_of(|| browser.click(&By::css("]")));
    assert!(failure.contains("invalid selector"), "{failure}");

    let home = browser.driver.path("");
    assert!(!users_of(&home).is_empty());
    let failure = failure_of(move || {
        let browser = browser;
        browser.click(&By::button("Missing"));
    });
    assert!(failure.contains("0 are shown"), "{failure}");
    assert!(users_of(&home).is_empty() && !home.exists());
}
