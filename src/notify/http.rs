//! One request over HTTP with one deadline for all of it. No redirect is followed: what is sent is for the address that was written.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use ureq::http::{Response, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::send::{Sent, Trouble, Veil};
use super::spec::Method;
use crate::error::{Context, Error, Result};
use crate::sys::secret::Secret;

/// Bytes of an answer that are read at all.
const READ: u64 = 1024;

/// By its own word a server is not asked again before this at the latest.
pub(super) const LONGEST_WAIT: Duration = Duration::from_hours(24);

pub(super) struct Request<'a> {
    pub(super) url: &'a Secret,
    pub(super) method: Method,
    pub(super) headers: &'a [(String, Secret)],
    /// The headers hold something that must not be sent in plain text.
    pub(super) confidential: bool,
    pub(super) body: &'a str,
    pub(super) ca: Option<&'a Path>,
    pub(super) patience: Duration,
    /// The same at each attempt.
    pub(super) id: &'a str,
}

/// Where an address leads, as far as it may be shown: scheme and host.
pub(super) fn place(url: &str) -> Result<(Uri, String), String> {
    let uri: Uri = url.trim().parse().map_err(|_| "it is not an address".to_owned())?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"));
    let (Some(scheme), Some(host)) = (scheme, uri.host().filter(|host| !host.is_empty())) else {
        return Err("it does not begin with https:// and a host".to_owned());
    };
    let shown = format!("{scheme}://{host}");
    Ok((uri, shown))
}

/// This machine itself: nobody listens in between.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A value that cannot end its line or begin another header.
pub(super) fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\t')
}

pub(super) fn send(request: &Request<'_>) -> Sent {
    let mut veil = Veil::default();
    veil.over_url(request.url);
    request.headers.iter().for_each(|(_, value)| veil.over(value));
    let (uri, shown) = place(request.url.reveal())
        .map_err(|why| Trouble::Never(format!("its url cannot be used: {why}")))?;
    let local = uri.host().is_some_and(is_loopback);
    if request.confidential && uri.scheme_str() == Some("http") && !local {
        return Err(Trouble::Never(format!(
            "{shown} would be sent a secret without encryption: write https"
        )));
    }
    let agent = agent(request, local)?;
    let call = match request.method {
        Method::Post => agent.post(uri),
        Method::Put => agent.put(uri),
    };
    let mut call = call.header("Idempotency-Key", request.id);
    for (name, value) in request.headers {
        if !is_header_value(value.reveal()) {
            return Err(Trouble::Never(format!("the header {name} has characters that no header may have")));
        }
        call = call.header(name, value.reveal());
    }
    match call.send(request.body) {
        Ok(response) => judge(response, &shown, &veil),
        Err(error) => Err(Trouble::later(format!("{shown}: {}", said(&error, request.patience)))),
    }
}

fn agent(request: &Request<'_>, local: bool) -> Result<Agent, Trouble> {
    let mut config = Agent::config_builder()
        .timeout_global(Some(request.patience))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_response_header_size(64 * 1024)
        .user_agent(concat!("lifeboat/", env!("CARGO_PKG_VERSION")));
    if local {
        config = config.proxy(None);
    }
    if let Some(ca) = request.ca {
        let roots = RootCerts::new_with_certs(&certificates(ca)?);
        config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
    }
    Ok(config.build().into())
}

fn certificates(ca: &Path) -> Result<Vec<Certificate<'static>>> {
    let pem = std::fs::read(ca).with_context(|| format!("read the authorities in {}", ca.display()))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(Error::usage(format!("{} is not in PEM", ca.display()))),
        }
    }
    if found.is_empty() {
        return Err(Error::usage(format!("there is no certificate in {}", ca.display())));
    }
    Ok(found)
}

fn judge(response: Response<Body>, shown: &str, veil: &Veil) -> Sent {
    let status = response.status();
    let after = response.headers().get("retry-after").and_then(|value| wait(value.to_str().ok()?));
    let location = response.headers().get("location").and_then(|value| value.to_str().ok());
    let location = location.and_then(|to| place(to).ok()).map(|(_, shown)| format!(" to {shown}"));
    let mut head = Vec::new();
    // The status has said it all: whatever becomes of the rest changes nothing.
    drop(response.into_body().into_reader().take(READ).read_to_end(&mut head));
    let words = veil.shown(&String::from_utf8_lossy(&head));
    let answer = if words.is_empty() {
        format!("{}", status.as_u16())
    } else {
        format!("{}: {words}", status.as_u16())
    };
    if status.is_success() {
        return Ok(answer);
    }
    let why = format!("{shown} answered {answer}");
    match status.as_u16() {
        300..=399 => Err(Trouble::later(format!(
            "{shown} answered {}, a redirect{}, which is not followed: write the address it leads to",
            status.as_u16(),
            location.unwrap_or_default()
        ))),
        408 | 429 => Err(Trouble::Later { why, after }),
        400..=499 => Err(Trouble::Never(why)),
        _ => Err(Trouble::Later { why, after }),
    }
}

/// `Retry-After`: seconds, or a date.
fn wait(text: &str) -> Option<Duration> {
    let text = text.trim();
    let wait = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let until = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Duration::try_from(until.duration_since(Timestamp::now())).ok()?
    };
    Some(wait.min(LONGEST_WAIT))
}

/// Only what cannot have the address in it.
fn said(error: &ureq::Error, patience: Duration) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("no answer within {patience:.0?}"),
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            format!("no answer within {patience:.0?}")
        }
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::HostNotFound => "there is no host of this name".to_owned(),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        ureq::Error::Tls(error) => format!("TLS: {error}"),
        ureq::Error::Protocol(_) => "it does not speak HTTP as it should".to_owned(),
        ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => "the proxy refused".to_owned(),
        ureq::Error::LargeResponseHeader(..) => "the head of its answer is too long".to_owned(),
        _ => "the request failed".to_owned(),
    }
}
