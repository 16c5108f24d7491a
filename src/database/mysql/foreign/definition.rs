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
const NOT_IN_TABLES: [&str; 7] =
    ["SELECT", "UNION", "DIRECTORY", "CONNECTION", "LOAD_FILE", "PROCEDURE", "SONAME"];

/// In a body, words with which it would leave the schema.
const NOT_IN_BODIES: [&str; 6] = ["LOAD_FILE", "OUTFILE", "DUMPFILE", "SONAME", "GRANT", "REVOKE"];
const NOT_TOGETHER: [(&str, &[&str]); 5] = [
    ("LOAD", &["DATA", "XML"]),
    ("CREATE", &["DATABASE", "SCHEMA", "USER"]),
    ("DROP", &["DATABASE", "SCHEMA", "USER"]),
    ("ALTER", &["USER"]),
    ("SET", &["PASSWORD", "GLOBAL"]),
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
    object(kind, sql, all, without_if(rest), schema)
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
    all: &[Token<'_>],
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
    if let Some(word) = leaves(all) {
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
    Ok(Statement::Object(Found { kind, table, qualifiers: qualifiers(all), name, sql }))
}

/// What a body may not say.
fn leaves(words: &[Token<'_>]) -> Option<String> {
    let alone = words.iter().find(|token| NOT_IN_BODIES.iter().any(|word| token.is(word)));
    let pair = words.windows(2).find(|pair| {
        NOT_TOGETHER
            .iter()
            .any(|(first, seconds)| pair[0].is(first) && seconds.iter().any(|word| pair[1].is(word)))
    });
    let global = words.iter().find(|token| token.is("@@GLOBAL"));
    alone
        .or(global)
        .map(Token::said)
        .or_else(|| pair.map(|pair| format!("{} {}", pair[0].said(), pair[1].said())))
}

fn qualifiers(words: &[Token<'_>]) -> Vec<String> {
    let mut found: Vec<_> = words
        .windows(2)
        .filter(|pair| pair[1].is_sign(b'.'))
        .filter_map(|pair| pair[0].name())
        .filter(|name| !name.starts_with('@'))
        .collect();
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
    if let Some(word) = words.iter().find(|token| NOT_IN_TABLES.iter().any(|word| token.is(word))) {
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
