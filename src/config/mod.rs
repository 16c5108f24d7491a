//! What was asked: the YAML file with everything that is wrong in it at once, and from it the job a run needs.

mod databases;
mod document;
mod duration;
pub mod edit;
mod fragment;
mod hooks;
mod host;
mod job;
mod limits;
mod notify;
mod plugin;
mod problem;
mod quiesce;
mod read;
mod retention;
mod revise;
mod schedule;
mod secret;
mod shape;
mod size;
mod starter;
mod store;
mod suggest;
mod tasks;
mod walk;
mod yaml;

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

pub use document::{HIDDEN, document, redacted, shown};
pub use fragment::Fragment;
pub use limits::Limits;
pub use notify::Notify;
pub use problem::{Problem, Problems};
pub use quiesce::Quiesce;
pub use read::STATE;
pub use retention::Retention;
pub use schedule::{CheckTask, DrillTask, OnRequest, Schedule, When};
pub use secret::SecretRef;
pub use shape::{Config, Database, Hook, Mount, Repository, Site, SiteKind, Storage, Tls};
pub use starter::{Starter, name_of, starter};
pub use store::write;

use problem::Findings;
use secret::Privacy;
use walk::At;

/// The largest configuration that is read, in bytes.
const MAX_FILE: usize = 1024 * 1024;

/// Reads a configuration file, and says everything that is wrong with it.
pub fn load(path: &Path) -> Result<Config, Problems> {
    load_with_text(path).map(|(config, _)| config)
}

/// The same, with the text that was read; there may be secrets in it.
pub fn load_with_text(path: &Path) -> Result<(Config, Zeroizing<Vec<u8>>), Problems> {
    let unreadable = |error: std::io::Error| {
        Problems::of_file(
            path,
            format_args!("cannot be read: {error}"),
            "correct its name or its rights, or write one with lifeboat init",
        )
    };
    let symlink = std::fs::symlink_metadata(path).map_err(unreadable)?.is_symlink();
    let file =
        OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Problems::of_file(path, "is not a regular file", "give the name of a YAML file"));
    }
    if metadata.mode() & 0o002 != 0 {
        let remedy = format!("chmod o-w {}", path.display());
        return Err(Problems::of_file(path, "can be changed by everybody on this machine", remedy));
    }
    let mut data = Zeroizing::new(Vec::new());
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut data).map_err(unreadable)?;
    let privacy = Privacy::of(path, metadata.mode(), symlink);
    let read = parse(path, &data, &privacy, hooks::directory(path))?;
    Ok((read.config, data))
}

/// A configuration with all that was learned when it was read.
struct Read {
    config: Config,
    node: yaml::Node,
    secrets: Vec<(yaml::Place, secret::Way)>,
}

/// `hooks` is the directory in which there may be more of them, if that can be told.
fn parse(path: &Path, data: &[u8], privacy: &Privacy, hooks: Option<PathBuf>) -> Result<Read, Problems> {
    if data.len() > MAX_FILE {
        return Err(Problems::of_file(
            path,
            format_args!("is longer than {MAX_FILE} bytes"),
            "give the name of a configuration",
        ));
    }
    let text = std::str::from_utf8(data).map_err(|_| {
        Problems::of_file(path, "is not UTF-8 text", "save it as UTF-8, or give the name of a configuration")
    })?;
    let node = yaml::parse(text).map_err(|refusal| Problems::of_syntax(path, refusal))?;
    let findings = Findings::default();
    let config = read::config(&At::root(&node, &findings), privacy, hooks);
    match config {
        Some(config) if findings.is_empty() => Ok(Read { config, secrets: findings.into_secrets(), node }),
        _ => Err(findings.into_problems(path, text)),
    }
}

/// The JSON Schema of the configuration file, for editors and the platform's forms.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Config).to_value()
}

/// A configuration with every key, and what each is for.
pub const fn example() -> &'static str {
    include_str!("example.yaml")
}
