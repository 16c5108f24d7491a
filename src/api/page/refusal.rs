//! What a person with a browser is shown where a program gets a problem document.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::icons::Mark;
use super::login::{self, Why};
use super::words::shown;
use super::{frame, visit};
use crate::api::guard::cookie;
use crate::api::problem::Problem;
use crate::api::session::COOKIE;

/// A browser that asks for a page.
pub(in crate::api) struct Asker {
    /// Where to come back to.
    page: String,
    /// Nothing is changed by what it asks for.
    safe: bool,
    was_logged_in: bool,
    origin: Origin,
}

/// What made a browser ask.
#[derive(PartialEq, Eq)]
enum Origin {
    /// A person.
    Here,
    /// Our script, which shows nobody what it is answered.
    Script,
    /// A link on somebody else's page: our cookie was not sent because of that.
    Elsewhere,
}

impl Asker {
    /// `None` of whoever reads documents better.
    pub(in crate::api) fn of(request: &Request) -> Option<Self> {
        let headers = request.headers();
        let path = request.uri().path();
        let program = path.starts_with("/v1/") || ["/v1", "/metrics", "/healthz", "/readyz"].contains(&path);
        if program || path.starts_with("/assets/") || !wants_html(headers) {
            return None;
        }
        let safe = request.method() == Method::GET || request.method() == Method::HEAD;
        let page = match request.uri().path_and_query() {
            Some(whole) if safe => whole.as_str().to_owned(),
            _ => site(path).map_or_else(|| "/".to_owned(), |site| format!("/sites/{site}")),
        };
        let said = |name| headers.get(HeaderName::from_static(name)).and_then(|value| value.to_str().ok());
        Some(Self {
            page,
            safe,
            was_logged_in: cookie(headers).is_some_and(|cookie| !cookie.is_empty()),
            origin: if said("sec-fetch-dest") == Some("empty") {
                Origin::Script
            } else if safe && said("sec-fetch-site") == Some("cross-site") {
                Origin::Elsewhere
            } else {
                Origin::Here
            },
        })
    }

    /// The same answer; as a page, if it is a problem.
    pub(in crate::api) fn shown(&self, answer: Response) -> Response {
        let Some(problem) = answer.extensions().get::<Problem>() else { return answer };
        let status = problem.status();
        let page = if status == StatusCode::UNAUTHORIZED { self.login() } else { self.refusal(problem) };
        let mut response = (status, page).into_response();
        for name in [header::WWW_AUTHENTICATE, header::RETRY_AFTER] {
            if let Some(value) = answer.headers().get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        if status == StatusCode::UNAUTHORIZED && self.origin == Origin::Elsewhere && !self.was_logged_in {
            // Asked for by our own page, the browser sends the cookie, if it has one.
            response.headers_mut().insert(HeaderName::from_static("refresh"), HeaderValue::from_static("0"));
        }
        // A script loads the page anew, which says by the cookie that there was a session.
        if status == StatusCode::UNAUTHORIZED && self.was_logged_in && self.origin != Origin::Script {
            let gone =
                HeaderValue::from_str(&format!("{COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0"));
            response.headers_mut().extend(gone.ok().map(|gone| (header::SET_COOKIE, gone)));
        }
        response
    }

    fn login(&self) -> super::Page {
        let next = if self.page == "/login" || self.page == "/logout" { "/" } else { &self.page };
        let why = match (self.was_logged_in, self.safe) {
            (true, true) => Why::Ended,
            (true, false) => Why::NotDone,
            (false, _) => Why::Plain,
        };
        login::page(why, next)
    }

    fn refusal(&self, problem: &Problem) -> super::Page {
        // The site itself may be what there is not.
        let deep = self.page.matches('/').count() > 2;
        let (back, text) = match site(&self.page) {
            Some(site) if deep || problem.status() != StatusCode::NOT_FOUND => {
                (format!("/sites/{site}"), format!("Back to {site}"))
            }
            _ => ("/".to_owned(), "To all sites".to_owned()),
        };
        let content = html! {
            section.card.refusal {
                h1 { (Mark::Attention.icon()) (problem.title()) }
                (told(problem))
                p { a.button href=(back) { (text) } }
            }
        };
        frame::plain(None, problem.title(), &content, false)
    }
}

/// What happened and what can be done, inside of a page that has more to say.
pub(super) fn told(problem: &Problem) -> Markup {
    html! {
        p { (sentence(problem.detail())) }
        @if let Some(remedy) = problem.remedy() {
            p.remedy { strong { "What helps: " } (shown(remedy)) }
        }
        @if !problem.mistakes().is_empty() {
            ul { @for mistake in problem.mistakes() { li { code { (shown(&mistake.path)) } ": " (shown(&mistake.text)) } } }
        }
    }
}

/// A part of a page that cannot be shown, without keeping the rest from anybody.
pub(super) fn unknown(what: &str, problem: &Problem) -> Markup {
    html! {
        div.note.attention {
            p { strong { (what) } }
            (told(problem))
        }
    }
}

/// Errors begin small, as they stand behind others.
fn sentence(text: &str) -> String {
    let text = shown(text);
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The name of the site in a path, as it can stand in another one.
fn site(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/sites/")?;
    let name = rest.split(['/', '?']).next().filter(|name| !name.is_empty())?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    plain.then(|| visit::encoded(name))
}
