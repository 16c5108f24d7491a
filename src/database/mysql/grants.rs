//! Accounts and what they may do in a schema, as statements that give it back to them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::fault::{During, Sql, code_of, text_of};
use super::link::Link;
use super::names::{literal, quote};
use super::rights::covers;
use super::row::text;
use crate::dump::Unsaved;
use crate::error::Result;
use crate::event::Cx;

/// Tables of the server that this user may not read.
const DENIED: [u16; 2] = [1142, 1044];

/// Name of the file in a dump that has them.
pub(super) const NAME: &str = "schema/grants.jsonl";

/// One account; one line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Account {
    /// `'user'@'host'`.
    pub name: String,
    /// `CREATE USER`, with the hash of its password; an account that is there stays as it is.
    pub create: String,
    /// Each `GRANT` that names the schema or something in it.
    pub grants: Vec<String>,
}

/// All accounts with rights on this very schema, and those whose rights cannot be seen. Rights on everything are the
/// server's business and no site's.
pub(super) fn read(link: &mut Link, schema: &str) -> Result<(Vec<Account>, Vec<Unsaved>)> {
    let during = || format!("list who has rights on schema {schema:?}");
    let (mut accounts, mut unsaved) = (Vec::new(), Vec::new());
    let mut names = BTreeSet::new();
    for grantee in grantees(link, schema).during(during())? {
        if let Some(name) = quoted(&grantee) {
            names.insert(name);
        } else {
            unsaved.push(Unsaved { what: format!("account {grantee}"), why: "it is no user".to_owned() });
        }
    }
    match callers(link, schema) {
        Ok(callers) => names.extend(callers),
        // Whoever may not look there is shown no account but his own.
        Err(error) if code_of(&error).is_some_and(|code| DENIED.contains(&code)) => {
            unsaved.push(Unsaved { what: "other accounts".to_owned(), why: text_of(&error) });
        }
        Err(error) => return Err(error).during(during()),
    }
    for name in names {
        match account(link, schema, &name) {
            Ok(account) if account.grants.is_empty() => {}
            Ok(account) => accounts.push(account),
            Err(error) if matches!(error, mysql_async::Error::Server(_)) => {
                unsaved.push(Unsaved { what: format!("account {name}"), why: text_of(&error) });
            }
            Err(error) => return Err(error).during(format!("read the rights of {name}")),
        }
    }
    Ok((accounts, unsaved))
}

/// Gives the rights back; what the server refuses is missing from the result.
pub(super) fn give(link: &mut Link, accounts: &[Account], cx: &Cx) -> Result<()> {
    for Account { name, create, grants } in accounts {
        for sql in std::iter::once(create).chain(grants) {
            match link.run(sql.as_str()) {
                Ok(()) => {}
                Err(error) if matches!(error, mysql_async::Error::Server(_)) => {
                    cx.missed(format!("rights of {name}"), text_of(&error));
                }
                Err(error) => return Err(error).during(format!("give {name} its rights back")),
            }
        }
    }
    Ok(())
}

/// Whoever has rights on the schema, a table or a column, as the server calls them.
fn grantees(link: &mut Link, schema: &str) -> Sql<Vec<String>> {
    let schema = literal(schema);
    let rows = link.rows(format!(
        "SELECT grantee FROM information_schema.schema_privileges WHERE {schema} LIKE table_schema \
         UNION SELECT grantee FROM information_schema.table_privileges WHERE table_schema={schema} \
         UNION SELECT grantee FROM information_schema.column_privileges WHERE table_schema={schema} ORDER BY 1"
    ))?;
    Ok(rows.iter().map(|row| text(row, 0)).collect())
}

/// As statements name them: whoever has rights on a routine, which no view of `information_schema` tells.
fn callers(link: &mut Link, schema: &str) -> Sql<Vec<String>> {
    let rows = link.rows(format!("SELECT user, host FROM mysql.procs_priv WHERE db={}", literal(schema)))?;
    Ok(rows.iter().map(|row| format!("{}@{}", literal(&text(row, 0)), literal(&text(row, 1)))).collect())
}

/// `'user'@'host'`, which the server prints without doubling the quotes inside.
fn quoted(grantee: &str) -> Option<String> {
    let inner = grantee.strip_prefix('\'')?.strip_suffix('\'')?;
    let (user, host) = inner.rsplit_once("'@'")?;
    Some(format!("{}@{}", literal(user), literal(host)))
}

fn account(link: &mut Link, schema: &str, name: &str) -> Sql<Account> {
    let shown = link.first(format!("SHOW CREATE USER {name}"))?;
    let create = shown.as_ref().map(|row| text(row, 0)).unwrap_or_default();
    let create = create.replacen("CREATE USER ", "CREATE USER IF NOT EXISTS ", 1);
    let rows = link.rows(format!("SHOW GRANTS FOR {name}"))?;
    let grants = rows.iter().map(|row| text(row, 0)).filter(|grant| concerns(grant, schema)).collect();
    Ok(Account { name: name.to_owned(), create, grants })
}

/// `GRANT … ON `schema`.…`, or on a pattern that means this schema; not on everything.
fn concerns(grant: &str, schema: &str) -> bool {
    let Some((_, rest)) = grant.split_once(" ON ") else { return false };
    let target = rest.trim_start_matches("PROCEDURE ").trim_start_matches("FUNCTION ");
    target.starts_with(&format!("{}.", quote(schema)))
        || target.split_once(".* TO ").is_some_and(|(pattern, _)| pattern != "*" && covers(pattern, schema))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_the_schema_concerns_it() {
        let concerned = [
            "GRANT SELECT ON `my_shop`.* TO `u`@`%`",
            "GRANT ALL PRIVILEGES ON `my\\_%`.* TO `u`@`%`",
            "GRANT SELECT (`a`) ON `my_shop`.`t` TO `u`@`%`",
            "GRANT EXECUTE ON PROCEDURE `my_shop`.`p` TO `u`@`%`",
        ];
        assert!(concerned.iter().all(|grant| concerns(grant, "my_shop")));
        let others = [
            "GRANT ALL PRIVILEGES ON *.* TO `r`@`h`",
            "GRANT SELECT ON `my_shop2`.* TO `u`@`%`",
            "GRANT `r` TO `u`@`%`",
        ];
        assert!(!others.iter().any(|grant| concerns(grant, "my_shop")));
    }
}
