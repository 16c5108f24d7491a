//! What a statement of a dump does: one of the few things that `mysqldump` writes, or it is refused.

use super::definition::created;
use super::words::{Token, tokens};
use crate::database::mysql::objects::ObjectKind;

/// Character sets in which no byte of another letter looks like a quote or a backslash.
const CHARSETS: [&str; 22] = [
    "utf8mb4", "utf8mb3", "utf8", "binary", "latin1", "latin2", "latin5", "latin7", "ascii", "cp1250",
    "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "koi8r", "koi8u", "greek", "hebrew", "geostd8",
    "armscii8",
];

/// Modes in which a backslash is no escape somewhere: there the server and we would read quotes differently.
const OTHER_QUOTES: [&str; 8] =
    ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "ANSI", "ORACLE", "MSSQL", "DB2", "POSTGRESQL", "MAXDB"];

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// Done by the restore in its own way, or not needed.
    Idle,
    Set(Vec<(String, Setting)>),
    CreateDatabase {
        name: String,
        charset: Option<String>,
        collation: Option<String>,
    },
    /// The collation that the next object remembers of its schema.
    AlterDatabase {
        collation: Option<String>,
    },
    Use(String),
    Drop(String),
    Table(Table),
    Object(Found),
    /// A sequence and the statement that sets it.
    SetValue(String, String),
    Insert {
        table: String,
        columns: Option<Vec<String>>,
    },
}

/// The value of a variable.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Literal(String),
    /// Another variable's: most often what it was before.
    Former,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub name: String,
    /// As `SHOW CREATE TABLE` prints it.
    pub ddl: Vec<u8>,
    /// In lower case; empty if it is not said.
    pub engine: String,
    pub versioned: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub kind: ObjectKind,
    pub name: String,
    /// That a trigger belongs to.
    pub table: String,
    pub sql: Vec<u8>,
    /// Names before a dot: tables, aliases, or schemas.
    pub qualifiers: Vec<String>,
}

/// `schema` is the one the dump is of. The error says what is not allowed.
pub(super) fn statement(sql: &[u8], schema: &str) -> Result<Statement, String> {
    let all = tokens(sql);
    let words: Vec<_> = all.iter().filter(|token| **token != Token::Comment).copied().collect();
    let Some(first) = words.first() else { return Ok(Statement::Idle) };
    let second = |word: &str| words.get(1).is_some_and(|token| token.is(word));
    if first.is("SET") {
        set(&words[1..])
    } else if first.is("CREATE") && (second("DATABASE") || second("SCHEMA")) {
        database(&words[2..]).map(|(name, charset, collation)| Statement::CreateDatabase {
            name,
            charset,
            collation,
        })
    } else if first.is("ALTER") && second("DATABASE") {
        database(&words[2..]).map(|(_, _, collation)| Statement::AlterDatabase { collation })
    } else if first.is("USE") && words.len() == 2 {
        words[1].name().map(Statement::Use).ok_or_else(|| unknown(&words))
    } else if first.is("CREATE") {
        created(sql, &all, &words, schema)
    } else if first.is("DROP") {
        dropped(&words)
    } else if first.is("INSERT") {
        insert(&words)
    } else if (first.is("DO") || first.is("SELECT")) && second("SETVAL") {
        set_value(&words[2..]).ok_or_else(|| unknown(&words))
    } else if is_idle(&words) {
        Ok(Statement::Idle)
    } else {
        Err(unknown(&words))
    }
}

