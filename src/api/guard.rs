//! What every request passes: who asks, whether the token allows it, and whether it is too much.
//!
//! What a route needs is read from the same document that describes it. A route that says nothing lets nobody in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::audit::Entry;
use super::listen::{Peer, Way};
use super::office::Shared;
use super::page::Asker;
use super::problem::{Answer, Problem};
use super::session::{COOKIE, Visitor};
use crate::access::{Known, Scope};

/// The header by which a page's script shows that it is ours.
const CSRF_HEADER: &str = "x-csrf-token";

/// A plan takes minutes; streams begin at once and are not counted.
const PATIENCE: Duration = Duration::from_mins(11);

/// What a route asks of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Nothing in it is anybody's.
    Open,
    Scope(Scope),
}

/// By path and method what is asked of callers.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules(BTreeMap<String, BTreeMap<String, Rule>>);

/// Who asks, as far as handlers care.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) token: Known,
    /// Of a browser's session.
    pub(super) csrf: Option<String>,
}

impl Caller {
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.token.scopes.allow(scope)
    }
}

impl Rules {
    pub(super) fn add(&mut self, method: &Method, path: &str, rule: Rule) {
        self.0.entry(path.to_owned()).or_default().insert(method.as_str().to_owned(), rule);
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        for (path, rules) in other.0 {
            self.0.entry(path).or_default().extend(rules);
        }
        self
    }

    /// `None` of a path that there is not.
    fn find(&self, path: Option<&str>, method: &Method) -> Answer<Option<Rule>> {
        let Some(rules) = path.and_then(|path| self.0.get(path)) else { return Ok(None) };
        let method = if method == Method::HEAD { &Method::GET } else { method };
        rules.get(method.as_str()).copied().map(Some).ok_or_else(|| {
            let allowed: Vec<_> = rules.keys().map(String::as_str).collect();
            Problem::wrong_method(&allowed.join(", "))
        })
    }
}

/// Passes a request on, or refuses it.
pub(super) async fn guard(
    State((office, rules)): State<(Shared, Arc<Rules>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().cloned();
    let peer = peer.unwrap_or_else(|| Peer { name: "?".to_owned(), way: Way::Loopback });
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let asker = Asker::of(&request);
    let mut who = None;
    let checked = check(&office, &rules, &request, &peer, &mut who);
    let mut response = match checked {
        Ok(caller) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            match tokio::time::timeout(PATIENCE, next.run(request)).await {
                Ok(response) => response,
                Err(_) => Problem::overdue().into_response(),
            }
        }
        Err(problem) => problem.into_response(),
    };
    if let Some(asker) = asker {
        response = asker.shown(response);
    }
    protect(response.headers_mut());
    let status = response.status().as_u16();
    let gives_out = path.ends_with("/content") || path.ends_with("/sql");
    if !method.is_safe() || gives_out || matches!(status, 401 | 403 | 429) {
        let entry = Entry {
            at: Timestamp::now(),
            who: who.as_deref(),
            from: &peer.name,
            method: method.as_str(),
            path: &path,
            status,
        };
        if let Err(error) = office.audit.note(&entry) {
            office.complain(error.to_string());
        }
    }
    response
}

