//! A webhook: the letter as JSON, or what a template makes of it, for any service that takes a request.

use std::time::Duration;

use super::http::{self, Request};
use super::letter::Letter;
use super::send::{Sent, Trouble};
use super::spec::{Value, WebhookSpec};
use super::template;
use crate::sys::secret::Secret;

const CONTENT_TYPE: &str = "Content-Type";

/// Headers that belong to the connection.
const NOT_OURS: [&str; 7] =
    ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"];

pub(super) fn send(spec: &WebhookSpec, letter: &Letter, patience: Duration) -> Sent {
    let url = spec.url.fetch()?;
    let (mut headers, mut confidential) = (Vec::new(), false);
    for (name, value) in &spec.headers {
        headers.push((
            name.clone(),
            match value {
                Value::Plain(text) => Secret::new(text.as_str()),
                Value::Hidden(hidden) => {
                    confidential = true;
                    hidden.fetch()?
                }
            },
        ));
    }
    let said = content_type(spec);
    let body = match &spec.body {
        Some(text) => template::render(text, letter)
            .map_err(|why| Trouble::Never(format!("its body cannot be made: {why}")))?,
        None => serde_json::to_string(letter).map_err(|error| Trouble::Never(error.to_string()))?,
    };
    let json = spec.body.as_deref().is_none_or(|text| template::is_json(said, text));
    if json && serde_json::from_str::<serde::de::IgnoredAny>(&body).is_err() {
        return Err(Trouble::Never("its body came out as something that is not JSON".to_owned()));
    }
    if said.is_none() {
        let kind = if json { "application/json" } else { "text/plain; charset=utf-8" };
        headers.push((CONTENT_TYPE.to_owned(), Secret::new(kind)));
    }
    http::send(&Request {
        url: &url,
        method: spec.method,
        headers: &headers,
        confidential,
        body: &body,
        ca: spec.ca.as_deref(),
        patience,
        id: &letter.id,
    })
}

fn content_type(spec: &WebhookSpec) -> Option<&str> {
    spec.headers.iter().find_map(|(name, value)| match value {
        Value::Plain(text) if name.eq_ignore_ascii_case(CONTENT_TYPE) => Some(text.as_str()),
        _ => None,
    })
}

/// A header that a configuration may set.
pub fn is_header_name(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty()
        && name.len() <= 100
        && name.bytes().all(token)
        && !NOT_OURS.contains(&name.to_ascii_lowercase().as_str())
}

/// A value that a header may have.
pub fn is_header_value(text: &str) -> bool {
    http::is_header_value(text)
}

/// Whether a text is an address that can be called; the error says why not, without it.
pub fn check_url(url: &str) -> Result<(), String> {
    http::place(url).map(drop)
}
