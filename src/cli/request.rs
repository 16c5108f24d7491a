//! `lifeboat request`.

use serde_json::json;

use super::args::Request;
use super::output::{printable, table};
use super::{Done, SUCCESS, Session};
use crate::agent::spool;
use crate::error::Error;

/// As much of a reason as anybody reads.
const LONGEST: usize = 1000;

pub(super) fn request(session: &Session<'_>, args: &Request) -> Done {
    let config = session.config()?;
    let state = config.site_state();
    let also = config.schedule.on_request.spool.as_deref();
    if args.list {
        let requests = spool::list(&state, also)?;
        return session.output.result(SUCCESS, &requests, |out| {
            if requests.is_empty() {
                return writeln!(out, "nothing waits");
            }
            let rows = requests.iter().map(|request| {
                let standing = if request.dead { "given up" } else { "waits" };
                vec![
                    printable(&request.name).into_owned(),
                    standing.to_owned(),
                    printable(&request.reason).into_owned(),
                ]
            });
            writeln!(out, "{}", table(&["Request", "Standing", "Reason"], &[], rows))
        });
    }
    if let Some(name) = &args.retry {
        let count = spool::retry(&state, (!name.is_empty()).then_some(name))?;
        return session.output.result(SUCCESS, &json!({ "retried": count }), |out| {
            writeln!(out, "{count} request(s) wait again")
        });
    }
    if let Some(name) = &args.discard {
        spool::discard(&state, also, name)?;
        return session.output.result(SUCCESS, &json!({ "discarded": name }), |out| {
            writeln!(out, "{} is forgotten", printable(name))
        });
    }
    let reason = args.reason.as_deref().unwrap_or_default();
    if reason.len() > LONGEST {
        return Err(Error::usage(format!("the reason is longer than {LONGEST} bytes")));
    }
    let name = spool::leave(&state, reason)?;
    session.output.result(SUCCESS, &json!({ "request": name }), |out| {
        writeln!(
            out,
            "{name}: the agent backs up soon; the request goes when a snapshot holds what it is about"
        )
    })
}
