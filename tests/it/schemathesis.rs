//! Whether an API keeps what its `OpenAPI` document says: schemathesis calls every operation with what the document allows
//! and with what it does not.

use std::fmt::Write as _;
use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::stage::{Asked, Page, Stage};
use crate::tools;

/// An answer may be anything that is documented, but never these: a failure of ours, or what the document does not have.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance";

/// A run that takes longer is one that hangs.
const DEADLINE: Duration = Duration::from_secs(110);

/// The environment variable in which schemathesis finds the token: arguments are for everybody to read.
const TOKEN: &str = "LIFEBOAT_TEST_TOKEN";

/// A stream of events never ends by itself: what is sent of it at first is judged. An operation of which nothing was seen
/// but refusals is no success.
const CONFIG: &str = r#"
max-stream-events = 3
request-timeout = 20
[warnings]
fail-on = ["missing_auth", "rate_limited", "method_not_allowed", "base_url_mismatch", "unmatched_filter"]
"#;

/// What is tested, and how hard.
pub(crate) struct Contract<'a> {
    /// Where the document is served.
    pub(crate) document: &'a str,
    /// Before the paths of the document.
    pub(crate) base: &'a str,
    /// Sent as `Authorization: Bearer`.
    pub(crate) token: Option<&'a str>,
    /// Paths that are left alone, as the document has them.
    pub(crate) except: &'a [&'a str],
    /// Generated requests for each operation; those of the edges of each parameter come on top.
    pub(crate) examples: u32,
}

/// What came of it.
pub(crate) struct Verdict {
    pub(crate) kept: bool,
    pub(crate) report: String,
}

impl Contract<'_> {
    /// The same requests each time.
    pub(crate) fn judge(&self) -> Verdict {
        let directory = tempfile::Builder::new().prefix("lifeboat-schemathesis-").tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut config = CONFIG.to_owned();
        if self.token.is_some() {
            write!(config, "[headers]\nAuthorization = \"Bearer ${{{TOKEN}}}\"\n").unwrap();
        }
        std::fs::write(path("schemathesis.toml"), config).unwrap();
        let report = File::create(path("report")).unwrap();
        let mut command = Command::new(tools::python_program("schemathesis"));
        command
            .args(["--config-file", "schemathesis.toml", "run", self.document, "--url", self.base])
            .args(["--checks", CHECKS, "--max-examples", &self.examples.to_string(), "--seed", "6"])
            .args(["--generation-database", "none", "--continue-on-failure", "--no-color", "--workers", "2"])
            .args(self.except.iter().flat_map(|path| ["--exclude-path", path]))
            .current_dir(directory.path())
            .env("HOME", directory.path())
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env_remove(TOKEN)
            .stdin(Stdio::null())
            .stdout(report.try_clone().unwrap())
            .stderr(report);
        if let Some(token) = self.token {
            command.env(TOKEN, token);
        }
        let begun = Instant::now();
        let mut process = command.spawn().unwrap();
        let status = loop {
            match process.try_wait().unwrap() {
                None if begun.elapsed() > DEADLINE => {
                    process.kill().unwrap();
                    process.wait().unwrap();
                    break None;
                }
                None => std::thread::sleep(Duration::from_millis(50)),
                status => break status,
            }
        };
        let mut report = String::from_utf8_lossy(&std::fs::read(path("report")).unwrap()).into_owned();
        if status.is_none() {
            write!(report, "\nended after {DEADLINE:?}: something hangs, or there is too much to do")
                .unwrap();
        }
        // That nothing was found in nothing is no verdict.
        let asked = report.contains("Tested: ") && !report.contains("Tested: 0");
        Verdict { kept: status.is_some_and(|status| status.success()) && asked, report }
    }

    #[track_caller]
    pub(crate) fn assert_kept(&self) {
        let Verdict { kept, report } = self.judge();
        assert!(kept, "{}\n{report}", self.document);
    }
}

const DOCUMENT: &str = r##"{"openapi": "3.1.0", "info": {"title": "Stage", "version": "1"}, "paths": {
  "/right": {"get": {
    "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 9}}],
    "responses": {
      "200": {"description": "some", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Runs"}}}},
      "400": {"description": "no", "content": {"application/problem+json": {"schema": {"type": "object"}}}},
      "401": {"description": "who", "content": {"application/problem+json": {"schema": {"type": "object"}}}}}}},
  "/wrong": {"get": {"responses": {
      "200": {"description": "some", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Runs"}}}}}}},
  "/broken": {"get": {"responses": {"200": {"description": "some"}, "500": {"description": "documented or not"}}}}},
  "components": {"schemas": {"Runs": {"type": "object", "required": ["runs"],
    "properties": {"runs": {"type": "integer"}}}}}}"##;

fn answer(asked: &Asked) -> Page {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let problem = |status| Page::new(status, "application/problem+json", "{}");
    let known = asked.head.lines().any(|line| line.eq_ignore_ascii_case("authorization: bearer s3cret"));
    let limits: Vec<_> = query.split('&').filter_map(|part| part.strip_prefix("limit=")).collect();
    match path {
        "/openapi.json" => Page::new(200, "application/json", DOCUMENT),
        _ if asked.method != "GET" => problem(405).with("Allow: GET"),
        "/right" if !known => problem(401),
        "/right" if limits.iter().any(|limit| !matches!(limit.parse(), Ok(1..=9))) => problem(400),
        "/right" => Page::new(200, "application/json", r#"{"runs": 3}"#),
        "/wrong" => Page::new(200, "application/json", r#"{"runs": "three"}"#),
        "/broken" => problem(500),
        _ => problem(404),
    }
}

/// The stage and its document, without these paths.
fn judge(except: &[&str], token: Option<&str>) -> Verdict {
    let stage = Stage::start(answer);
    let (document, base) = (stage.url("/openapi.json"), stage.url(""));
    Contract { document: &document, base: &base, token, except, examples: 10 }.judge()
}

#[test]
fn who_keeps_the_word_passes() {
    let stage = Stage::start(answer);
    let (document, base) = (stage.url("/openapi.json"), stage.url(""));
    let except = ["/wrong", "/broken"];
    Contract { document: &document, base: &base, token: Some("s3cret"), except: &except, examples: 10 }
        .assert_kept();
}

#[test]
fn a_broken_word_and_a_failing_server_are_found_and_named() {
    let Verdict { kept, report } = judge(&[], Some("s3cret"));
    assert!(!kept);
    assert!(report.contains("GET /wrong") && report.contains("violates schema"), "{report}");
    assert!(report.contains("GET /broken") && report.contains("Server error"), "{report}");
    assert!(!report.contains("GET /right") && !report.contains("s3cret"), "{report}");
}

#[test]
fn nothing_tested_and_nothing_but_refusals_are_no_success() {
    let Verdict { kept, report } = judge(&["/right", "/wrong", "/broken"], None);
    assert!(!kept && report.contains("Tested: 0"), "{report}");
    for token in [None, Some("another")] {
        let Verdict { kept, report } = judge(&["/wrong", "/broken"], token);
        assert!(!kept && report.contains("Tested: 1"), "{report}");
    }
}
