//! `lifeboat notify`.

use std::io::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::args::Notify;
use super::output::{count, printable, table};
use super::{Done, SUCCESS, Session};
use crate::config::Config;
use crate::error::{Kind, Result};
use crate::notify::{Listing, Message, Outbox, Report, Which};
use crate::sys::local_time::local_time;

pub(super) fn notify(session: &Session<'_>, action: &Notify) -> Done {
    let config = session.config()?;
    match action {
        Notify::List => list(session, &config),
        Notify::Retry { id, .. } => retry(session, &config, id.as_deref().map_or(Which::All, Which::One)),
        Notify::Test { channel } => test(session, &config, channel.as_deref()),
    }
}

fn outbox(config: &Config) -> Result<Outbox> {
    Outbox::open(&config.site_state())
}

fn list(session: &Session<'_>, config: &Config) -> Done {
    let (listing, zone) = (outbox(config)?.list()?, config.time_zone()?);
    session.output.result(SUCCESS, &listing, |out| describe(&listing, &zone, out))
}

fn describe(listing: &Listing, zone: &TimeZone, out: &mut dyn Write) -> std::io::Result<()> {
    let Listing { waiting, dead, damaged, counts } = listing;
    if waiting.is_empty() && dead.is_empty() && damaged.is_empty() {
        writeln!(out, "nothing is waiting, nothing was given up")?;
    }
    let local = |time: Timestamp| local_time(time, zone);
    let row = |message: &Message| {
        vec![
            message.id.clone(),
            message.channel.clone(),
            local(message.letter.at),
            printable(&message.letter.title).into_owned(),
            message.attempts.to_string(),
            message.next_try.map_or_else(|| "now".to_owned(), local),
        ]
    };
    let header = ["ID", "Channel", "Time", "Message", "Attempts", "Next"];
    if !waiting.is_empty() {
        writeln!(out, "waiting:\n{}", table(&header, &[4], waiting.iter().map(row)))?;
    }
    if !dead.is_empty() {
        let rows = dead.iter().map(|message| row(message)[..5].to_vec());
        writeln!(out, "given up:\n{}", table(&header[..5], &[4], rows))?;
    }
    for message in waiting.iter().chain(dead) {
        if let Some(trouble) = &message.trouble {
            writeln!(out, "{}: {}", message.id, printable(trouble))?;
        }
    }
    for name in damaged {
        writeln!(out, "{}: cannot be read", printable(name))?;
    }
    if !dead.is_empty() {
        writeln!(out, "`lifeboat notify retry --all` tries them again")?;
    }
    write!(out, "since the beginning: {} sent", counts.sent_ever)?;
    for (word, number) in [("given up", counts.given_up), ("dropped", counts.dropped)] {
        if number > 0 {
            write!(out, ", {number} {word}")?;
        }
    }
    writeln!(out)
}

fn retry(session: &Session<'_>, config: &Config, which: Which<'_>) -> Done {
    let (outbox, now) = (outbox(config)?, Timestamp::now());
    let chosen = outbox.retry(which, now)?;
    let report = outbox.deliver(&config.notify_spec(&session.global.config)?, now)?;
    // What was chosen and is not sent is either waiting again or dead.
    let code = if report.busy || report.troubles.is_empty() { SUCCESS } else { Kind::Failed.exit_code() };
    let code = if report.given_up > 0 { Kind::Failed.exit_code() } else { code };
    session.output.result(code, &report, |out| tell(&report, chosen, out))
}

fn tell(report: &Report, chosen: usize, out: &mut dyn Write) -> std::io::Result<()> {
    if chosen == 0 {
        return writeln!(out, "there is nothing to send");
    }
    if report.busy {
        return writeln!(
            out,
            "{} will be sent by the process that is sending already",
            count(chosen as u64, "message")
        );
    }
    let given_up =
        if report.given_up > 0 { format!(", {} given up", report.given_up) } else { String::new() };
    writeln!(out, "{} sent, {} waiting{given_up}", count(report.sent as u64, "message"), report.waiting)?;
    for (channel, trouble) in &report.troubles {
        writeln!(out, "{channel}: {}", printable(trouble))?;
    }
    Ok(())
}

fn test(session: &Session<'_>, config: &Config, channel: Option<&str>) -> Done {
    let spec = config.notify_spec(&session.global.config)?;
    let tested = Outbox::test(&spec, &config.site.name, channel, Timestamp::now())?;
    let failed = tested.iter().any(|tested| tested.error.is_some());
    let code = if failed { Kind::Failed.exit_code() } else { SUCCESS };
    session.output.result(code, &tested, |out| {
        for tested in &tested {
            let said = match (&tested.answer, &tested.error) {
                (_, Some(error)) => format!("FAILED: {error}"),
                (answer, None) => {
                    format!("sent, the server said {}", answer.as_deref().unwrap_or_default())
                }
            };
            writeln!(out, "{}: {}", tested.channel, printable(&said))?;
        }
        Ok(())
    })
}
