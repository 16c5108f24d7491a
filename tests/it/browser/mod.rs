//! Chromium, steered by a test as a person steers it: `Browser`. Tests that use one belong below this module, of which
//! one test at a time is run (`.config/nextest.toml`).
//!
//! The client of `WebDriver` is our own because it is small on top of what is here already (`ureq`, `serde_json`), and
//! because what a test needs most is not in the crates: every verb waits until it can be done, and says what the page
//! showed when it could not. They would bring an asynchronous runtime into tests that have nothing to do at the same time.

mod axe;
mod by;
mod driver;
mod harness;
mod look;
mod page;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(crate) use axe::{assert_accessible, violations};
pub(crate) use by::By;
use driver::{Driver, Element, Fault};

/// Everything on the page is there by then: two cores, and other tests beside.
const DEADLINE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(50);

/// No page has more that can be pressed before what is looked for.
const MOST_TABS: usize = 60;

/// One Chromium with one window, and nothing in common with another one's.
///
/// Verbs wait until what they are about is there, and panic at the deadline with what the page showed.
pub(crate) struct Browser {
    driver: Driver,
    deadline: Duration,
    /// What the console said so far; the driver tells each line once.
    console: RefCell<Vec<Value>>,
}

/// A cookie as the browser keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Cookie {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) path: String,
    pub(crate) http_only: bool,
    pub(crate) secure: bool,
    /// `Strict`, `Lax` or `None`.
    pub(crate) same_site: String,
}

impl Browser {
    /// A desktop's window, light, with scripts.
    pub(crate) fn start() -> Self {
        let browser = Self { driver: Driver::start(), deadline: DEADLINE, console: RefCell::new(Vec::new()) };
        browser.desktop();
        browser
    }

    #[track_caller]
    pub(crate) fn open(&self, url: &str) {
        self.insist(&format!("open {url}"), || self.driver.post("/url", &json!({"url": url})));
    }

    #[track_caller]
    pub(crate) fn reload(&self) {
        self.insist("reload", || self.driver.post("/refresh", &json!({})));
    }

