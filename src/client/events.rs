//! The stream of what happens, as server-sent events.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use super::Client;
use crate::error::{Error, Result};

/// The largest event: all sites, or a run with all that it complains of; in bytes.
const LARGEST: usize = 8 << 20;

/// An agent says at least every quarter of a minute that it is still there.
const SILENCE: Duration = Duration::from_mins(1);

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// `sites`, `run`, or what a newer agent says besides.
    pub name: String,
    pub data: Value,
}

/// An open stream. An error of it is its end.
pub struct Events<'a> {
    client: &'a Client,
    body: Incoming,
    parser: Parser,
    ready: VecDeque<Happening>,
    heard: Instant,
}

impl<'a> Events<'a> {
    pub(super) fn new(client: &'a Client, body: Incoming) -> Self {
        Self { client, body, parser: Parser::default(), ready: VecDeque::new(), heard: Instant::now() }
    }

    /// The next event; nothing if none came for so long. Errors if the agent is gone, or somebody asked to stop.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Happening>> {
        let until = Instant::now() + patience;
        loop {
            if let Some(happening) = self.ready.pop_front() {
                return Ok(Some(happening));
            }
            let left = until.saturating_duration_since(Instant::now());
            let (client, body) = (self.client, &mut self.body);
            let frame = client.runtime.block_on(async {
                tokio::select! {
                    frame = body.frame() => Ok(Some(frame)),
                    () = client.asked_to_stop() => Err(Error::cancelled()),
                    () = tokio::time::sleep(left) => Ok(None),
                }
            })?;
            match frame {
                None if self.heard.elapsed() > SILENCE => {
                    return Err(Error::failed(format!("the agent at {} fell silent", client.place())));
                }
                None => return Ok(None),
                Some(None) => return Err(Error::failed(format!("the agent at {} is gone", client.place()))),
                Some(Some(frame)) => {
                    let lost =
                        |error| Error::failed(format!("the agent at {} is gone: {error}", client.place()));
                    self.heard = Instant::now();
                    if let Ok(data) = frame.map_err(lost)?.into_data() {
                        self.parser.take(&data, &mut self.ready)?;
                    }
                }
            }
        }
    }
}

/// Events out of bytes that come in pieces.
#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    /// The last line ended with a CR: an LF that follows belongs to it.
    after_return: bool,
    name: String,
    data: String,
}

impl Parser {
    fn take(&mut self, bytes: &[u8], ready: &mut VecDeque<Happening>) -> Result<()> {
        for byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    self.take_line(&String::from_utf8_lossy(&line), ready);
                }
                _ => self.line.push(*byte),
            }
            if self.line.len() + self.data.len() > LARGEST {
                return Err(Error::failed(format!("an event is longer than {LARGEST} bytes")));
            }
        }
        Ok(())
    }

    fn take_line(&mut self, line: &str, ready: &mut VecDeque<Happening>) {
        if line.is_empty() {
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            // What is no JSON is none of ours.
            if let Ok(data) = serde_json::from_str(&data) {
                ready.push_back(Happening { name, data });
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            // Comments, by which an agent says that it is there, begin with a colon.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Happening> {
        let (mut parser, mut ready) = (Parser::default(), VecDeque::new());
        for piece in pieces {
            parser.take(piece, &mut ready).unwrap();
        }
        ready.into()
    }

    const STREAM: &str = ": hello\n\nevent: sites\ndata: [1,\ndata: 2]\n\nevent:run\r\ndata:{\"a\":\"é\"}\r\n\r\n:\n\n\
                          data: no json\n\nid: 3\nretry: 1\ndata: null\r\revent: run\ndata: {\"cut\":";

    proptest! {
        #[test]
        fn events_are_the_same_however_the_bytes_come(cuts in prop::collection::vec(0..STREAM.len(), 0..40)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| &STREAM.as_bytes()[cut[0]..cut[1]]);
            let event = |name: &str, data: Value| Happening { name: name.to_owned(), data };
            prop_assert_eq!(
                parse(pieces),
                [event("sites", json!([1, 2])), event("run", json!({"a": "é"})), event("", Value::Null)]
            );
        }

        #[test]
        fn no_bytes_harm_it(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            parse([bytes.as_slice()]);
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused() {
        let (mut parser, mut ready) = (Parser::default(), VecDeque::new());
        let mut more = || parser.take(&vec![b'x'; 1 << 20], &mut ready);
        assert!((0..7).all(|_| more().is_ok()) && (0..2).any(|_| more().is_err()));
    }
}
