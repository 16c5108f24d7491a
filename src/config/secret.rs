//! Secrets by reference: where a password is kept, and how it is fetched when it is needed and not before.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use zeroize::Zeroizing;

use super::walk::At;
use crate::error::{Context, Error, Result};
use crate::sys::process::{self, Program};
use crate::sys::secret::Secret;

const MAX_SIZE: u64 = 64 * 1024;
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);

/// Where a secret is.
#[derive(Clone, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum SecretRef {
    /// In a file that only its owner and group can read.
    File(PathBuf),
    /// In a variable of the agent's environment.
    Env(String),
    /// Printed by a program.
    Command(Vec<String>),
    /// Handed over by systemd (`LoadCredential=`).
    Credential(String),
    /// In the configuration itself, which must then be a file of mode 0600.
    #[schemars(untagged)]
    Literal(#[schemars(with = "String")] Secret),
}

/// What of a secret is in the configuration, and must not be shown or changed by who may only change the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The secret itself.
    WrittenOut,
    /// A program that prints it.
    Command,
    /// A program that the agent runs for something else: no secret, and as little to be brought in.
    Program,
}

/// Whether a configuration may hold secrets itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Privacy {
    Private,
    /// Others can read it: says how, and what helps.
    Open {
        text: String,
        remedy: String,
    },
}

impl Privacy {
    pub(super) fn of(path: &Path, mode: u32, symlink: bool) -> Self {
        let mode = mode & 0o7777;
        if symlink {
            let text = "is written out, and the file is a symbolic link".to_owned();
            Self::Open {
                text,
                remedy: "put the secret into a file of its own and write {file: /its/path}".to_owned(),
            }
        } else if mode & 0o077 != 0 {
            let text = format!("is written out, and others can read the file (its mode is {mode:04o})");
            let path = path.display();
            let remedy = format!(
                "chmod 600 {path}, or put the secret into a file of its own and write {{file: /its/path}}"
            );
            Self::Open { text, remedy }
        } else {
            Self::Private
        }
    }
}

/// Reads where a secret is; the secret itself is not looked at.
pub(super) fn read(at: &At<'_>, privacy: &Privacy) -> Option<SecretRef> {
    if !at.is_map() {
        let secret = Secret::new(at.text()?);
        at.has_secret(Way::WrittenOut);
        if let Privacy::Open { text, remedy } = privacy {
            at.complain(text, remedy);
            return None;
        }
        return Some(SecretRef::Literal(secret));
    }
    let table = at.table(&["file", "env", "command", "credential"])?;
    let keys: Vec<_> = table.keys().collect();
    let [key] = keys[..] else {
        at.complain(
            "must name exactly one place",
            "write one of {file: ...}, {env: ...}, {command: [...]}, {credential: ...}",
        );
        return None;
    };
    let value = table.get(key)?;
    match key {
        "file" => value.absolute_path().map(SecretRef::File),
        "env" => name(&value, '=').map(SecretRef::Env),
        "credential" => name(&value, '/').map(SecretRef::Credential),
        "command" => {
            at.has_secret(Way::Command);
            command(&value).map(SecretRef::Command)
        }
        // Was complained about as an unknown key.
        _ => None,
    }
}

fn name(at: &At<'_>, forbidden: char) -> Option<String> {
    let name = at.text()?;
    if name.contains(forbidden) || name.starts_with('.') {
        at.complain("is not a plain name", "write the name alone");
        return None;
    }
    Some(name.to_owned())
}

/// A program with its whole path, and its arguments.
pub(super) fn command(at: &At<'_>) -> Option<Vec<String>> {
    let command = at.texts()?;
    match command.first() {
        Some(program) if program.starts_with('/') => Some(command),
        Some(_) => {
            at.complain(
                "must begin with the whole path of a program",
                "begin it with /; there is no search path and no shell",
            );
            None
        }
        None => {
            at.complain("is empty", "write the program and its arguments as a list");
            None
        }
    }
}

impl SecretRef {
    /// Fetches the secret; `key` is where the configuration refers to it.
    pub fn resolve(&self, key: &str) -> Result<Secret> {
        let text = match self {
            Self::Literal(secret) => return Ok(secret.clone()),
            Self::File(path) => from_file(path, true),
            Self::Env(name) => from_environment(name),
            Self::Credential(name) => from_credential(name),
            Self::Command(command) => from_command(command),
        };
        text.and_then(|text| one_line(&text)).with_context(|| format!("fetch {key} from {self:?}"))
    }
}

/// What it refers to, never what is there.
impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::Command(command) => write!(f, "the program {}", command.first().map_or("", String::as_str)),
            Self::Credential(name) => write!(f, "the credential {name}"),
            Self::Literal(_) => f.write_str("the configuration"),
        }
    }
}

fn from_file(path: &Path, check_mode: bool) -> Result<Zeroizing<String>> {
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Error::usage("it is not a regular file"));
    }
    if check_mode && metadata.mode() & 0o007 != 0 {
        let mode = metadata.mode() & 0o7777;
        return Err(Error::usage(format!("everybody on this machine can use it (its mode is {mode:04o})"))
            .with_remedy(format!("chmod 600 {}", path.display())));
    }
    let mut data = Zeroizing::new(Vec::new());
    file.take(MAX_SIZE + 1).read_to_end(&mut data)?;
    into_text(&data)
}

fn from_environment(name: &str) -> Result<Zeroizing<String>> {
    let value = std::env::var_os(name).ok_or_else(|| Error::usage("it is not set"))?;
    // The error of a direct conversion would show the value.
    value.into_string().map(Zeroizing::new).map_err(|_| Error::usage("it is not UTF-8"))
}

fn from_credential(name: &str) -> Result<Zeroizing<String>> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
        Error::usage("the agent was given no credentials")
            .with_remedy("start it by a systemd unit with LoadCredential=")
    })?;
    // systemd made this directory for us alone.
    from_file(&PathBuf::from(directory).join(name), false)
}

fn from_command(command: &[String]) -> Result<Zeroizing<String>> {
    let keep = usize::try_from(MAX_SIZE)?;
    let ended =
        process::run(&Program { command, environment: &[], input: &[], deadline: COMMAND_DEADLINE, keep })?;
    if !ended.status.success() {
        // Its own words stay unsaid: they may hold what should not be seen.
        return Err(
            Error::failed(format!("it ended with {}", ended.status)).with_remedy("run it by hand to see why")
        );
    }
    if ended.cut {
        return Err(Error::failed("it printed too much for a secret"));
    }
    into_text(&ended.output)
}

fn into_text(data: &[u8]) -> Result<Zeroizing<String>> {
    if data.len() as u64 > MAX_SIZE {
        return Err(Error::usage(format!("it is longer than {MAX_SIZE} bytes")));
    }
    // The error of this conversion does not show the text.
    std::str::from_utf8(data).map(|text| Zeroizing::new(text.to_owned())).context("read it as UTF-8")
}

/// Editors and `echo` end a file with a newline that is no part of the secret.
fn one_line(text: &str) -> Result<Secret> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(Error::usage("it is empty"));
    }
    if line.contains(['\n', '\r', '\0']) {
        return Err(Error::usage("it holds more than one line"));
    }
    Ok(Secret::new(line))
}
