//! A ping as healthchecks takes it: one address for each check, with `/start` and `/fail` behind it.

use std::time::Duration;

use super::http::{self, Request};
use super::letter::Letter;
use super::send::{Sent, Trouble};
use super::spec::{Method, PingSpec, Word};
use crate::sys::secret::Secret;

/// The service keeps no more, in bytes.
const LONGEST: usize = 10_000;

pub(super) fn send(spec: &PingSpec, letter: &Letter, patience: Duration) -> Sent {
    let url = spec.url.fetch()?;
    let url = Secret::new(address(url.reveal(), letter));
    let mut body = format!("{}\n\n{}", letter.title, letter.text);
    let end = (0..=LONGEST.min(body.len())).rev().find(|end| body.is_char_boundary(*end));
    body.truncate(end.unwrap_or(0));
    let kind = [("Content-Type".to_owned(), Secret::new("text/plain; charset=utf-8"))];
    let answer = http::send(&Request {
        url: &url,
        method: Method::Post,
        headers: &kind,
        confidential: false,
        body: &body,
        ca: spec.ca.as_deref(),
        patience,
        id: &letter.id,
    })?;
    // By a check's UUID the service answers 200 whatever comes of it.
    if answer.ends_with("(not found)") {
        return Err(Trouble::Never(format!("there is no such check: the service answered {answer}")));
    }
    if answer.ends_with("(rate limited)") {
        return Err(Trouble::later(format!("too many pings: the service answered {answer}")));
    }
    Ok(answer)
}

/// The check's address with what happened behind its path, and for a run with a number by which start and end are told to
/// belong together.
fn address(url: &str, letter: &Letter) -> String {
    let (path, query) =
        url.trim().split_once('?').map_or((url.trim(), None), |(path, query)| (path, Some(query)));
    let what = match letter.event {
        Word::Started => "/start",
        Word::Success => "",
        // Noted there, and neither good nor bad.
        Word::Test => "/log",
        _ => "/fail",
    };
    let run = letter.run.as_deref().filter(|run| !run.is_empty()).map(|run| format!("rid={}", number(run)));
    let queries: Vec<&str> = query.into_iter().chain(run.as_deref()).collect();
    let mark = if queries.is_empty() { "" } else { "?" };
    format!("{}{what}{mark}{}", path.trim_end_matches('/'), queries.join("&"))
}

/// A UUID that is made of the run's name, and always the same.
fn number(run: &str) -> String {
    let hash = blake3::hash(run.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::occasion::Occasion;

    #[test]
    fn start_and_end_of_a_run_have_the_same_number() {
        let spec = crate::notify::spec::NotifySpec {
            channels: Vec::new(),
            alerts: crate::notify::spec::AlertSpec::default(),
            zone: jiff::tz::TimeZone::UTC,
            config: "/c".into(),
            patience: Duration::from_secs(1),
        };
        let run = crate::event::RunState { run: "r1".to_owned(), ..crate::event::RunState::default() };
        let now = jiff::Timestamp::UNIX_EPOCH;
        let of = |occasion: &Occasion| Letter::new(&spec, "s", occasion, "i".to_owned(), now);
        let start = address("https://hc/UUID/?create=1", &of(&Occasion::Started(run.clone())));
        let end = address(" https://hc/UUID", &of(&Occasion::Crashed { run, streak: None }));
        let id = number("r1");
        assert_eq!(start, format!("https://hc/UUID/start?create=1&rid={id}"));
        assert_eq!(end, format!("https://hc/UUID/fail?rid={id}"));
        assert_eq!((id.len(), &id[14..15]), (36, "8"));
        assert_eq!(address("https://hc/UUID", &Letter::test(&spec, "s", now)), "https://hc/UUID/log");
    }
}
