//! `lifeboat config`.

use serde_json::json;

use super::args::Config;
use super::output::Output;
use super::{Done, SUCCESS, Session};
use crate::error::Kind;

pub(super) fn config(session: &Session<'_>, action: &Config) -> Done {
    match action {
        Config::Check => check(session),
        Config::Show => show(session),
        Config::Schema => {
            let schema = serde_json::to_string_pretty(&crate::config::schema())?;
            Output::raw(|out| writeln!(out, "{schema}"))
        }
        Config::Example => Output::raw(|out| write!(out, "{}", crate::config::example())),
    }
}

/// Nothing of a configuration with mistakes is shown: a secret under a mistyped key would not be known as one.
fn show(session: &Session<'_>) -> Done {
    let (_, text) = crate::config::load_with_text(&session.global.config)?;
    let yaml = crate::config::shown(&text)?;
    session.output.result(SUCCESS, &crate::config::redacted(&text)?, |out| write!(out, "{}", yaml.as_str()))
}

/// All problems at once. Secrets are looked at too: a password that cannot be had is found now and not at night.
fn check(session: &Session<'_>) -> Done {
    match crate::config::load(&session.global.config) {
        Ok(config) => {
            let job = config.job()?;
            let now = jiff::Timestamp::now();
            let tasks = config.tasks(now)?;
            let document = json!({
                "site": job.site.name,
                "enabled": config.enabled,
                "root": job.site.root,
                "databases": job.databases.len(),
                "hooks": job.hooks.len(),
            });
            session.output.result(SUCCESS, &document, |out| {
                writeln!(out, "{} is fine", session.global.config.display())?;
                writeln!(out, "site {} in {}", job.site.name, job.site.root.display())?;
                for spec in &job.databases {
                    writeln!(out, "{}", crate::database::open(spec).describe())?;
                }
                writeln!(out, "{}", crate::storage::open(&job.storage).describe())?;
                if !config.enabled {
                    writeln!(out, "not enabled: the agent begins nothing for it")?;
                }
                for task in &tasks {
                    let next = task.timetable.after(now).map(|next| job.local(next.due));
                    let next = next.unwrap_or_else(|| "never again".to_owned());
                    writeln!(out, "next {}: {next}, if the agent runs", task.kind.name())?;
                }
                Ok(())
            })
        }
        Err(problems) => {
            let code = Kind::Usage.exit_code();
            let document = json!({ "problems": problems.list, "more": problems.more });
            session.output.result(code, &document, |out| writeln!(out, "{problems}"))
        }
    }
}
