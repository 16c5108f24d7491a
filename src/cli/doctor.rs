//! `lifeboat doctor`.

use super::{Done, SUCCESS, Session};
use crate::error::Kind;
use crate::run::{self, Finding, Health, Job};
use crate::sys::claim::holder;

pub(super) fn doctor(session: &Session<'_>) -> Done {
    let (config, job) = (session.config()?, session.job()?);
    let mut findings = run::examine(&job, &session.quiet_cx());
    if !config.schedule.is_empty() {
        findings.push(agent(&job));
    }
    let bad = findings.iter().any(|finding| finding.health == Health::Bad);
    let code = if bad { Kind::Failed.exit_code() } else { SUCCESS };
    session.output.result(code, &findings, |out| {
        for finding in &findings {
            let mark = match finding.health {
                Health::Good => "✓",
                Health::Warning => "!",
                Health::Bad => "✗",
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
    let what = "the agent".to_owned();
    match holder(&job.state.join("agent.lock")) {
        Some(holder) => Finding {
            what,
            health: Health::Good,
            text: format!("looks after this site: {holder}"),
            remedy: None,
        },
        None => Finding {
            what,
            health: Health::Warning,
            text: "`schedule` is set, and no agent looks after this site".to_owned(),
            remedy: Some("start `lifeboat agent`, or `systemctl enable --now lifeboat`".to_owned()),
        },
    }
}
