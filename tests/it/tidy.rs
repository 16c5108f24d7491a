//! The rules of the house, held by a machine: who may import whom, who may touch the outside, how long things may be.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module and what it may import, from the top down; nothing imports upwards or sideways.
const MAY_IMPORT: [(&str, &[&str]); 21] = [
    ("main", &["cli"]),
    (
        "cli",
        &[
            "api", "client", "agent", "access", "config", "run", "database", "repo", "storage", "notify",
            "site", "metrics", "history", "schedule", "event", "error", "sys",
        ],
    ),
    ("api", &["agent", "access", "config", "metrics", "history", "schedule", "event", "error", "sys"]),
    ("client", &["access", "event", "error", "sys"]),
    ("access", &["error", "sys"]),
    ("agent", &["config", "run", "notify", "metrics", "history", "schedule", "event", "error", "sys"]),
    (
        "config",
        &[
            "run", "database", "storage", "repo", "site", "hook", "notify", "schedule", "event", "error",
            "sys",
        ],
    ),
    ("run", &["database", "storage", "repo", "site", "hook", "dump", "schedule", "event", "error", "sys"]),
    ("database", &["dump", "event", "error", "sys"]),
    ("storage", &["event", "error", "sys"]),
    ("repo", &["dump", "event", "error", "sys"]),
    ("site", &["error", "sys"]),
    ("hook", &["event", "error", "sys"]),
    ("notify", &["history", "event", "error", "sys"]),
    ("metrics", &["event"]),
    ("history", &["event", "error", "sys"]),
    ("dump", &["event", "error"]),
    ("schedule", &["error"]),
    ("event", &["error", "sys"]),
    ("sys", &["error"]),
    ("error", &[]),
];

/// Words of the outside world and the places that may say them.
const ONLY_IN: [(&str, &[&str]); 20] = [
    ("rustic_core::", &["repo/"]),
    ("mysql_async::", &["database/mysql/"]),
    ("rusqlite::", &["database/sqlite/", "cli/demo/"]),
    ("serde_yaml::", &["config/yaml.rs"]),
    ("tokio::", &["agent/", "api/", "client/", "database/mysql/", "database/postgres/"]),
    ("tokio_postgres::", &["database/postgres/"]),
    ("lettre::", &["notify/mail.rs"]),
    ("ureq::", &["notify/http.rs"]),
    ("minijinja::", &["notify/template.rs"]),
    ("axum::", &["api/"]),
    ("utoipa::", &["api/"]),
    ("clap::", &["cli/"]),
    ("indicatif::", &["cli/"]),
    ("Command::new(", &["sys/process/"]),
    ("landlock::", &["sys/process/"]),
    ("env::var", &["cli/", "config/"]),
    ("println!", &[]),
    ("eprintln!", &[]),
    ("process::exit", &[]),
    ("unsafe ", &[]),
];

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 72;

struct Source {
    /// Below `src`.
    path: PathBuf,
    /// Without its tests.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut pending) = (Vec::new(), vec![root.clone()]);
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("\n#[cfg(test)]").next().unwrap().to_owned();
                found.push(Source { path: path.strip_prefix(&root).unwrap().to_owned(), code });
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

impl Source {
    fn module(&self) -> String {
        let first = self.path.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        first.trim_end_matches(".rs").to_owned()
    }

    /// Code lines with their numbers, without comments.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.lines().enumerate().map(|(at, line)| (at + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn report(broken: &[String]) {
    assert!(broken.is_empty(), "{} rules broken:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn imports_point_down() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.module() != "lib") {
        let module = source.module();
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
            broken.push(format!("{}: a module without a place in the table", source.path.display()));
            continue;
        };
        for (number, line) in source.lines() {
            for (prefix, _) in line.match_indices("crate::").chain(line.match_indices("lifeboat::")) {
                let rest = line[prefix..].split("::").nth(1).unwrap_or_default();
                let imported: String =
                    rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
                let known = MAY_IMPORT.iter().any(|(name, _)| *name == imported);
                if known && imported != module && !allowed.contains(&imported.as_str()) {
                    broken.push(format!(
                        "{}:{number}: {module} may not import {imported}",
                        source.path.display()
                    ));
                }
            }
        }
    }
    report(&broken);
}

#[test]
fn the_outside_is_touched_where_it_belongs() {
    let mut broken = Vec::new();
    for source in &sources() {
        let path = source.path.to_string_lossy();
        for (number, line) in source.lines() {
            for (word, places) in ONLY_IN {
                if line.contains(word) && !places.iter().any(|place| path.starts_with(place)) {
                    broken.push(format!("{path}:{number}: `{word}` does not belong here"));
                }
            }
        }
    }
    report(&broken);
}

#[test]
fn nothing_is_too_long_and_every_file_says_what_it_is() {
    let mut broken = Vec::new();
    for source in &sources() {
        let path = source.path.display();
        if !source.code.starts_with("//! ") {
            broken.push(format!("{path}: does not say in its first line what it is"));
        }
        if source.code.lines().count() > FILE_LINES {
            broken.push(format!("{path}: longer than {FILE_LINES} lines"));
        }
        let mut begun = None;
        for (number, line) in source.lines() {
            let word = line.trim_start();
            let indent = line.len() - word.len();
            let head = ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn ", "const fn "];
            if head.iter().any(|head| word.starts_with(head)) && line.ends_with('{') {
                begun = Some((number, indent));
            }
            if let Some((start, depth)) = begun
                && word == "}"
                && indent == depth
            {
                if number - start > FUNCTION_LINES {
                    broken.push(format!("{path}:{start}: a function of {} lines", number - start));
                }
                begun = None;
            }
        }
    }
    report(&broken);
}

/// Words that must not reach what we publish.
#[test]
fn unfinished_work_is_not_published() {
    let marks = ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!(", "dbg!("];
    let mut broken = Vec::new();
    for source in &sources() {
        for (at, line) in source.code.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark) && !line.contains("XXXXXX")) {
                broken.push(format!("{}:{}: {mark}", source.path.display(), at + 1));
            }
        }
    }
    report(&broken);
}
