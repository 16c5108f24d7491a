//! Settings that the site takes from its environment, which is not ours: they can be told only by who is told that environment.

use std::collections::BTreeMap;

use super::expression::{Cursor, Lookup, Why, readable, unqualified};
use super::literal;
use super::scan::Kind;

/// The variables that the site's own processes have, by their names.
pub type Environment = BTreeMap<String, String>;

/// `getenv('X')`, `env('X', 'y')`, `getenv_docker('X', 'y')`, `$_ENV['X']` or `$_SERVER['X']`, with `?: 'y'` or `?? 'y'` behind it;
/// `None` if something else stands here.
pub(super) fn value(
    at: &mut Cursor<'_>,
    environment: Option<&Environment>,
    lookup: &Lookup<'_>,
) -> Option<Result<Vec<u8>, Why>> {
    let mut ahead = *at;
    let (name, argument, unset_is_null) = form(&mut ahead, lookup)?;
    *at = ahead;
    Some(with_default(at, &name, argument, unset_is_null, environment, lookup))
}

fn with_default(
    at: &mut Cursor<'_>,
    name: &str,
    argument: Option<Vec<u8>>,
    unset_is_null: bool,
    environment: Option<&Environment>,
    lookup: &Lookup<'_>,
) -> Result<Vec<u8>, Why> {
    let if_empty = at.peek(0) == b"?" && at.peek(1) == b":";
    let if_null = at.peek(0) == b"??";
    let default = if if_empty || if_null {
        at.at += if if_empty { 2 } else { 1 };
        Some(at.value(lookup)?)
    } else {
        None
    };
    let unknown = || format!("the environment variable {} of the site", readable(name.as_bytes()));
    let set = environment.ok_or_else(unknown)?.get(name).map(|text| text.as_bytes().to_vec()).or(argument);
    match (set, default) {
        (Some(set), Some(default)) if if_empty && matches!(set.as_slice(), b"" | b"0") => Ok(default),
        (Some(set), _) => Ok(set),
        // `getenv` gives `false`, which `??` lets pass.
        (None, Some(default)) if if_empty || unset_is_null => Ok(default),
        (None, _) => Ok(Vec::new()),
    }
}

/// The variable's name, what the function gives if there is none, and whether it is null without.
fn form(at: &mut Cursor<'_>, lookup: &Lookup<'_>) -> Option<(String, Option<Vec<u8>>, bool)> {
    let text_at = |at: &mut Cursor<'_>| {
        let text = (at.kind(0)? == Kind::Text).then(|| literal::text(at.peek(0)))??;
        at.at += 1;
        String::from_utf8(text).ok()
    };
    if at.kind(0)? == Kind::Variable && matches!(at.peek(0), b"$_ENV" | b"$_SERVER") {
        at.at += 1;
        at.take(b"[").then_some(())?;
        let name = text_at(at)?;
        return at.take(b"]").then_some((name, None, true));
    }
    let function = unqualified(at.peek(0)).to_ascii_lowercase();
    if at.kind(0)? != Kind::Name || !matches!(&*function, b"getenv" | b"env" | b"getenv_docker") {
        return None;
    }
    at.at += 1;
    at.take(b"(").then_some(())?;
    let name = text_at(at)?;
    let mut argument = None;
    if at.take(b",") {
        let second = at.value(lookup).ok()?;
        // The second argument of `getenv` says where to look.
        argument = (&*function != b"getenv").then_some(second);
        at.take(b",");
    }
    at.take(b")").then_some((name, argument, &*function == b"env"))
}
