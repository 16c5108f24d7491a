//! `lifeboat parse`: the literal values of a site's own settings, for recipes, hooks and references in the configuration.

use std::io::{self, Read};
use std::path::Path as FilePath;

use percent_encoding::percent_decode;
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::args::{Dialect, Parse, Question};
use super::output::Output;
use super::{Done, SUCCESS, Session};
use crate::error::{Context, Error, Result};
use crate::site::dotenv::{self, Dotenv};
use crate::site::php::{Document, Environment};
use crate::site::read_source;
use crate::site::tree::{Key, Miss, Path, Tree};

const BY_HAND: &str = "find out what it is, and set it by hand in the configuration";
/// A run's whole state comes in to a hook.
const MAX_INPUT: u64 = 4 * 1024 * 1024;

pub(super) fn parse(session: &Session<'_>, action: &Parse) -> Done {
    match action {
        Parse::Php { file, env, question } => {
            let environment = env.as_deref().map(environment).transpose()?;
            let document = Document::read(&source(file)?, environment.as_ref());
            answer(session, file, question, |path| document.get(path), || document.tree())
        }
        Parse::Dotenv { files, dialect, question } => {
            let mut found = Dotenv::default();
            for file in files {
                found.read(&source(file)?, (*dialect).into());
            }
            let named = files.last().map_or(FilePath::new(""), std::path::PathBuf::as_path);
            // A variable's name has no steps, and may have dots.
            let get = |path: &Path| found.get(&path.0.join(".")).map(|text| Tree::Text(text.to_vec()));
            answer(session, named, question, get, || found.tree())
        }
        Parse::Json { file, question } => {
            let text = if file.as_os_str() == "-" { input()? } else { source(file)? };
            // The library's own words would show a piece of the text.
            let json: serde_json::Value = serde_json::from_slice(&text).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                Error::usage(format!("{}:{line}:{column}: is not JSON", file.display()))
            })?;
            let tree = Tree::from(&json);
            answer(session, file, question, |path| tree.get(&path.0).cloned(), || tree.clone())
        }
    }
}

impl From<Dialect> for dotenv::Dialect {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Laravel => Self::Laravel,
            Dialect::Symfony => Self::Symfony,
        }
    }
}

fn source(file: &FilePath) -> Result<Zeroizing<Vec<u8>>> {
    read_source(file).with_context(|| format!("read {}", file.display()))
}

fn input() -> Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::new());
    io::stdin().lock().take(MAX_INPUT + 1).read_to_end(&mut text).context("read the standard input")?;
    if text.len() as u64 > MAX_INPUT {
        return Err(Error::usage(format!("more than {MAX_INPUT} bytes came in")));
    }
    Ok(text)
}

fn environment(file: &FilePath) -> Result<Environment> {
    let mut found = Dotenv::default();
    found.read(&source(file)?, dotenv::Dialect::Laravel);
    let Tree::Map(variables) = found.tree() else { return Ok(Environment::new()) };
    let names = variables.keys().map(ToString::to_string);
    let pairs = names.filter_map(|name| {
        let value = String::from_utf8(found.get(&name).ok()?.to_vec()).ok()?;
        Some((name, value))
    });
    Ok(pairs.collect())
}

fn answer(
    session: &Session<'_>,
    file: &FilePath,
    question: &Question,
    get: impl Fn(&Path) -> Result<Tree, Miss>,
    all: impl Fn() -> Tree,
) -> Done {
    let Some(wanted) = &question.get else {
        let (values, missing) = all().json();
        let missing: Vec<_> = missing
            .into_iter()
            .map(|(path, reason)| json!({ "path": path, "line": reason.line, "why": reason.why }))
            .collect();
        let document = json!({ "values": values, "unreadable": missing });
        let text = serde_json::to_string_pretty(&document)?;
        return session.output.result(SUCCESS, &document, |out| writeln!(out, "{text}"));
    };
    let tree = match (get(&Path::parse(wanted)), &question.default) {
        (Ok(tree), _) => tree,
        (Err(Miss::Absent), Some(default)) => Tree::text(default),
        (Err(miss), _) => return Err(refuse(file, wanted, miss)),
    };
    if question.keys {
        let keys = keys(&tree, file, wanted)?;
        return session.output.result(SUCCESS, &json!({ "keys": keys }), |out| {
            keys.iter().try_for_each(|key| writeln!(out, "{key}"))
        });
    }
    let several = || {
        Error::failed(format!("{wanted} in {} is not one value, but holds others", file.display()))
            .with_remedy("name one of them behind another dot; --keys lists them")
    };
    let value = Zeroizing::new(tree.raw().ok_or_else(several)?);
    let value = match &question.url {
        Some(part) => part_of(&value, part, file, wanted)?,
        None => value,
    };
    if session.global.json {
        let text = String::from_utf8(value.to_vec()).map_err(|_| not_text(file, wanted))?;
        return session.output.result(SUCCESS, &json!({ "value": text }), |_| Ok(()));
    }
    Output::raw(|out| out.write_all(&value).and_then(|()| out.write_all(b"\n")))
}

