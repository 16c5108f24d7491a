//! `lifeboat doctor`.

use super::{Done, SUCCESS, Session};
use crate::error::Kind;
use crate::run::{self, Health};

pub(super) fn doctor(session: &Session<'_>) -> Done {
    let job = session.job()?;
    let findings = run::examine(&job, &session.quiet_cx());
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
