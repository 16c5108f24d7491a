//! `lifeboat pin` and `lifeboat unpin`.

use clap::Args;
use jiff::Timestamp;

use super::{Done, SUCCESS, Session};
use crate::error::{Error, Result};
use crate::run::{self, Job, Pinned};
use crate::schedule::{Pin, Wanted, Within};

#[derive(Debug, Args)]
pub(super) struct PinArgs {
    /// A snapshot's id, a time, or latest
    #[arg(value_name = "ID|TIME")]
    snapshot: String,
    /// Until this moment, such as 2026-12-31; left out: for good
    #[arg(long, value_name = "TIME", conflicts_with = "duration")]
    until: Option<String>,
    /// For so long from now on, such as 30d, 6m (months) or 1y
    #[arg(long = "for", value_name = "DURATION")]
    duration: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct UnpinArgs {
    /// A snapshot's id, a time, or latest
    #[arg(value_name = "ID|TIME")]
    snapshot: String,
}

pub(super) fn pin(session: &Session<'_>, args: &PinArgs) -> Done {
    let job = session.repository_job()?;
    let wanted = Wanted::parse(&args.snapshot, Timestamp::now(), &job.zone)?;
    let held = match &args.until {
        Some(text) => until(text, &job)?,
        None => for_so_long(args.duration.as_deref(), &job)?,
    };
    let done = run::pin(&job, &wanted, held, &session.quiet_cx())?;
    let how = match held {
        Pin::ForGood => "pinned for good".to_owned(),
        Pin::Until(end) => format!("pinned until {}", job.local(end)),
    };
    told(session, &job, &done, &how)
}

pub(super) fn unpin(session: &Session<'_>, args: &UnpinArgs) -> Done {
    let job = session.repository_job()?;
    let wanted = Wanted::parse(&args.snapshot, Timestamp::now(), &job.zone)?;
    let done = run::unpin(&job, &wanted, &session.quiet_cx())?;
    // What a person tagged otherwise still holds it.
    match Pin::of(&done.snapshot.tags) {
        Some((tag, _)) => told(session, &job, &done, &format!("not pinned, but held by its tag {tag}")),
        None => told(session, &job, &done, "not pinned any more"),
    }
}

/// A pin for a length of time from now on, or for good.
pub(super) fn for_so_long(duration: Option<&str>, job: &Job) -> Result<Pin> {
    let Some(text) = duration else { return Ok(Pin::ForGood) };
    let length: Within = text.parse().map_err(Error::usage)?;
    Ok(Pin::Until(length.after(Timestamp::now(), &job.zone)))
}

fn until(text: &str, job: &Job) -> Result<Pin> {
    let now = Timestamp::now();
    match Wanted::parse(text, now, &job.zone) {
        Ok(Wanted::AtOrBefore { ts, .. }) if ts > now => Ok(Pin::Until(ts)),
        Ok(Wanted::AtOrBefore { said, .. }) => Err(Error::usage(format!("{said} is over"))
            .with_remedy("name a moment that is still to come, such as --until 2036-12-31")),
        _ => Err(Error::usage(format!("cannot read {text:?} as a moment"))
            .with_remedy("write it like --until 2036-12-31 or --until \"2036-12-31 03:00\"")),
    }
}

fn told(session: &Session<'_>, job: &Job, done: &Pinned, how: &str) -> Done {
    let Pinned { snapshot, former_id } = done;
    session.output.result(SUCCESS, done, |out| {
        writeln!(out, "snapshot {} of {} is {how}", snapshot.short_id(), job.local(snapshot.time))?;
        if snapshot.id != *former_id {
            writeln!(out, "its id was {former_id:.8}: a snapshot with other tags has another one")?;
        }
        Ok(())
    })
}