fn refuse(file: &FilePath, wanted: &str, miss: Miss) -> Error {
    let file = file.display();
    match miss {
        Miss::Absent => Error::failed(format!("{file} says nothing about {wanted}"))
            .with_remedy("look whether the path is right: without --get everything is printed"),
        Miss::Unreadable(reason) => {
            let line = reason.line.map(|line| format!(":{line}")).unwrap_or_default();
            Error::failed(format!("cannot read {wanted} in {file}{line}: it {}", reason.why))
                .with_remedy(BY_HAND)
        }
    }
}

fn not_text(file: &FilePath, wanted: &str) -> Error {
    Error::failed(format!("cannot read {wanted} in {}: it is a text that is not UTF-8", file.display()))
        .with_remedy(BY_HAND)
}

/// One a line: a name with a line end in it would be taken for two.
fn keys(tree: &Tree, file: &FilePath, wanted: &str) -> Result<Vec<String>> {
    let Tree::Map(map) = tree else {
        return Err(Error::failed(format!("{wanted} in {} holds no others", file.display()))
            .with_remedy("ask for its value, without --keys"));
    };
    if let Some(reason) = map.rest() {
        return Err(refuse(file, wanted, Miss::Unreadable(reason.clone())));
    }
    let plain = |key: &Key| {
        let text = key.to_string();
        (!text.contains(char::is_control) && !text.contains('\u{fffd}')).then_some(text)
    };
    map.keys().map(plain).collect::<Option<Vec<_>>>().ok_or_else(|| {
        Error::failed(format!("{wanted} in {} has a name with control characters", file.display()))
            .with_remedy(BY_HAND)
    })
}

/// As PHP's `parse_url` and `rawurldecode` take an address apart.
fn part_of(value: &[u8], part: &str, file: &FilePath, wanted: &str) -> Result<Zeroizing<Vec<u8>>> {
    let no_address = || {
        Error::failed(format!(
            "{wanted} in {} is not an address such as mysql://user@host/name",
            file.display()
        ))
        .with_remedy(BY_HAND)
    };
    let text = std::str::from_utf8(value).map_err(|_| not_text(file, wanted))?;
    // The library would leave them out without a word.
    let address =
        Url::parse(text).ok().filter(|_| !text.contains(char::is_control)).ok_or_else(no_address)?;
    let encoded = match part {
        "scheme" => address.scheme().to_owned(),
        "user" => address.username().to_owned(),
        "password" => address.password().unwrap_or_default().to_owned(),
        "host" => address.host_str().unwrap_or_default().to_owned(),
        "port" => address.port().map(|port| port.to_string()).unwrap_or_default(),
        "name" => address.path().strip_prefix('/').unwrap_or_default().to_owned(),
        parameter => {
            let name = parameter.strip_prefix('?').ok_or_else(|| {
                Error::usage(format!("an address has no part {part:?}")).with_remedy(
                    "use scheme, user, password, host, port, name, or ? and the name of a parameter",
                )
            })?;
            let found = address.query_pairs().find(|(key, _)| key == name);
            return Ok(Zeroizing::new(
                found.map(|(_, value)| value.into_owned()).unwrap_or_default().into_bytes(),
            ));
        }
    };
    Ok(Zeroizing::new(percent_decode(encoded.as_bytes()).collect()))
}
