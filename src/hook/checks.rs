//! What is looked at before a hook is run, each time; and all of it at once for who asks beforehand.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::HookSpec;
use crate::error::{Context, Error, Result};
use crate::sys::process::Rights;
use crate::sys::trust;

/// Something for which a hook would not be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flaw {
    pub text: String,
    pub remedy: Option<String>,
}

/// Everything for which this hook would not be run now.
pub fn examine(spec: &HookSpec) -> Vec<Flaw> {
    let mut found = match program(spec) {
        // One that is not there has no other faults.
        Ok(program) if fs::metadata(program).is_err() => vec![trust::check(program).err()],
        Ok(program) => {
            vec![trust::check(program).err(), pinned(program, spec).err(), executable(program).err()]
        }
        Err(error) => vec![Some(error)],
    };
    found.push(rights(spec).and_then(|rights| rights.check()).err());
    let flaw = |error: Error| Flaw { text: error.to_string(), remedy: error.remedy().map(str::to_owned) };
    found.into_iter().flatten().map(flaw).collect()
}

/// Whether it may be run, and with which rights. Nobody but root and us can change the program between here and its start.
pub(super) fn ready(spec: &HookSpec) -> Result<Rights> {
    let program = program(spec)?;
    trust::check(program)?;
    pinned(program, spec)?;
    executable(program)?;
    rights(spec)
}

fn program(spec: &HookSpec) -> Result<&Path> {
    spec.command.first().map(Path::new).ok_or_else(|| Error::usage("there is no command"))
}

fn pinned(program: &Path, spec: &HookSpec) -> Result<()> {
    let Some(wanted) = spec.sha256 else { return Ok(()) };
    let is = sha256(program).with_context(|| format!("read {}", program.display()))?;
    if is == wanted {
        return Ok(());
    }
    Err(Error::failed(format!(
        "{} is not the program that was pinned, so we do not run it",
        program.display()
    ))
    .with_remedy(format!("if it was changed on purpose, write sha256: {} with it", hexadecimal(&is))))
}

fn sha256(path: &Path) -> io::Result<[u8; 32]> {
    let (mut file, mut hash, mut part) = (File::open(path)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut part)? {
            0 => return Ok(hash.finalize().into()),
            size => hash.update(&part[..size]),
        }
    }
}

fn executable(program: &Path) -> Result<()> {
    let metadata = fs::metadata(program).with_context(|| format!("look at {}", program.display()))?;
    if metadata.permissions().mode() & 0o111 != 0 {
        return Ok(());
    }
    Err(Error::failed(format!("{} is not executable", program.display()))
        .with_remedy(format!("chmod +x {}, or remove it", program.display())))
}

fn rights(spec: &HookSpec) -> Result<Rights> {
    Rights::of(spec.user.as_deref(), &spec.writable, spec.no_new_privileges)
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