fn check(
    office: &Shared,
    rules: &Rules,
    request: &Request,
    peer: &Peer,
    who: &mut Option<String>,
) -> Answer<Option<Caller>> {
    let headers = request.headers();
    if peer.way == Way::Loopback && !is_local_host(headers) {
        return Err(Problem::forbidden("this name is not one of this machine's")
            .with_remedy("ask at 127.0.0.1 or localhost"));
    }
    let path = request.extensions().get::<MatchedPath>().map(|matched| matched.as_str().to_owned());
    let rule = rules.find(path.as_deref(), request.method());
    if let Ok(Some(Rule::Open)) = rule {
        return Ok(caller(office, headers, peer).ok().map(|(caller, _)| caller));
    }
    let (caller, visitor) = caller(office, headers, peer)?;
    *who = Some(caller.token.name.clone());
    let now = Instant::now();
    if !office.throttle.allows(&caller.token.id, now) {
        return Err(Problem::too_many("this token asks too often", 1));
    }
    match rule? {
        Some(Rule::Scope(scope)) if !caller.may(scope) => {
            return Err(Problem::forbidden(format!("this needs a token with the scope {scope}")));
        }
        Some(_) => {}
        None if path.is_some() => return Err(Problem::forbidden("nobody may do this")),
        None => return Err(Problem::not_found("there is no such route").with_remedy("see /v1/openapi.json")),
    }
    if let Some(visitor) = visitor
        && !request.method().is_safe()
    {
        is_our_page(headers, request.uri().path(), &visitor)?;
    }
    Ok(Some(caller))
}

/// Whose token or session it is.
fn caller(office: &Shared, headers: &HeaderMap, peer: &Peer) -> Answer<(Caller, Option<Visitor>)> {
    let bearer = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let cookie = cookie(headers);
    if bearer.is_none() && cookie.is_none() {
        return Err(Problem::unauthorized());
    }
    if let Some(cookie) = cookie.filter(|_| bearer.is_none()) {
        // A cookie of before is no guess: it says only that somebody has to log in again.
        let visitor = office.sessions.find(&cookie, Instant::now()).ok_or_else(Problem::unauthorized)?;
        let token = office.door.valid(&visitor.token).ok_or_else(Problem::unauthorized)?;
        return Ok((Caller { token, csrf: Some(visitor.csrf.clone()) }, Some(visitor)));
    }
    let text = bearer.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    });
    Ok((Caller { token: let_in(office, text, peer)?, csrf: None }, None))
}

/// Whoever guesses waits; who comes through the same proxy with a right token, which nobody can guess, does not.
pub(super) fn let_in(office: &Shared, token: Option<&str>, peer: &Peer) -> Answer<Known> {
    token.and_then(|token| office.door.find(token)).ok_or_else(|| {
        let now = Instant::now();
        if let Some(left) = office.throttle.must_wait(&peer.name, now) {
            return Problem::too_many("too many wrong tokens came from there", left.as_secs() + 1);
        }
        office.throttle.failed(&peer.name, now);
        Problem::unauthorized()
    })
}

/// The content of our cookie.
pub(super) fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then(|| value.to_owned())
    })
}

/// A browser sends our cookie along whoever made the page; only ours knows the word. A form says it in its body, where
/// [`super::extract::Form`] looks for it.
fn is_our_page(headers: &HeaderMap, path: &str, visitor: &Visitor) -> Answer<()> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let site = text(HeaderName::from_static("sec-fetch-site"));
    let elsewhere = site.is_some_and(|site| site != "same-origin" && site != "none");
    let form = !path.starts_with("/v1/")
        && text(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let sure = text(HeaderName::from_static(CSRF_HEADER)).is_some_and(|csrf| visitor.is_sure(csrf));
    if elsewhere || !(form || sure) {
        return Err(Problem::forbidden("this did not come from a page of this agent")
            .with_remedy("load the page anew and try again"));
    }
    Ok(())
}

/// Who has a name of theirs point here (DNS rebinding) gets nothing.
fn is_local_host(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_matches(['[', ']']);
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What a browser must not do with what it gets.
fn protect(headers: &mut HeaderMap) {
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                  form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let all = [
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    for (name, value) in all {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered_unencrypted() {
        let says = |host: &str| {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(host).unwrap())]);
            is_local_host(&headers)
        };
        for host in ["localhost", "localhost:8484", "127.0.0.1", "127.0.0.1:1", "[::1]:8484", "[::1]"] {
            assert!(says(host), "{host}");
        }
        for host in ["evil.example", "evil.example:8484", "10.0.0.1", "localhost.evil.example", ""] {
            assert!(!says(host), "{host}");
        }
        assert!(!is_local_host(&HeaderMap::new()));
    }
}
