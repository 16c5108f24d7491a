//! What a hook is given: one JSON document on its standard input, and names in its environment.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, HookSpec};
use crate::error::{Context, Result};
use crate::event::{Outcome, RunKind, RunState};
use crate::sys::process::own_program;

/// Of the contract. A new key in a document leaves it as it is; anything a hook could stumble over raises it.
pub const VERSION: u32 = 1;

/// The document that a hook finds on its standard input.
#[derive(Serialize, JsonSchema)]
struct Input<'a> {
    /// Of the contract.
    version: u32,
    /// Where the run is, such as `before-dump`.
    point: &'a str,
    run: &'a RunState,
}

/// Both documents of the contract, of which the schema is published.
#[derive(JsonSchema)]
#[schemars(title = "Lifeboat hooks, version 1 of the contract")]
#[allow(dead_code)] // only its schema is asked for
struct Contract<'a> {
    /// What a hook reads from its standard input.
    input: Input<'a>,
    /// What it may write to its standard output.
    answer: Answer,
}

/// The JSON Schema of what hooks are given, and of what they may answer.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Contract<'_>).to_value()
}

/// What this hook would read from its standard input.
pub fn input(spec: &HookSpec, state: &RunState) -> Result<Vec<u8>> {
    let input = Input { version: VERSION, point: &spec.point, run: state };
    serde_json::to_vec(&input).context("write a hook's input")
}

/// What this hook would find in its environment, besides the few names that every program is given.
pub fn environment(spec: &HookSpec, state: &RunState) -> Vec<(&'static str, String)> {
    let mut names = vec![
        // Without it a hook that needs it says so itself.
        ("LIFEBOAT", own_program().unwrap_or_default()),
        ("LIFEBOAT_VERSION", VERSION.to_string()),
        ("LIFEBOAT_RUN", state.run.clone()),
        ("LIFEBOAT_POINT", spec.point.clone()),
        ("LIFEBOAT_SITE", state.site.clone()),
        ("LIFEBOAT_KIND", state.kind.map_or("", RunKind::name).to_owned()),
    ];
    if let Some(outcome) = state.outcome {
        names.push(("LIFEBOAT_OUTCOME", Outcome::name(outcome).to_owned()));
    }
    names
}
