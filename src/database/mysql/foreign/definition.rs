//! What the definitions of a dump may say: they are the only statements of it that a server gets to see as they are.

use super::judge::{Found, Statement, Table, unknown, without_if};
use super::words::{Token, unconditional};
use crate::database::mysql::names::quote;
use crate::database::mysql::objects::ObjectKind;

/// Engines whose rows are in the table itself; others lead elsewhere, to other tables, files or servers.
const ENGINES: [&str; 11] = [
    "innodb",
    "myisam",
    "aria",
    "memory",
    "heap",
    "archive",
    "csv",
    "blackhole",
    "rocksdb",
    "tokudb",
    "ndbcluster",
];

/// In a definition, words that read or reach what is no part of it.
const NOT_IN_TABLES: [&str; 6] = ["SELECT", "UNION", "DIRECTORY", "CONNECTION", "PROCEDURE", "SONAME"];

/// In a body, words with which it would leave the schema, or say what nobody has read: a text that is executed can be anything.
const NOT_IN_BODIES: [&str; 19] = [
    "OUTFILE",
    "DUMPFILE",
    "SONAME",
    "GRANT",
    "REVOKE",
    "PREPARE",
    "EXECUTE",
    "GLOBAL",
    "@@GLOBAL",
    "PERSIST",
    "@@PERSIST",
    "PERSIST_ONLY",
    "@@PERSIST_ONLY",
    "INSTALL",
    "UNINSTALL",
    "SHUTDOWN",
    "KILL",
    "PURGE",
    "BINLOG",
];
/// What no server keeps in a schema.
const OF_THE_SERVER: &[&str] = &[
    "DATABASE",
    "SCHEMA",
    "USER",
    "ROLE",
    "SERVER",
    "TABLESPACE",
    "LOGFILE",
    "UNDO",
    "RESOURCE",
    "INSTANCE",
];
const REPLICATION: &[&str] = &["MASTER", "SLAVE", "REPLICA", "REPLICATION", "GROUP_REPLICATION", "ALL"];
const NOT_TOGETHER: [(&str, &[&str]); 10] = [
    ("LOAD", &["DATA", "XML", "INDEX"]),
    ("CREATE", OF_THE_SERVER),
    ("DROP", OF_THE_SERVER),
    ("ALTER", OF_THE_SERVER),
    ("RENAME", OF_THE_SERVER),
    ("SET", &["PASSWORD", "ROLE", "DEFAULT", "RESOURCE"]),
    ("CHANGE", REPLICATION),
    ("RESET", REPLICATION),
    ("START", REPLICATION),
    ("STOP", REPLICATION),
];

