//! Rights without which a server silently shows less than there is.

use super::fault::During;
use super::link::Link;
use super::row::text;
use crate::dump::Unsaved;
use crate::error::Result;

/// What stays invisible without which right.
const NEEDED: [(&str, &str); 3] = [("SELECT", "tables"), ("TRIGGER", "triggers"), ("EVENT", "events")];

/// What may exist in this schema and would not be seen; empty for a user with all rights on it.
pub(super) fn missing(link: &mut Link, schema: &str) -> Result<Vec<Unsaved>> {
    let rows = link.rows("SHOW GRANTS").during("read the rights of the database user")?;
    let grants: Vec<_> = rows.iter().map(|row| text(row, 0)).collect();
    Ok(missing_in(&grants, schema))
}

fn missing_in(grants: &[String], schema: &str) -> Vec<Unsaved> {
    let parsed: Vec<_> = grants.iter().map(|grant| parse(grant)).collect();
    // A granted role may bring anything, and is not always spelled out.
    if parsed.iter().any(Option::is_none) {
        return Vec::new();
    }
    let rights: Vec<_> = parsed
        .into_iter()
        .flatten()
        .filter(|(_, target)| covers(target, schema))
        .flat_map(|(rights, _)| rights)
        .collect();
    let has = |right: &str| rights.iter().any(|known| known == right || known.starts_with("ALL PRIVILEGES"));
    NEEDED
        .into_iter()
        .filter(|(right, _)| !has(right))
        .map(|(right, what)| Unsaved {
            what: what.to_owned(),
            why: format!(
                "the database user lacks the right {right} on the schema, so that they may be invisible"
            ),
        })
        .collect()
}

/// Rights and schema pattern of `GRANT a, b ON x.y TO ...`; `None` for the grant of a role.
fn parse(grant: &str) -> Option<(Vec<String>, String)> {
    let (rights, rest) = grant.strip_prefix("GRANT ")?.split_once(" ON ")?;
    // `GRANT PROXY ON ''@'%'` and rights on single tables and routines cover nothing here.
    let target = rest.split(" TO ").next().unwrap_or_default();
    let schema = target.strip_suffix(".*").unwrap_or_default();
    let rights = rights.split(',').map(|right| right.trim().to_uppercase()).collect();
    Some((rights, schema.to_owned()))
}

/// Whether a grant's schema part, a quoted pattern or `*`, means this schema.
pub(super) fn covers(pattern: &str, schema: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let inner = pattern.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    inner.is_some_and(|inner| {
        like(&inner.replace("``", "`").chars().collect::<Vec<_>>(), &schema.chars().collect::<Vec<_>>())
    })
}

/// SQL's LIKE: `_` is any character, `%` any text, a backslash takes the next one literally.
fn like(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], _) => text.is_empty(),
        (['%', rest @ ..], _) => (0..=text.len()).any(|skip| like(rest, &text[skip..])),
        (['\\', literal, rest @ ..], [first, tail @ ..]) => literal == first && like(rest, tail),
        (['_', rest @ ..], [_, tail @ ..]) => like(rest, tail),
        ([same, rest @ ..], [first, tail @ ..]) => same == first && like(rest, tail),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacking(grants: &[&str]) -> Vec<String> {
        let grants: Vec<_> = grants.iter().map(|&grant| grant.to_owned()).collect();
        missing_in(&grants, "my_shop").into_iter().map(|unsaved| unsaved.what).collect()
    }

    #[test]
    fn rights_are_found_in_global_and_schema_grants() {
        assert!(lacking(&["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"]).is_empty());
        let usage = "GRANT USAGE ON *.* TO `u`@`%`";
        assert!(lacking(&[usage, "GRANT ALL PRIVILEGES ON `my\\_shop`.* TO `u`@`%`"]).is_empty());
        assert_eq!(lacking(&[usage, "GRANT SELECT, EVENT ON `my%`.* TO `u`@`%`"]), ["triggers"]);
        assert_eq!(lacking(&[usage, "GRANT ALL PRIVILEGES ON `other`.* TO `u`@`%`"]).len(), 3);
        assert!(lacking(&[usage, "GRANT `staff` TO `u`@`%`"]).is_empty(), "a role may bring them");
    }
}
