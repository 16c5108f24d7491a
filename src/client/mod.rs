//! The other end of the agent's API: what a command line asks of an agent, over its socket, loopback or TLS.
//!
//! What comes back is an agent's that may be newer than this, or somebody else's: it is bounded, and what is new in it is passed on.

mod answer;
mod events;
mod place;
mod shapes;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::error::{Context, Error, Result};
use crate::event::Cancel;

pub use self::events::{Events, Happening};
pub use self::place::Place;
pub use self::shapes::{Happened, Health, Progress, Queued, Run, Saved, Site, Step, Work};

/// An answer that needs nothing but the agent's memory and disk.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at whether somebody asked to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Where an agent is, and by what it knows us.
#[derive(Clone, Debug)]
pub struct Settings {
    pub place: Place,
    /// Left out: the token that the agent leaves beside its socket.
    pub token_file: Option<PathBuf>,
    /// Authorities (PEM) to trust instead of the well-known ones.
    pub ca: Option<PathBuf>,
}

/// An agent that can be asked. Each request has a connection of its own.
pub struct Client {
    settings: Settings,
    tls: Option<Arc<rustls::ClientConfig>>,
    cancel: Cancel,
    runtime: Runtime,
}

impl Client {
    /// Nothing is asked yet. Whoever waits for an answer waits no longer once `cancel` is set.
    pub fn new(settings: Settings, cancel: Cancel) -> Result<Self> {
        if settings.token_file.is_none() && !matches!(settings.place, Place::Socket(_)) {
            return Err(Error::usage(format!("asking {} needs a token", settings.place)).with_remedy(
                "give --token-file FILE, with a token that `lifeboat token add` made where the agent is",
            ));
        }
        let tls = matches!(settings.place, Place::Tls(..))
            .then(|| wire::tls(settings.ca.as_deref()))
            .transpose()?;
        let runtime = Builder::new_current_thread().enable_all().build().context("start the client")?;
        Ok(Self { settings, tls, cancel, runtime })
    }

    pub fn place(&self) -> &Place {
        &self.settings.place
    }

    /// How the agent itself is.
    pub fn health(&self) -> Result<Health> {
        self.get(&["readyz"], "")
    }

    pub fn sites(&self) -> Result<Vec<Site>> {
        self.get(&["v1", "sites"], "")
    }

    /// The newest runs of a site, the newest first.
    pub fn runs(&self, site: &str, limit: usize) -> Result<Vec<Run>> {
        self.get(&["v1", "sites", site, "runs"], &format!("?limit={limit}"))
    }

    pub fn run(&self, site: &str, run: &str) -> Result<Run> {
        self.get(&["v1", "sites", site, "runs", run], "")
    }

    /// What was said in a run, the first thing first.
    pub fn happened(&self, site: &str, run: &str) -> Result<Vec<Happened>> {
        self.get(&["v1", "sites", site, "runs", run, "events"], "")
    }

    /// Has a backup begun; the run's name. `pin` holds its snapshot for so long, or for good if it is empty.
    pub fn backup(&self, site: &str, comment: Option<&str>, pin: Option<&str>) -> Result<String> {
        let wish = json!({ "comment": comment, "pin": pin });
        let accepted = self.ask(Method::POST, &["v1", "sites", site, "backups"], "", Some(&wish))?;
        let run = accepted.get("run").and_then(Value::as_str).filter(|run| !run.is_empty());
        run.map(str::to_owned).ok_or_else(|| self.strange("a run has no name"))
    }

    /// Asks a run to unwind, or takes back one that waits.
    pub fn cancel(&self, site: &str, run: &str) -> Result<()> {
        self.ask(Method::POST, &["v1", "sites", site, "runs", run, "cancel"], "", None).map(drop)
    }

    /// What happens from now on: the state first, then each change.
    pub fn events(&self, site: Option<&str>) -> Result<Events<'_>> {
        let query = site.map(|site| format!("?site={}", encoded(site))).unwrap_or_default();
        let response = self.wait(PATIENCE, async {
            let response = self.send(Method::GET, &["v1", "events"], &query, None).await?;
            if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
        })?;
        Ok(Events::new(self, response.into_body()))
    }

    fn get<T: DeserializeOwned>(&self, path: &[&str], query: &str) -> Result<T> {
        let answer = self.ask(Method::GET, path, query, None)?;
        serde_json::from_value(answer).map_err(|error| self.strange(&error.to_string()))
    }

    /// One question with its answer; nothing if the answer is empty.
    fn ask(&self, method: Method, path: &[&str], query: &str, wish: Option<&Value>) -> Result<Value> {
        self.wait(PATIENCE, async {
            let response = self.send(method, path, query, wish).await?;
            if !response.status().is_success() {
                return Err(self.refusal(response).await);
            }
            let body = answer::whole(response.into_body(), answer::LARGEST).await?;
            if body.is_empty() {
                return Ok(Value::Null);
            }
            serde_json::from_slice(&body).map_err(|error| self.strange(&error.to_string()))
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &str,
        wish: Option<&Value>,
    ) -> Result<Response<Incoming>> {
        let place = &self.settings.place;
        // Connected first: without an agent there is no token either, and only the former is worth a word.
        let stream = wire::connect(place, self.tls.clone()).await?;
        let token = place::token(place, self.settings.token_file.as_deref())?;
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", token.reveal())).context("use the token")?;
        bearer.set_sensitive(true);
        let path: Vec<_> = path.iter().map(|part| encoded(part)).collect();
        let path = format!("/{}", path.join("/"));
        let body = wish.map(serde_json::to_vec).transpose().context("write the request")?.unwrap_or_default();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{path}{query}"))
            .header(HOST, place.host())
            .header(ACCEPT, "application/json, text/event-stream")
            .header(AUTHORIZATION, bearer);
        if wish.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(Bytes::from(body))).context("write the request")?;
        wire::exchange(stream, request).await.with_context(|| format!("ask the agent at {place}"))
    }

    async fn refusal(&self, response: Response<Incoming>) -> Error {
        let status = response.status();
        // One that cannot be read says no more than its number.
        let body = answer::whole(response.into_body(), answer::LARGEST_REFUSAL).await.unwrap_or_default();
        answer::refusal(status, &body, &self.settings.place)
    }

    fn strange(&self, why: &str) -> Error {
        Error::failed(format!("{} does not answer as an agent of Lifeboat does: {why}", self.settings.place))
    }

    /// Drives the connections as well.
    fn wait<T>(&self, limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime.block_on(async {
            tokio::select! {
                done = work => done,
                () = self.asked_to_stop() => Err(Error::cancelled()),
                () = tokio::time::sleep(limit) => {
                    Err(Error::failed(format!("no answer from {} within {limit:?}", self.settings.place)))
                }
            }
        })
    }

    async fn asked_to_stop(&self) {
        while !self.cancel.is_cancelled() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// What stands in a path as it is.
const IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A part of a path, or a value behind the `?`.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, IN_PATHS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(encoded("shop-1.example"), "shop-1.example");
        assert_eq!(encoded("a/../b?c#d é%"), "a%2F..%2Fb%3Fc%23d%20%C3%A9%25");
    }

    #[test]
    fn without_a_socket_a_token_must_be_given() {
        let place: Place = "http://127.0.0.1:1".parse().unwrap();
        let refused =
            Client::new(Settings { place, token_file: None, ca: None }, Cancel::default()).err().unwrap();
        assert!(refused.remedy().unwrap().contains("--token-file"));
    }
}