pub(super) fn created(
    sql: &[u8],
    all: &[Token<'_>],
    words: &[Token<'_>],
    schema: &str,
) -> Result<Statement, String> {
    let mut at = 1;
    while let Some(token) = words.get(at) {
        at += match token {
            _ if token.is("OR") => 2,
            _ if token.is("ALGORITHM") => 3,
            _ if token.is("SQL") => 3,
            // `user`, `@`, `host`; or one word for all of it.
            _ if token.is("DEFINER") => match words.get(at + 3) {
                Some(Token::Word(b"@")) => 5,
                Some(sign) if sign.is_sign(b'(') => 5,
                Some(Token::Word(host)) if host.starts_with(b"@") => 4,
                _ => 3,
            },
            _ => break,
        };
    }
    let [kind, rest @ ..] = words.get(at..).unwrap_or_default() else { return Err(unknown(words)) };
    if kind.is("TABLE") {
        return if at == 1 { table(sql, all, schema) } else { Err(unknown(words)) };
    }
    let (kind, rest) = match rest {
        [body, rest @ ..] if kind.is("PACKAGE") && body.is("BODY") => (ObjectKind::PackageBody, rest),
        _ => (object_kind(kind).ok_or_else(|| unknown(words))?, rest),
    };
    object(kind, sql, (all, words), without_if(rest), schema)
}

fn object_kind(word: &Token<'_>) -> Option<ObjectKind> {
    let kinds = [
        ("VIEW", ObjectKind::View),
        ("TRIGGER", ObjectKind::Trigger),
        ("PROCEDURE", ObjectKind::Procedure),
        ("FUNCTION", ObjectKind::Function),
        ("EVENT", ObjectKind::Event),
        ("SEQUENCE", ObjectKind::Sequence),
        ("PACKAGE", ObjectKind::Package),
    ];
    kinds.into_iter().find(|(name, _)| word.is(name)).map(|(_, kind)| kind)
}

fn object(
    kind: ObjectKind,
    sql: &[u8],
    (all, words): (&[Token<'_>], &[Token<'_>]),
    rest: &[Token<'_>],
    schema: &str,
) -> Result<Statement, String> {
    let name = rest.first().and_then(Token::name).ok_or_else(|| unknown(all))?;
    if rest.get(1).is_some_and(|token| token.is_sign(b'.')) {
        return Err(format!("{} {name:?} is named with a schema", kind.sql().to_lowercase()));
    }
    if kind == ObjectKind::Sequence {
        fits_table(all, &name, schema)?;
    }
    // A comment parts no words for the server.
    if let Some(word) = leaves(words) {
        return Err(format!("{} {name:?} would leave its schema with {word}", kind.sql().to_lowercase()));
    }
    let table = if kind == ObjectKind::Trigger {
        let on = rest.iter().position(|token| token.is("ON"));
        on.and_then(|at| rest.get(at + 1)).and_then(Token::name).ok_or_else(|| unknown(all))?
    } else {
        String::new()
    };
    let sql = unconditional(sql);
    if std::str::from_utf8(&sql).is_err() {
        return Err(format!("{} {name:?} is not written in UTF-8", kind.sql().to_lowercase()));
    }
    Ok(Statement::Object(Found { kind, table, qualifiers: qualifiers(words), name, sql }))
}

/// What a body may not say.
fn leaves(words: &[Token<'_>]) -> Option<String> {
    let alone =
        words.iter().find(|token| reads_files(token) || NOT_IN_BODIES.iter().any(|word| token.is(word)));
    if let Some(word) = alone {
        return Some(word.said());
    }
    let said = without_or_replace(words);
    let pair = said.windows(2).find(|pair| {
        NOT_TOGETHER
            .iter()
            .any(|(first, seconds)| pair[0].is(first) && seconds.iter().any(|word| pair[1].is(word)))
    });
    pair.map(|pair| format!("{} {}", pair[0].said(), pair[1].said()))
}

/// `LOAD_FILE`, which can be called by its name between backticks too.
fn reads_files(token: &Token<'_>) -> bool {
    token.name().is_some_and(|name| name.eq_ignore_ascii_case("load_file"))
}

/// `CREATE OR REPLACE USER` creates one.
fn without_or_replace<'a>(words: &[Token<'a>]) -> Vec<Token<'a>> {
    let (mut plain, mut at) = (Vec::with_capacity(words.len()), 0);
    while let Some(token) = words.get(at) {
        if token.is("OR") && words.get(at + 1).is_some_and(|next| next.is("REPLACE")) {
            at += 2;
        } else {
            plain.push(*token);
            at += 1;
        }
    }
    plain
}

/// Whatever stands before a dot.
fn qualifiers(words: &[Token<'_>]) -> Vec<String> {
    let before = words.windows(2).filter(|pair| pair[1].is_sign(b'.')).filter_map(|pair| pair[0].schema());
    let inside = words.iter().filter_map(Token::schema_inside);
    let mut found: Vec<_> = before.chain(inside).filter(|name| !name.starts_with('@')).collect();
    found.sort();
    found.dedup();
    found
}

fn table(sql: &[u8], all: &[Token<'_>], schema: &str) -> Result<Statement, String> {
    // A stand-in for a view is wrapped as a whole.
    let ddl = if sql.starts_with(b"/*") { unconditional(sql) } else { sql.to_vec() };
    let name = match all {
        [_, _, name @ Token::Name(_), open, ..] if open.is_sign(b'(') => name.name().unwrap_or_default(),
        _ => return Err("a table is created in another way than mysqldump does".to_owned()),
    };
    let head = [b"CREATE TABLE ", quote(&name).as_bytes(), b" ("].concat();
    if !ddl.starts_with(&head)
        || std::str::from_utf8(ddl.get(13..head.len() - 2).unwrap_or_default()).is_err()
    {
        return Err("a table is created in another way than mysqldump does".to_owned());
    }
    fits_table(all, &name, schema)?;
    let end = all.iter().rposition(|token| token.is_sign(b')')).unwrap_or_default();
    let tail = options_of(all, end);
    let engine = value_of(tail, "ENGINE").unwrap_or_default().to_ascii_lowercase();
    let versioned = tail.windows(2).any(|pair| pair[0].is("SYSTEM") && pair[1].is("VERSIONING"));
    Ok(Statement::Table(Table { name, ddl, engine, versioned }))
}

/// What follows the parenthesis that ends the columns.
fn options_of<'a, 'b>(all: &'a [Token<'b>], last: usize) -> &'a [Token<'b>] {
    let mut depth = 0_i32;
    for (at, token) in all.iter().enumerate() {
        depth += i32::from(token.is_sign(b'(')) - i32::from(token.is_sign(b')'));
        if depth == 0 && token.is_sign(b')') {
            return &all[at..];
        }
    }
    &all[last..]
}

fn value_of(words: &[Token<'_>], key: &str) -> Option<String> {
    let at = words.iter().position(|token| token.is(key))?;
    words[at + 1..].iter().find(|token| !token.is_sign(b'=')).map(Token::said)
}

fn fits_table(words: &[Token<'_>], name: &str, schema: &str) -> Result<(), String> {
    let what = |why: String| format!("the definition of {name:?} {why}");
    if words.iter().any(|token| *token == Token::Comment || token.is_sign(b';')) {
        return Err(what("has a comment or another statement in it".to_owned()));
    }
    let elsewhere =
        |token: &&Token<'_>| reads_files(token) || NOT_IN_TABLES.iter().any(|word| token.is(word));
    if let Some(word) = words.iter().find(elsewhere) {
        return Err(what(format!("would reach elsewhere with {}", word.said())));
    }
    if words.iter().skip(2).any(|token| token.is("TABLE")) {
        return Err(what("takes another table in".to_owned()));
    }
    for (at, token) in words.iter().enumerate() {
        if token.is_sign(b'.') {
            // A default that asks a sequence names it with its schema; nothing else does.
            let sequence = at >= 3
                && words[at - 3].is("nextval")
                && words[at - 2].is_sign(b'(')
                && words[at - 1].name().is_some_and(|own| own == schema);
            if !sequence {
                return Err(what("names something in another schema".to_owned()));
            }
        }
        if token.is("ENGINE") {
            let engine = value_of(&words[at..], "ENGINE").unwrap_or_default().to_ascii_lowercase();
            if !ENGINES.contains(&engine.as_str()) {
                return Err(what(format!("has the engine {engine}, whose rows are not in the table")));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::judge::statement;
    use super::*;

    fn judged(sql: &str) -> Result<Vec<String>, String> {
        match statement(sql.as_bytes(), "shop")? {
            Statement::Object(found) => Ok(found.qualifiers),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn whatever_can_be_a_schema_before_a_dot_is_one() {
        for (from, qualifiers) in [
            ("`other`.`secret`", &["other"][..]),
            ("`other`/**/.`secret`", &["other"]),
            ("other -- \n . secret", &["other"]),
            ("`other` # x\n.`secret`", &["other"]),
            // With ANSI_QUOTES that is a name.
            ("\"ot\"\"her\".secret", &["ot\"her"]),
            ("1other.secret", &["1other"]),
            ("1e5.secret", &["1e5"]),
            ("/*!50001 other*/.secret", &["other"]),
            ("t WHERE a > 1.5 AND b < 0.25e3", &["0"][..0]),
        ] {
            let sql = format!("CREATE VIEW `v` AS SELECT * FROM {from}");
            assert_eq!(judged(&sql).unwrap(), qualifiers, "{sql}");
        }
    }

    #[test]
    fn no_body_leaves_its_schema_however_it_is_written() {
        for body in [
            "CREATE /**/ USER evil@localhost",
            "CREATE OR REPLACE USER evil@localhost",
            "CREATE OR /* x */ REPLACE ROLE evil",
            "DROP\n#\nDATABASE other",
            "RENAME USER a@b TO c@d",
            "SET @z=1, GLOBAL max_connections=77",
            "SET @@global.max_connections=77",
            "SET PERSIST max_connections=77",
            "SET /**/ ROLE admin",
            "PREPARE p FROM CONCAT('GRA','NT ALL ON *.* TO evil@localhost')",
            "EXECUTE IMMEDIATE 'x'",
            "SELECT LOAD_FILE('/etc/passwd')",
            "SELECT `load_file`('/etc/passwd')",
            "SELECT 1 INTO /**/ OUTFILE '/tmp/x'",
            "LOAD/**/DATA INFILE 'x' INTO TABLE t",
            "STOP /**/ SLAVE",
            "KILL 5",
        ] {
            let sql = format!("CREATE EVENT `e` ON SCHEDULE EVERY 1 SECOND DO {body}");
            let refused = judged(&sql).unwrap_err();
            assert!(refused.contains("would leave its schema with"), "{sql}: {refused}");
        }
    }

    #[test]
    fn what_stays_inside_is_let_in() {
        for body in [
            "REPLACE INTO log VALUES (NEW.id, 'GRANT')",
            "SET NEW.title = REPLACE(NEW.title, 'a', 'b')",
            "BEGIN DECLARE `global` INT; START TRANSACTION; DELETE FROM log; COMMIT; END",
        ] {
            judged(&format!("CREATE TRIGGER `x` AFTER INSERT ON `log` FOR EACH ROW {body}")).unwrap();
        }
    }
}
