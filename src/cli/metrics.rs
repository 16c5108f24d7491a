//! `lifeboat metrics`.

use serde_json::json;

use super::args::Metrics;
use super::output::Output;
use super::{Done, SUCCESS, Session};
use crate::agent;
use crate::error::Context;
use crate::metrics::render;
use crate::sys::fs::write_atomic;

/// Others read it, and nothing in it is secret.
const MODE: u32 = 0o644;

pub(super) fn metrics(session: &Session<'_>, args: &Metrics) -> Done {
    let config = session.config()?;
    let page = render(&[agent::numbers(&config, jiff::Timestamp::now())?]);
    let Some(file) = &args.output else { return Output::raw(|to| to.write_all(page.as_bytes())) };
    write_atomic(file, page.as_bytes(), MODE).context("write the metrics")?;
    session.output.result(SUCCESS, &json!({ "written": file }), |out| writeln!(out, "{}", file.display()))
}