    #[track_caller]
    pub(crate) fn url(&self) -> String {
        self.insist("the address", || self.driver.get("/url")).as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(crate) fn click(&self, by: &By) {
        self.with(&format!("click {by:?}"), by, |it| self.driver.post(&it.path("/click"), &json!({})));
    }

    /// Writes this instead of what the field holds.
    #[track_caller]
    pub(crate) fn fill(&self, by: &By, text: &str) {
        self.with(&format!("fill {by:?}"), by, |it| {
            self.driver.post(&it.path("/clear"), &json!({}))?;
            self.driver.post(&it.path("/value"), &json!({"text": text}))
        });
    }

    /// Writes this after what the field holds, key by key.
    #[track_caller]
    pub(crate) fn type_text(&self, by: &By, text: &str) {
        self.with(&format!("type into {by:?}"), by, |it| {
            self.driver.post(&it.path("/value"), &json!({"text": text}))
        });
    }

    /// Sends the form of this field, by the Enter key.
    #[track_caller]
    pub(crate) fn submit(&self, by: &By) {
        self.type_text(by, "\u{e007}");
    }

    /// Chooses the option with this text from a list.
    #[track_caller]
    pub(crate) fn select(&self, by: &By, option: &str) {
        self.with(&format!("select {option} in {by:?}"), by, |it| {
            let find = "return [...arguments[0].options].find(o => o.label.trim() === arguments[1])";
            let found = self.driver.script(find, &json!([it.reference(), option]))?;
            let Some(option) = Element::of(&found) else {
                return Err(Fault::new("no such element", "there is no such option"));
            };
            self.driver.post(&option.path("/click"), &json!({}))
        });
    }

    /// Presses a key where the focus is: one letter, or `Tab`, `Enter`, `Escape`, `Space`, an arrow such as `Down`; with
    /// `Shift+` or `Control+` before it where wanted.
    #[track_caller]
    pub(crate) fn press(&self, keys: &str) {
        let codes: Vec<String> = keys.split('+').map(key_code).collect();
        let down = codes.iter().map(|code| json!({"type": "keyDown", "value": code}));
        let up = codes.iter().rev().map(|code| json!({"type": "keyUp", "value": code}));
        let moves: Vec<Value> = down.chain(up).collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": moves}]});
        self.insist(&format!("press {keys}"), || self.driver.post("/actions", &actions));
    }

    /// Types where the focus is.
    #[track_caller]
    pub(crate) fn write(&self, text: &str) {
        let keys = text.chars().map(String::from);
        let moves = keys.flat_map(|key| ["keyDown", "keyUp"].map(|way| json!({"type": way, "value": key})));
        let moves: Vec<Value> = moves.collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": moves}]});
        self.insist("type", || self.driver.post("/actions", &actions));
    }

    /// Goes by `Tab` from one to the next until this has the focus, as `focused` says it.
    #[track_caller]
    pub(crate) fn tab_to(&self, wanted: &str) {
        let mut passed = Vec::new();
        loop {
            let focused = self.focused();
            if focused == wanted {
                break;
            }
            passed.push(focused);
            assert!(passed.len() < MOST_TABS, "{wanted} is not reached by {passed:?}");
            self.press("Tab");
        }
    }

    /// Role and name of what has the focus, such as `button Back up now`.
    #[track_caller]
    pub(crate) fn focused(&self) -> String {
        self.insist("the focus", || {
            let active = self.driver.get("/element/active")?;
            let it = Element::of(&active).ok_or_else(|| Fault::new("no such element", "nothing has it"))?;
            let role = self.driver.get(&it.path("/computedrole"))?;
            let name = self.driver.get(&it.path("/computedlabel"))?;
            let said = [role, name].map(|word| word.as_str().unwrap_or_default().to_owned());
            Ok(said.join(" ").trim().to_owned())
        })
    }

    /// As a person sees it.
    #[track_caller]
    pub(crate) fn text(&self, by: &By) -> String {
        self.with(&format!("the text of {by:?}"), by, |it| Ok(said(&self.driver.get(&it.path("/text"))?)))
    }

    /// Of all that are there now, without waiting.
    #[track_caller]
    pub(crate) fn texts(&self, by: &By) -> Vec<String> {
        self.insist(&format!("the texts of {by:?}"), || {
            let all = by.all(&self.driver)?;
            all.iter().map(|it| Ok(said(&self.driver.get(&it.path("/text"))?))).collect()
        })
    }

    #[track_caller]
    pub(crate) fn attribute(&self, by: &By, name: &str) -> Option<String> {
        self.with(&format!("{name} of {by:?}"), by, |it| {
            let value = self.driver.get(&it.path(&format!("/attribute/{name}")))?;
            Ok(value.as_str().map(str::to_owned))
        })
    }

    /// What a field holds.
    #[track_caller]
    pub(crate) fn value(&self, by: &By) -> String {
        self.with(&format!("the value of {by:?}"), by, |it| {
            Ok(said(&self.driver.get(&it.path("/property/value"))?))
        })
    }

    /// Whether it can be seen now, without waiting.
    pub(crate) fn shows(&self, by: &By) -> bool {
        by.one(&self.driver).is_ok()
    }

    /// The whole page's text as a person sees it.
    pub(crate) fn page_text(&self) -> String {
        let body = self.driver.script("return document.body?.innerText ?? ''", &json!([]));
        body.map_or_else(|fault| format!("({fault})"), |text| said(&text))
    }

    /// Waits until the page has this text.
    #[track_caller]
    pub(crate) fn see(&self, text: &str) {
        self.wait_until(&format!("to see \"{text}\""), |page| page.page_text().contains(text));
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        self.insist(&format!("wait {what}"), || {
            if holds(self) { Ok(()) } else { Err(Fault::new("not yet", "it did not come to be")) }
        });
    }

    /// Runs `script` in the page, whatever the page's policy, with `arguments[0]` and on; what it returns.
    #[track_caller]
    pub(crate) fn script(&self, script: &str, arguments: &Value) -> Value {
        self.insist(&format!("run {script:.60}"), || self.driver.script(script, arguments))
    }

    /// Waits for a file that the page has let down under this name, and reads it.
    #[track_caller]
    pub(crate) fn download(&self, name: &str) -> Vec<u8> {
        let path = self.driver.path("downloads").join(name);
        // It has another name until it is whole.
        self.wait_until(&format!("for the download {name}"), |_| path.is_file());
        std::fs::read(path).unwrap()
    }

    /// Those that would be sent to the page that is open.
    #[track_caller]
    pub(crate) fn cookies(&self) -> Vec<Cookie> {
        let found = self.insist("the cookies", || self.driver.get("/cookie"));
        let cookies = found.as_array().into_iter().flatten();
        let cookies = cookies.map(|cookie| Cookie {
            name: said(&cookie["name"]),
            value: said(&cookie["value"]),
            path: said(&cookie["path"]),
            http_only: cookie["httpOnly"] == true,
            secure: cookie["secure"] == true,
            same_site: said(&cookie["sameSite"]),
        });
        cookies.collect()
    }

    #[track_caller]
    pub(crate) fn delete_cookie(&self, name: &str) {
        self.insist(&format!("delete the cookie {name}"), || self.driver.delete(&format!("/cookie/{name}")));
    }

    /// All errors that the console has had so far: of scripts, of what could not be loaded, and all that the page's
    /// content security policy has forbidden. A page that is answered with 4xx or 5xx is one of them.
    #[track_caller]
    pub(crate) fn console_errors(&self) -> Vec<String> {
        let news = self.insist("the console", || self.driver.post("/se/log", &json!({"type": "browser"})));
        let mut console = self.console.borrow_mut();
        console.extend(news.as_array().into_iter().flatten().cloned());
        let errors = console.iter().filter(|line| line["level"] == "SEVERE" || line["source"] == "security");
        errors.map(|line| format!("{}: {}", said(&line["source"]), said(&line["message"]))).collect()
    }

    #[track_caller]
    pub(crate) fn assert_no_console_errors(&self) {
        let errors = self.console_errors();
        assert!(errors.is_empty(), "{} errors in the console:\n{}", errors.len(), errors.join("\n"));
    }

    #[track_caller]
    fn with<T>(&self, what: &str, by: &By, act: impl Fn(&Element) -> Result<T, Fault>) -> T {
        self.insist(what, || act(&by.one(&self.driver)?))
    }

    /// Tries until it succeeds: what is not there may come, what is stale is found anew, what is covered is laid bare.
    #[track_caller]
    fn insist<T>(&self, what: &str, mut attempt: impl FnMut() -> Result<T, Fault>) -> T {
        let begun = Instant::now();
        loop {
            match attempt() {
                Ok(done) => return done,
                Err(fault) if fault.is_final() || begun.elapsed() > self.deadline => {
                    panic!("{what}: {fault}\n{}", self.describe())
                }
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// What a person would have before the eyes, for the report of a failure.
    fn describe(&self) -> String {
        let word = |path| self.driver.get(path).map_or_else(|fault| format!("({fault})"), |word| said(&word));
        let text: String = self.page_text().chars().take(4000).collect();
        format!("-- {} \"{}\"\n{text}\n--", word("/url"), word("/title"))
    }
}

fn said(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn key_code(name: &str) -> String {
    let code = match name {
        "Tab" => "\u{e004}",
        "Enter" => "\u{e007}",
        "Shift" => "\u{e008}",
        "Control" => "\u{e009}",
        "Escape" => "\u{e00c}",
        "Space" => " ",
        "Left" => "\u{e012}",
        "Up" => "\u{e013}",
        "Right" => "\u{e014}",
        "Down" => "\u{e015}",
        letter if letter.chars().count() == 1 => letter,
        other => panic!("no key is called {other}"),
    };
    code.to_owned()
}
