//! `lifeboat agent`.

use std::io::Write;
use std::time::Duration;

use super::args::Agent;
use super::output::printable;
use super::{Done, SUCCESS, Session};
use crate::agent::{self, Desk, Settings, Voice, Word};
use crate::api;
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
    let (desk, counter) = agent::desk();
    answer(args, desk, &voice);
    agent::run(&settings, signals, voice, counter)?;
    Ok(SUCCESS)
}

/// That nobody can ask is a pity; that nothing is backed up because of it would be worse.
fn answer(args: &Agent, desk: Desk, voice: &Voice) {
    if args.no_api {
        return;
    }
    let tls = args.tls_certificate.clone().zip(args.tls_key.clone());
    let settings = api::Settings {
        listen: args.listen.clone(),
        tls: tls.map(|(certificate, key)| api::Tls { certificate, key }),
        tokens: args.tokens.clone(),
        audit: args.audit.clone(),
        sites: args.sites.clone(),
    };
    let places: Vec<_> = args.listen.iter().map(ToString::to_string).collect();
    let listener = voice.clone();
    match api::start(settings, desk, move |text| listener.complain(None, text)) {
        Ok(()) => voice.say(None, format!("answers at {}", places.join(", "))),
        Err(error) => {
            let remedy = error.remedy().map(|remedy| format!("; {remedy}")).unwrap_or_default();
            voice.complain(None, format!("answers nobody: {error}{remedy}"));
        }
    }
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
