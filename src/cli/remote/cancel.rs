//! `lifeboat cancel`: a run at work unwinds, one that waits is taken back.

use serde_json::json;

use super::{client, site};
use crate::cli::args::Cancel;
use crate::cli::{Done, SUCCESS, Session};
use crate::client::{Client, Site};
use crate::error::{Error, Result};

pub(in crate::cli) fn cancel(session: &Session<'_>, args: &Cancel) -> Done {
    let client = client(session, &args.ask)?;
    let found = match &args.run {
        Some(run) => named(&client, args.ask.site.as_deref(), run)?,
        None => at_work(&site(session, &args.ask, &client)?)?,
    };
    client.cancel(&found.site, &found.run)?;
    let was = if found.waits { "waiting" } else { "running" };
    let document = json!({ "site": found.site, "run": found.run, "was": was });
    session.output.result(SUCCESS, &document, |out| {
        if found.waits {
            writeln!(out, "{} is taken back; it had not begun", found.run)
        } else {
            writeln!(out, "{} is asked to stop, and puts back what it has changed", found.run)
        }
    })
}

struct Found {
    site: String,
    run: String,
    waits: bool,
}

impl Found {
    fn waits(site: &Site, run: &str) -> Self {
        Self { site: site.name.clone(), run: run.to_owned(), waits: true }
    }

    fn at_work(site: &Site, run: &str) -> Self {
        Self { waits: false, ..Self::waits(site, run) }
    }
}

fn at_work(site: &Site) -> Result<Found> {
    site.at_work.as_ref().map(|run| Found::at_work(site, run)).ok_or_else(|| {
        let error = Error::usage(format!("the agent has nothing at work for {}", site.name));
        match site.queue.first() {
            Some(next) => error.with_remedy(format!("`lifeboat cancel {}` takes back what waits", next.run)),
            None => {
                error.with_remedy("a run that was begun by hand is stopped where it was begun, with Ctrl-C")
            }
        }
    })
}

/// A name, or the beginning of one that only one run has that waits or is at work.
fn named(client: &Client, only: Option<&str>, run: &str) -> Result<Found> {
    let sites = client.sites()?;
    let sites: Vec<_> = sites.iter().filter(|site| only.is_none_or(|only| site.name == only)).collect();
    let at_work = sites.iter().flat_map(|site| site.at_work.iter().map(|run| Found::at_work(site, run)));
    let waiting =
        sites.iter().flat_map(|site| site.queue.iter().map(|queued| Found::waits(site, &queued.run)));
    let mut found: Vec<Found> = at_work.chain(waiting).filter(|found| found.run.starts_with(run)).collect();
    if let Some(exact) = found.iter().position(|found| found.run == run) {
        return Ok(found.swap_remove(exact));
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Error::usage(format!("the agent has no run {run:?} that waits or is at work")).with_remedy(
            "see `lifeboat status`; a run that was begun by hand is stopped where it was begun",
        )),
        _ => {
            Err(Error::usage(format!("several runs begin with {run:?}"))
                .with_remedy("write more of its name"))
        }
    }
}
