//! Reads which commands run at which points, how long they may take, and with which rights.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::duration;
use super::secret::command;
use super::shape::Hook;
use super::suggest::closest;
use super::walk::{At, optional};
use crate::hook::{self, Found, HookSpec};

const MAX_TIMEOUT: Duration = Duration::from_hours(24);

/// Where the hooks are that are files, for a configuration in this one.
pub(super) fn directory(file: &Path) -> Option<PathBuf> {
    Some(std::path::absolute(file).ok()?.parent()?.join("hooks.d"))
}

pub(super) fn read(at: &At<'_>) -> Option<BTreeMap<String, Vec<Hook>>> {
    let points = hook::points();
    let known: Vec<_> = points.iter().map(String::as_str).collect();
    let table = at.group(&known, |key| {
        closest(key, known.iter().copied()).map_or_else(
            || {
                "use before- or after- and the name of a step, before-run, after-run, on-failure, always, quiesce, resume or drill"
                    .to_owned()
            },
            |meant| format!("did you mean {meant}?"),
        )
    })?;
    let mut hooks = BTreeMap::new();
    for point in table.keys().filter(|key| known.contains(key)) {
        let list = table.get(point).and_then(|at| at.list()).unwrap_or_default();
        hooks.insert(point.to_owned(), list.iter().filter_map(hook).collect());
    }
    Some(hooks)
}

fn hook(at: &At<'_>) -> Option<Hook> {
    let table = at.table(&["command", "timeout", "user", "sha256", "writable", "no_new_privileges"])?;
    let command =
        table.need("command", "write the program and its arguments as a list").and_then(|at| command(&at));
    let timeout = optional(&table, "timeout", timeout);
    let user = optional(&table, "user", user);
    let sha256 = optional(&table, "sha256", sha256);
    let writable = optional(&table, "writable", directories);
    let no_new_privileges = optional(&table, "no_new_privileges", At::yes_no);
    Some(Hook {
        command: command?,
        timeout: timeout.ok()?.unwrap_or(HookSpec::TIMEOUT),
        user: user.ok()?,
        sha256: sha256.ok()?,
        writable: writable.ok()?.unwrap_or_default(),
        no_new_privileges: no_new_privileges.ok()?.unwrap_or_default(),
    })
}

fn timeout(at: &At<'_>) -> Option<Duration> {
    duration::between(at, (Duration::from_secs(1)..=MAX_TIMEOUT, "1s to 24h"), "write it like 30s, 5m or 1h")
}

fn user(at: &At<'_>) -> Option<String> {
    if at.is_number() {
        return at
            .whole_number(0..=u32::MAX - 1, "write the name of a user")
            .map(|number| number.to_string());
    }
    at.text().map(str::to_owned)
}

fn sha256(at: &At<'_>) -> Option<[u8; 32]> {
    let text = if at.is_number() { "" } else { at.text()? };
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let digits = text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    let hash = bytes.filter(|_| digits).and_then(|bytes| bytes.try_into().ok());
    if hash.is_none() {
        at.complain("is not 64 hexadecimal digits", "write what sha256sum says of the program, in quotes");
    }
    hash
}

fn directories(at: &At<'_>) -> Option<Vec<PathBuf>> {
    let items = at.list()?;
    if items.is_empty() {
        at.complain("is empty", "name the directories below which the hook writes, or remove the key");
        return None;
    }
    let directories: Vec<_> = items.iter().filter_map(At::absolute_path).collect();
    (directories.len() == items.len()).then_some(directories)
}

/// Whether there is a file for a point; what is in it, and whose it is, is looked at when a run begins.
pub(super) fn has_file(directory: &Path, site: &str, point: &str) -> bool {
    let some = |point: PathBuf| std::fs::read_dir(point).is_ok_and(|mut entries| entries.next().is_some());
    some(directory.join(point)) || some(directory.join("sites").join(site).join(point))
}

impl super::Config {
    /// All hooks of the site in the order in which they run, and what is no hook although it may look like one.
    pub fn hooks(&self) -> crate::error::Result<Found> {
        let directory = self.hooks_directory.as_deref();
        let mut found = directory
            .map(|directory| hook::find(directory, &self.site.name))
            .transpose()?
            .unwrap_or_default();
        for (point, hooks) in &self.hooks {
            found.hooks.extend(hooks.iter().map(|hook| HookSpec {
                timeout: hook.timeout,
                user: hook.user.clone(),
                sha256: hook.sha256,
                writable: hook.writable.clone(),
                no_new_privileges: hook.no_new_privileges,
                ..HookSpec::new(point, hook.command.clone())
            }));
        }
        Ok(found)
    }
}
