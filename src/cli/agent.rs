//! `lifeboat agent`.

use std::io::Write;
use std::time::Duration;

use super::args::Agent;
use super::output::printable;
use super::{Done, SUCCESS, Session};
use crate::agent::{self, Settings, Voice, Word};
use crate::error::Error;

pub(super) fn agent(session: &Session<'_>, args: &Agent) -> Done {
    let settings = Settings {
        config: session.global.config.clone(),
        sites: args.sites.clone(),
        drain: Duration::from_secs(args.drain),
    };
    let (json, quiet) = (session.global.json, session.global.quiet);
    let voice = Voice::new(move |word| {
        if word.problem || !quiet {
            put(word, json);
        }
    });
    let signals = session.signals.take().ok_or_else(|| Error::failed("the signals are taken"))?;
    agent::run(&settings, signals, voice)?;
    Ok(SUCCESS)
}

/// A line of the log, on standard error like all that is said of runs. The service manager adds the time.
fn put(word: &Word, json: bool) {
    let line = if json {
        serde_json::to_string(word).unwrap_or_default()
    } else {
        let site = word.site.as_ref().map(|site| format!("{site}: ")).unwrap_or_default();
        let mark = if word.problem { "! " } else { "" };
        let lines: Vec<_> = word.text.lines().map(printable).collect();
        format!("{mark}{site}{}", lines.join("\n    "))
    };
    // Nobody to tell if standard error is closed.
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}
