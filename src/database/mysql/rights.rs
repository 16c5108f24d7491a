//! Rights without which a server silently shows less than there is.

use super::fault::During;
use super::link::Link;
use super::names::{literal, quote};
use super::row::text;
use crate::database::{Lack, MysqlSpec};
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

/// What a backup, and then a restore, would want; a restore in tables beside the live ones needs all of it.
const WANTED: [(&str, &str); 5] = [
    ("SELECT", "its tables cannot be read"),
    ("SHOW VIEW", "views cannot be saved"),
    ("TRIGGER", "triggers are invisible, and missing from backups"),
    ("EVENT", "events are invisible, and missing from backups"),
    ("LOCK TABLES", "tables without transactions cannot be held still"),
];
const RESTORE: [&str; 6] = ["INSERT", "CREATE", "ALTER", "DROP", "INDEX", "REFERENCES"];

/// What the user lacks, with the statement that gives it; for people.
pub(super) fn lacks(spec: &MysqlSpec) -> Result<Vec<Lack>> {
    let mut link = Link::open(spec, None)?;
    let rows = link.rows("SHOW GRANTS").during("read the rights of the database user")?;
    let grants: Vec<_> = rows.iter().map(|row| text(row, 0)).collect();
    let user = link.first("SELECT CURRENT_USER()").during("ask who we are")?;
    Ok(lacks_in(&grants, spec, &account(&user.map(|row| text(&row, 0)).unwrap_or_default())))
}

/// `name@host` as a statement has it; the host has no `@`, and the name may.
fn account(user: &str) -> String {
    let (name, host) = user.rsplit_once('@').unwrap_or((user, "%"));
    format!("{}@{}", literal(name), literal(host))
}

fn lacks_in(grants: &[String], spec: &MysqlSpec, account: &str) -> Vec<Lack> {
    let Some(rights) = rights_in(grants, &spec.schema) else { return Vec::new() };
    // In a grant the name of a schema is a pattern.
    let schema = quote(&spec.schema.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%"));
    let lack = |right: &str, without: &str| Lack {
        right: right.to_owned(),
        without: without.to_owned(),
        statement: format!("GRANT {right} ON {schema}.* TO {account}"),
    };
    let mut found: Vec<_> = WANTED
        .into_iter()
        .filter(|(right, _)| !has(&rights, right))
        .map(|(right, without)| lack(right, without))
        .collect();
    if RESTORE.iter().any(|right| !has(&rights, right)) {
        found.push(lack("ALL PRIVILEGES", "a restore cannot make the tables that it exchanges"));
    }
    if spec.connections > 1 && !rights_in(grants, "").is_some_and(|global| has(&global, "RELOAD")) {
        found.push(Lack {
            right: "RELOAD".to_owned(),
            without: "with more than one of `connections`, tables are locked for the moment of the dump"
                .to_owned(),
            statement: format!("GRANT RELOAD ON *.* TO {account}"),
        });
    }
    found
}

/// All rights on a schema; `None` where a role may bring more than is spelled out.
fn rights_in(grants: &[String], schema: &str) -> Option<Vec<String>> {
    let parsed: Option<Vec<_>> = grants.iter().map(|grant| parse(grant)).collect();
    let here = parsed?.into_iter().filter(|(_, target)| covers(target, schema));
    Some(here.flat_map(|(rights, _)| rights).collect())
}

fn has(rights: &[String], right: &str) -> bool {
    rights.iter().any(|known| known == right || known.starts_with("ALL PRIVILEGES"))
}

fn missing_in(grants: &[String], schema: &str) -> Vec<Unsaved> {
    // A granted role may bring anything, and is not always spelled out.
    let Some(rights) = rights_in(grants, schema) else { return Vec::new() };
    NEEDED
        .into_iter()
        .filter(|(right, _)| !has(&rights, right))
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
