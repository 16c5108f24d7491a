//! `lifeboat doctor`.

use std::path::PathBuf;

use super::args::SOCKET;
use super::{Done, SUCCESS, Session};
use crate::client::{Client, Place, Settings};
use crate::error::Kind;
use crate::run::{self, Finding, FindingLevel, Job};
use crate::sys::claim::holder;

pub(super) fn doctor(session: &Session<'_>) -> Done {
    let (config, mut job) = (session.config()?, session.job()?);
    let mut findings = Vec::new();
    // Runs do not need it while the key file is there; people and restic do, on the day when this machine is gone.
    match config.repository_password() {
        Ok(password) => job.repo.password = Some(password),
        Err(error) => findings.push(Finding::of("password", Err(error))),
    }
    findings.extend(run::examine(&job, &session.quiet_cx()));
    if config.schedule.is_empty() {
        findings.push(run::without_schedule());
    } else {
        findings.push(run::unit());
        findings.push(agent(&job));
        findings.extend(answers(session, &job));
    }
    let failed = findings.iter().any(|finding| finding.level == FindingLevel::Error);
    let code = if failed { Kind::Failed.exit_code() } else { SUCCESS };
    session.output.result(code, &findings, |out| {
        for finding in &findings {
            let mark = match finding.level {
                FindingLevel::Ok => "✓",
                FindingLevel::Note => "·",
                FindingLevel::Warning => "!",
                FindingLevel::Error => "✗",
            };
            writeln!(out, "{mark} {}: {}", finding.what, finding.text)?;
            if let Some(remedy) = &finding.remedy {
                writeln!(out, "    try: {remedy}")?;
            }
        }
        Ok(())
    })
}

/// A schedule that nobody follows is worth nothing, and nothing else would say so.
fn agent(job: &Job) -> Finding {
    let what = "the agent";
    match holder(&job.state.join("agent.lock")) {
        Some(holder) => Finding::ok(what, format!("looks after this site: {holder}")),
        None => Finding::warning(
            what,
            "`schedule` is set, and no agent looks after this site",
            "start `lifeboat agent`, or `systemctl enable --now lifeboat`",
        ),
    }
}

/// Whether an agent that is there can be asked, and what it complains of.
fn answers(session: &Session<'_>, job: &Job) -> Vec<Finding> {
    let what = "asking the agent";
    if holder(&job.state.join("agent.lock")).is_none() {
        return Vec::new();
    }
    let settings = Settings { place: Place::Socket(PathBuf::from(SOCKET)), token_file: None, ca: None };
    match Client::new(settings, session.cancel.clone()).and_then(|client| client.health()) {
        // It may listen elsewhere, or nowhere, by its own arguments.
        Err(error) => vec![Finding::note(what, format!("does not answer at {SOCKET}: {error}")).at(SOCKET)],
        Ok(health) if health.troubles.is_empty() => {
            vec![Finding::ok(what, format!("answers at {SOCKET} as version {}", health.version)).at(SOCKET)]
        }
        Ok(health) => health
            .troubles
            .iter()
            .map(|trouble| {
                Finding::warning(what, format!("it complains: {trouble}"), "see its log").at(SOCKET)
            })
            .collect(),
    }
}
