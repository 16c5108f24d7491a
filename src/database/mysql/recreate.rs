//! Objects created again, each under the session attributes it had when it was first created.

use super::fault::{During, code_of, text_of};
use super::link::Link;
use super::names::{literal, qualified, quote};
use super::objects::{Object, ObjectKind};
use super::{server, session};
use crate::error::{Error, Result};
use crate::event::Cx;

/// The server wants a right for objects that act as somebody else.
const DEFINER_DENIED: u16 = 1227;

/// Creates all of these in `schema`, which must be the session's default. Views may use each other in any order, so what
/// fails is tried again as long as that gets further.
pub(super) fn create(link: &mut Link, schema: &str, objects: &[&Object], cx: &Cx) -> Result<()> {
    let mut collation = Collation::of(link, schema)?;
    let created = create_all(link, &mut collation, objects, cx);
    // A connection that is gone cannot put anything back; whoever goes on sets the schema's options again.
    let back = collation.put_back(link);
    created?;
    back?;
    restore_session(link)
}

fn create_all(link: &mut Link, collation: &mut Collation<'_>, objects: &[&Object], cx: &Cx) -> Result<()> {
    let mut waiting: Vec<&Object> = objects.to_vec();
    while !waiting.is_empty() {
        let mut failed = Vec::new();
        for object in &waiting {
            cx.go_on()?;
            collation.set(link, &object.database_collation)?;
            if let Err(error) = create_one(link, object, cx) {
                match error {
                    mysql_async::Error::Server(_) => failed.push((*object, error)),
                    other => return Err(other).during(format!("create {}", label(object))),
                }
            }
        }
        if failed.len() == waiting.len() {
            return give_up(&failed, cx);
        }
        waiting = failed.into_iter().map(|(object, _)| object).collect();
    }
    Ok(())
}

/// The collation of a schema, which each routine, trigger and event remembers from its creation.
struct Collation<'a> {
    schema: &'a str,
    own: String,
    now: String,
}

impl<'a> Collation<'a> {
    fn of(link: &mut Link, schema: &'a str) -> Result<Self> {
        let (_, own) = server::schema_collation(link, schema)?;
        Ok(Self { schema, now: own.clone(), own })
    }

    /// Nothing happens for an object that remembers none.
    fn set(&mut self, link: &mut Link, collation: &str) -> Result<()> {
        if collation.is_empty() || collation == self.now {
            return Ok(());
        }
        link.run(format!("ALTER DATABASE {} COLLATE {}", quote(self.schema), literal(collation)))
            .during(format!("set the collation of schema {:?}", self.schema))?;
        collation.clone_into(&mut self.now);
        Ok(())
    }

    fn put_back(&mut self, link: &mut Link) -> Result<()> {
        let own = self.own.clone();
        self.set(link, &own)
    }
}

fn restore_session(link: &mut Link) -> Result<()> {
    link.run("SET SESSION time_zone='+00:00', sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'")
        .during("reset the session")?;
    session::as_definitions(link).during("reset the session")
}

/// What was broken before may stay broken; anything else is an error.
fn give_up(failed: &[(&Object, mysql_async::Error)], cx: &Cx) -> Result<()> {
    for (object, error) in failed {
        let text = format!("{}: {}", label(object), text_of(error));
        if !object.broken {
            return Err(Error::failed(format!("create {text}")));
        }
        cx.missed(
            label(object),
            format!("it was broken when it was saved, and the server refuses it: {}", text_of(error)),
        );
    }
    Ok(())
}

fn create_one(link: &mut Link, object: &Object, cx: &Cx) -> Result<(), mysql_async::Error> {
    attributes(link, object)?;
    let sql = object.sql.bytes();
    match link.run(sql.as_slice()) {
        Err(error) if code_of(&error) == Some(DEFINER_DENIED) => {
            let Some(sql) = without_definer(&sql) else { return Err(error) };
            link.run(sql)?;
            cx.warn(format!(
                "{} now acts as the user of this restore: its former definer may not be set",
                label(object)
            ));
        }
        other => other?,
    }
    if object.set_value.is_empty() { Ok(()) } else { link.run(object.set_value.as_str()) }
}

/// Sets the session so that the object stores the attributes it had.
pub(super) fn attributes(link: &mut Link, object: &Object) -> Result<(), mysql_async::Error> {
    attribute_statements(object).into_iter().try_for_each(|sql| link.run(sql))
}

pub(super) fn attribute_statements(object: &Object) -> Vec<String> {
    let time_zone = if object.time_zone.is_empty() { "+00:00" } else { &object.time_zone };
    let mut statements = vec![
        session::DEFINITIONS.to_owned(),
        format!("SET SESSION sql_mode={}, time_zone={}", literal(&object.sql_mode), literal(time_zone)),
    ];
    let (client, collation) = (&object.character_set_client, &object.collation_connection);
    if collation.is_empty() {
        return statements;
    }
    statements.push(format!("SET SESSION collation_connection={}", literal(collation)));
    // The text is stored in utf8mb4; only where it is plain ASCII does it read the same in the former character set.
    if !client.is_empty() && client != "utf8mb4" && object.sql.bytes().is_ascii() {
        statements.push(format!("SET SESSION character_set_client={}", literal(client)));
    }
    statements
}

/// Drops one object if it is there.
pub(super) fn drop_object(link: &mut Link, schema: &str, kind: ObjectKind, name: &str) -> Result<()> {
    let during = || format!("drop {} {name}", kind.sql().to_lowercase());
    // The word PACKAGE exists in this dialect only.
    let dialect = matches!(kind, ObjectKind::Package | ObjectKind::PackageBody);
    if dialect {
        link.run("SET SESSION sql_mode='ORACLE'").during(during())?;
    }
    link.run(format!("DROP {} IF EXISTS {}", kind.sql(), qualified(schema, name))).during(during())?;
    if dialect { restore_session(link) } else { Ok(()) }
}

pub(super) fn label(object: &Object) -> String {
    format!("{} {}", object.kind.sql().to_lowercase(), object.name)
}

/// The statement with its own user as the definer; `None` if it names no definer.
fn without_definer(sql: &[u8]) -> Option<Vec<u8>> {
    const WORD: &[u8] = b"DEFINER=";
    let start = sql.windows(WORD.len()).position(|window| window == WORD)? + WORD.len();
    let mut end = start;
    let mut quoted = false;
    while end < sql.len() && (quoted || !sql[end].is_ascii_whitespace()) {
        quoted ^= sql[end] == b'`';
        end += 1;
    }
    Some([&sql[..start], b"CURRENT_USER", &sql[end..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definer_with_quotes_is_replaced() {
        let sql = b"CREATE DEFINER=`a``b c`@`%` TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a='DEFINER=x'";
        let changed = without_definer(sql).expect("has a definer");
        assert!(changed.starts_with(b"CREATE DEFINER=CURRENT_USER TRIGGER t "));
        assert!(changed.ends_with(b"'DEFINER=x'"));
        assert_eq!(without_definer(b"CREATE VIEW v AS SELECT 1"), None);
    }
}
