//! The agent's page, in a real Chromium before a real agent: what people do there, in which light, and what they are refused.

mod hostile;
mod plain;
mod sessions;
mod sites;
mod story;

use std::cell::RefCell;

use serde_json::json;

use super::{Browser, By, assert_accessible};
use crate::api::Server;

/// Somebody before a browser that asks an agent.
struct Visitor {
    browser: Browser,
    server: Server,
    /// Parts of complaints of the console about what was meant to be.
    meant: RefCell<Vec<String>>,
}

impl Visitor {
    fn of(server: Server) -> Self {
        Self { browser: Browser::start(), server, meant: RefCell::default() }
    }

    fn open(&self, path: &str) {
        self.browser.open(&self.server.url(path));
    }

    /// With this token, from whatever page asks for one.
    #[track_caller]
    fn log_in(&self, token: &str) {
        self.browser.fill(&By::label("Token"), token);
        self.browser.click(&By::button("Sign in"));
        self.browser.wait_until("to be signed in", |page| page.shows(&By::button("Sign out")));
    }

    /// By the navigation on top of each page of a site.
    #[track_caller]
    fn turn_to(&self, tab: &str) {
        self.browser.click(&By::link(tab).within("nav.tabs"));
        let current = By::css("nav.tabs [aria-current]");
        self.browser.wait_until(&format!("for {tab}"), |page| page.texts(&current) == [tab]);
    }

    /// Waits for the end of the run that is shown, and wants it to be a good one.
    #[track_caller]
    fn see_success(&self) {
        let result = By::css("section.result");
        self.browser.wait_until("for the end of the run", |page| page.shows(&result));
        let said = self.browser.text(&result);
        assert!(said.contains("success"), "{said}\n{}", self.browser.page_text());
    }

    fn path(&self) -> String {
        let url = self.browser.url();
        url.strip_prefix(&self.server.url("")).unwrap_or(&url).to_owned()
    }

    /// A page with this status is meant to come: the console complains of each.
    fn expect(&self, status: u16) {
        self.meant.borrow_mut().push(format!("a status of {status} "));
    }

    /// The agent is meant to be gone for a while.
    fn expect_silence(&self) {
        for part in [
            "net::ERR_INCOMPLETE_CHUNKED_ENCODING",
            "net::ERR_CONNECTION_REFUSED",
            "net::ERR_CONNECTION_RESET",
        ] {
            self.meant.borrow_mut().push(part.to_owned());
        }
    }

    /// Nothing went wrong that was not meant to: no script, no file that is not there, nothing that the policy forbids.
    #[track_caller]
    fn assert_quiet(&self) {
        let meant = self.meant.borrow();
        let is_meant = |line: &String| meant.iter().any(|part| line.contains(part));
        let errors: Vec<_> =
            self.browser.console_errors().into_iter().filter(|line| !is_meant(line)).collect();
        assert!(errors.is_empty(), "{} errors in the console:\n{}", errors.len(), errors.join("\n"));
    }

    /// The page as it is now can be read and used by everybody, in light, in dark and on a phone; a picture of each is kept.
    #[track_caller]
    fn examine(&self, name: &str) {
        type Look = fn(&Browser);
        let looks: [(&str, Look); 3] = [
            ("light", |browser| browser.light()),
            ("dark", |browser| browser.dark()),
            ("phone", |browser| {
                browser.light();
                browser.phone();
            }),
        ];
        for (look, take) in looks {
            take(&self.browser);
            let context = format!("{name}, {look}");
            self.browser.screenshot(&format!("page-{name}-{look}"));
            assert_accessible(&self.browser, &context);
            self.assert_fits(&context);
        }
        self.browser.desktop();
        self.assert_quiet();
    }

    /// Nothing stands out to the right; what is wider scrolls in a box of its own.
    #[track_caller]
    fn assert_fits(&self, context: &str) {
        let wide = self.browser.script(
            "const room = document.documentElement.clientWidth;
             if (document.documentElement.scrollWidth <= room) return [];
             const clipped = (e) => { for (let up = e.parentElement; up; up = up.parentElement) if (getComputedStyle(up).overflowX !== 'visible') return true; return false; };
             return [...document.body.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > room + 1 && !clipped(e)).map((e) => `${e.tagName} ${e.className} ${Math.round(e.getBoundingClientRect().right)}`).concat([`room ${room}`]);",
            &json!([]),
        );
        assert_eq!(wide, json!([]), "{context}: it is wider than the window");
    }
}
