//! What an agent answers: no more than fits, and its refusals as errors of ours.

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use serde::Deserialize;

use super::place::Place;
use crate::error::{Error, Kind, Result};

/// A thousand runs with all that they complain of, in bytes.
pub(super) const LARGEST: usize = 64 << 20;

/// A page of mistakes in a configuration, in bytes.
pub(super) const LARGEST_REFUSAL: usize = 256 << 10;

/// How the kinds of problems begin.
const KINDS: &str = "tag:lifeboat,2026:";

/// Reads all of an answer; one that is larger is an error.
pub(super) async fn whole(mut body: Incoming, most: usize) -> Result<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::failed(format!("the answer broke off: {error}")))?;
        if let Some(data) = frame.data_ref() {
            if whole.len() + data.len() > most {
                return Err(Error::failed(format!("the answer is longer than {most} bytes")));
            }
            whole.extend_from_slice(data);
        }
    }
    Ok(whole)
}

/// A problem document, as far as it is needed here.
#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    detail: String,
    #[serde(default)]
    remedy: Option<String>,
    #[serde(default)]
    problems: Vec<Mistake>,
}

#[derive(Deserialize)]
struct Mistake {
    path: String,
    text: String,
}

/// Why the agent did not do what it was asked, of the kind that the same would have on a command line.
pub(super) fn refusal(status: StatusCode, body: &[u8], place: &Place) -> Error {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return Error::failed(format!(
            "who answers at {place} is no agent of Lifeboat, or something between: HTTP {status}"
        ))
        .with_remedy("say with --agent where it answers");
    };
    let name = problem.kind.strip_prefix(KINDS).unwrap_or_default();
    let mistakes = problem.problems.iter().map(|mistake| format!("\n  {}: {}", mistake.path, mistake.text));
    let detail = match name {
        "unauthorized" => format!("the agent at {place} does not know this token"),
        _ => problem.detail + &mistakes.collect::<String>(),
    };
    let error = Error::new(kind(name), detail);
    match problem.remedy {
        _ if name == "unauthorized" => error.with_remedy(
            "give --token-file FILE, with a token that `lifeboat token add` made where the agent is",
        ),
        Some(remedy) => error.with_remedy(remedy),
        None if name == "forbidden" => {
            error.with_remedy("give --token-file FILE, with a token that allows it")
        }
        None => error,
    }
}

fn kind(name: &str) -> Kind {
    match name {
        "usage" | "unauthorized" | "forbidden" | "not-found" | "method" | "bad-request" | "configuration" => {
            Kind::Usage
        }
        "no-repository" => Kind::NoRepository,
        "locked" | "too-many" => Kind::Locked,
        "wrong-password" => Kind::WrongPassword,
        "changed" => Kind::Changed,
        "skipped" => Kind::Skipped,
        "cancelled" => Kind::Cancelled,
        _ => Kind::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> Error {
        refusal(StatusCode::CONFLICT, body.as_bytes(), &Place::Socket("/s".into()))
    }

    #[test]
    fn a_refusal_has_the_kind_that_its_exit_code_needs() {
        let error = refused(
            r#"{"type":"tag:lifeboat,2026:locked","title":"x","status":409,"detail":"busy","remedy":"wait","new":1}"#,
        );
        assert_eq!(
            (error.kind(), error.to_string().as_str(), error.remedy()),
            (Kind::Locked, "busy", Some("wait"))
        );
        for (name, code) in [("usage", 2), ("no-repository", 10), ("wrong-password", 12), ("new", 1)] {
            let error = refused(&format!(r#"{{"type":"tag:lifeboat,2026:{name}","detail":"d"}}"#));
            assert_eq!(error.kind().exit_code(), code, "{name}");
        }
        let error = refused(
            r#"{"type":"tag:lifeboat,2026:configuration","detail":"no","problems":[{"path":"a.b","text":"bad","remedy":"r"}]}"#,
        );
        assert_eq!(error.to_string(), "no\n  a.b: bad");
    }

    #[test]
    fn what_is_no_problem_document_is_no_agents() {
        for body in ["", "<html>", "[]", r#"{"type":1}"#] {
            let error = refused(body);
            assert_eq!(error.kind(), Kind::Failed);
            assert!(error.to_string().contains("HTTP 409") && error.remedy().is_some(), "{error}");
        }
    }
}