/// Table locks, keys that are switched off for the time of a load, transactions.
fn is_idle(words: &[Token<'_>]) -> bool {
    let is = |pattern: &[&str]| {
        words.len() == pattern.len()
            && words.iter().zip(pattern).all(|(token, wanted)| match *wanted {
                "" => token.name().is_some(),
                word => token.is(word),
            })
    };
    is(&["COMMIT"])
        || is(&["BEGIN"])
        || is(&["START", "TRANSACTION"])
        || is(&["UNLOCK", "TABLES"])
        || is(&["LOCK", "TABLES", "", "WRITE"])
        || is(&["FLUSH", "PRIVILEGES"])
        || is(&["ALTER", "TABLE", "", "DISABLE", "KEYS"])
        || is(&["ALTER", "TABLE", "", "ENABLE", "KEYS"])
}

pub(super) fn unknown(words: &[Token<'_>]) -> String {
    let said: Vec<_> = words.iter().take(4).map(Token::said).collect();
    format!("`{}` is nothing that mysqldump writes", said.join(" "))
}

fn set(words: &[Token<'_>]) -> Result<Statement, String> {
    if let [names, charset, ..] = words
        && names.is("NAMES")
    {
        let charset = plain(charset).ok_or_else(|| unknown(words))?;
        return Ok(Statement::Set(vec![("names".to_owned(), Setting::Literal(known(&charset)?))]));
    }
    let mut settings = Vec::new();
    for assignment in words.split(|token| token.is_sign(b',')) {
        let equal = assignment.iter().position(|token| token.is_sign(b'='));
        let Some((left, [_, right @ ..])) = equal.map(|at| assignment.split_at(at)) else {
            // The rest of a list of values.
            if settings.is_empty() {
                return Err(unknown(words));
            }
            continue;
        };
        let global = left.iter().any(|token| token.is("GLOBAL") || token.is("@@GLOBAL"));
        let name = left.last().map(Token::said).unwrap_or_default().to_ascii_lowercase();
        let odd =
            ["password", "role"].contains(&name.as_str()) || left.iter().any(|token| token.is("PASSWORD"));
        if odd || global && name != "gtid_purged" || left.is_empty() || left.len() > 3 {
            return Err(unknown(words));
        }
        let value = match right {
            [one] => plain(one).filter(|value| !value.starts_with('@')).map(Setting::Literal),
            _ => None,
        };
        settings.push((name, value.unwrap_or(Setting::Former)));
    }
    Ok(Statement::Set(settings))
}

/// A value of letters that need no quotes, with or without them.
fn plain(token: &Token<'_>) -> Option<String> {
    let text = match token {
        Token::Word(text) => text,
        Token::Text(text) => text.get(1..text.len() - 1)?,
        _ => return None,
    };
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"_,/+-:@.".contains(byte);
    text.iter().all(fits).then(|| String::from_utf8_lossy(text).into_owned())
}

/// A character set that can be read byte by byte.
fn known(charset: &str) -> Result<String, String> {
    let lower = charset.to_ascii_lowercase();
    if CHARSETS.contains(&lower.as_str()) {
        Ok(lower)
    } else {
        Err(format!("the character set {charset} cannot be read safely"))
    }
}

/// The name of a schema, and its options as far as they are of any use.
fn database(words: &[Token<'_>]) -> Result<(String, Option<String>, Option<String>), String> {
    let words = without_if(words);
    let name = words.first().and_then(Token::name).ok_or_else(|| unknown(words))?;
    let after = |word: &str| {
        let at = words.iter().position(|token| token.is(word))?;
        let value = words[at + 1..].iter().find(|token| !token.is("SET") && !token.is_sign(b'='))?;
        plain(value).filter(|value| value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
    };
    Ok((name, after("CHARACTER").or_else(|| after("CHARSET")), after("COLLATE")))
}

pub(super) fn without_if<'a, 'b>(words: &'a [Token<'b>]) -> &'a [Token<'b>] {
    match words {
        [first, second, third, rest @ ..] if first.is("IF") && second.is("NOT") && third.is("EXISTS") => rest,
        [first, second, rest @ ..] if first.is("IF") && second.is("EXISTS") => rest,
        _ => words,
    }
}

fn dropped(words: &[Token<'_>]) -> Result<Statement, String> {
    const KINDS: [&str; 7] = ["TABLE", "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "SEQUENCE"];
    match words {
        [_, kind, one, two, name]
            if one.is("IF") && two.is("EXISTS") && KINDS.iter().any(|word| kind.is(word)) =>
        {
            name.name().map(Statement::Drop).ok_or_else(|| unknown(words))
        }
        [_, package, .., name] if package.is("PACKAGE") && words.len() <= 6 => {
            name.name().map(Statement::Drop).ok_or_else(|| unknown(words))
        }
        _ => Err(unknown(words)),
    }
}

fn insert(words: &[Token<'_>]) -> Result<Statement, String> {
    let [_, into, table, rest @ ..] = words else { return Err(unknown(words)) };
    let table = table.name().filter(|_| into.is("INTO")).ok_or_else(|| unknown(words))?;
    if rest.is_empty() {
        return Ok(Statement::Insert { table, columns: None });
    }
    let [open, list @ .., close] = rest else { return Err(unknown(words)) };
    if !open.is_sign(b'(') || !close.is_sign(b')') {
        return Err(unknown(words));
    }
    let columns: Option<Vec<_>> = list
        .split(|token| token.is_sign(b','))
        .map(|one| if let [name @ Token::Name(_)] = one { name.name() } else { None })
        .collect();
    Ok(Statement::Insert { table, columns: Some(columns.ok_or_else(|| unknown(words))?) })
}

/// `(`s`, 1, 0)`, whatever numbers.
fn set_value(words: &[Token<'_>]) -> Option<Statement> {
    let [open, name @ Token::Name(raw), list @ .., close] = words else { return None };
    let numbers = list.iter().all(|token| match token {
        Token::Word(word) => word.iter().all(u8::is_ascii_digit),
        Token::Sign(sign) => b",-".contains(sign),
        _ => false,
    });
    if !open.is_sign(b'(') || !close.is_sign(b')') || !numbers {
        return None;
    }
    let list: String = list.iter().map(Token::said).collect();
    Some(Statement::SetValue(name.name()?, format!("DO SETVAL(`{}`{list})", String::from_utf8_lossy(raw))))
}

/// Under this mode the text would be read in another way than it was here.
pub(super) fn misread(sql_mode: &str, text: &[u8]) -> bool {
    let other = |mode: &str| OTHER_QUOTES.iter().any(|word| mode.eq_ignore_ascii_case(word));
    sql_mode.split(',').any(other) && text.contains(&b'\\')
}
