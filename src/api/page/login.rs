//! Logging in with a token, and out.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use maud::{Markup, html};
use serde::Deserialize;

use super::{Page, frame};
use crate::api::extract::{Asked, Form as OurForm};
use crate::api::guard::{cookie, let_in};
use crate::api::listen::{Peer, Way};
use crate::api::office::Shared;
use crate::api::problem::{Answer, Problem};
use crate::api::session::COOKIE;

/// Why somebody sees the form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// They want to.
    Plain,
    /// They were logged in.
    Ended,
    /// What they sent was not done, because they were logged in no more.
    NotDone,
    Wrong,
    LoggedOut,
}

#[derive(Deserialize)]
pub(super) struct Next {
    next: Option<String>,
}

pub(super) async fn form(Asked(asked): Asked<Next>) -> Page {
    page(Why::Plain, asked.next.as_deref().unwrap_or("/"))
}

#[derive(Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    token: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn log_in(
    State(office): State<Shared>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Answer<Response> {
    let headers = request.headers().clone();
    is_our_form(&headers)?;
    let filled = <Form<Filled> as axum::extract::FromRequest<_>>::from_request(request, &office).await;
    let Form(filled) = filled
        .map_err(|rejection| Problem::bad_request(StatusCode::UNPROCESSABLE_ENTITY, rejection.body_text()))?;
    let next = local(&filled.next);
    let token = match let_in(&office, Some(filled.token.trim()), &peer) {
        Ok(token) => token,
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            return Ok((StatusCode::UNAUTHORIZED, page(Why::Wrong, next)).into_response());
        }
        Err(problem) => return Err(problem),
    };
    if let Some(former) = cookie(&headers) {
        office.sessions.end(&former);
    }
    let session = office.sessions.begin(&token.id, Instant::now());
    Ok(with_cookie(Redirect::to(next), &session, peer.way, ""))
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

pub(super) async fn log_out(
    State(office): State<Shared>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    OurForm(Nothing {}): OurForm<Nothing>,
) -> Response {
    if let Some(cookie) = cookie(&headers) {
        office.sessions.end(&cookie);
    }
    with_cookie(page(Why::LoggedOut, "/"), "", peer.way, "; Max-Age=0")
}

fn with_cookie(answer: impl IntoResponse, value: &str, way: Way, more: &str) -> Response {
    let secure = if way == Way::Tls { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/{secure}{more}");
    let mut response = answer.into_response();
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// Nobody is logged in yet, so there is no word that only our pages know: the browser says who made the form.
fn is_our_form(headers: &HeaderMap) -> Answer<()> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let elsewhere = match text(HeaderName::from_static("sec-fetch-site")) {
        Some(site) => site != "same-origin" && site != "none",
        // Older browsers say at least from where.
        None => text(header::ORIGIN).is_some_and(|origin| {
            let host = origin.split_once("://").map(|(_, host)| host);
            host != text(header::HOST)
        }),
    };
    if elsewhere {
        return Err(Problem::forbidden("this form did not come from a page of this agent")
            .with_remedy("open the login page and try again"));
    }
    Ok(())
}

/// A page of ours; whatever could lead elsewhere leads to the first one.
fn local(next: &str) -> &str {
    let plain = next.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b'\\');
    if next.starts_with('/') && !next.starts_with("//") && plain { next } else { "/" }
}

/// The form.
pub(super) fn page(why: Why, next: &str) -> Page {
    frame::plain(None, "Sign in", &content(why, local(next)), false)
}

fn content(why: Why, next: &str) -> Markup {
    let said = match why {
        Why::Plain => None,
        Why::Ended => Some("Your session has ended. Sign in again to go on where you were."),
        Why::NotDone => Some("Your session has ended, and nothing was done. Sign in again, and repeat it."),
        Why::Wrong => Some("This token lets nobody in. It may be mistyped, revoked or expired."),
        Why::LoggedOut => Some("You are signed out."),
    };
    html! {
        section.login.card {
            h1 { "Sign in" }
            @if let Some(said) = said {
                p.note.bad[why == Why::Wrong] #why role="alert" { (said) }
            }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                label for="token" { "Token" }
                input #token type="password" name="token" required autofocus autocomplete="current-password"
                    aria-invalid=[(why == Why::Wrong).then_some("true")] aria-describedby=[said.map(|_| "why")]
                    spellcheck="false" autocapitalize="off";
                button.primary type="submit" { "Sign in" }
            }
            p.hint { "An administrator of this machine makes one with " code { "lifeboat token add NAME --scope read" } "." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_nowhere_else() {
        for good in ["/", "/sites/shop?at=1", "/sites/a/snapshots/b/browse?path=%2Fx"] {
            assert_eq!(local(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "evil",
            "/\t/evil",
            "/a\nb",
            "/ä",
        ] {
            assert_eq!(local(bad), "/", "{bad:?}");
        }
    }
}
