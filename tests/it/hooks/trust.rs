//! Programs that somebody else could have written are not run.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use lifeboat::error::Result;
use lifeboat::event::Cx;
use lifeboat::hook::{HookSpec, Verdict, run};
use tempfile::TempDir;

use super::{LONG, state};

/// `<temporary>/bin/hook`, a script that ends well.
struct Place {
    directory: TempDir,
    program: PathBuf,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let bin = directory.path().join("bin");
    fs::create_dir(&bin).unwrap();
    mode(&bin, 0o755);
    let program = bin.join("hook");
    fs::write(&program, "#!/bin/sh\nexit 0\n").unwrap();
    mode(&program, 0o755);
    Place { directory, program }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn start(program: &Path) -> Result<Verdict> {
    let command = vec![program.to_str().unwrap().to_owned()];
    run(&HookSpec { timeout: LONG, ..HookSpec::new("before-run", command) }, &state(), &Cx::silent())
}

fn refused(program: &Path, words: &str) {
    let error = start(program).unwrap_err();
    assert!(error.to_string().contains(words) && error.to_string().contains("before-run hook"), "{error:?}");
}

#[test]
fn own_program_is_run_also_through_links() {
    let place = place();
    assert_eq!(start(&place.program).unwrap(), Verdict::GoOn);
    let link = place.directory.path().join("link");
    symlink("bin/../bin/hook", &link).unwrap();
    assert_eq!(start(&link).unwrap(), Verdict::GoOn);
}

#[test]
fn program_or_directory_that_others_may_write_is_refused() {
    let place = place();
    mode(&place.program, 0o775);
    refused(&place.program, "hook may be written by others");
    mode(&place.program, 0o755);
    mode(place.program.parent().unwrap(), 0o757);
    refused(&place.program, "bin may be written by others");
}

#[test]
fn link_does_not_hide_where_it_leads_nor_where_it_lies() {
    let (place, open) = (place(), tempfile::tempdir().unwrap());
    mode(open.path(), 0o777);
    let link = open.path().join("link");
    symlink(&place.program, &link).unwrap();
    refused(&link, "may be written by others");
    let inward = place.directory.path().join("inward");
    fs::copy(&place.program, open.path().join("hook")).unwrap();
    symlink(open.path().join("hook"), &inward).unwrap();
    refused(&inward, "may be written by others");
}

#[test]
fn foreign_owner_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let place = place();
    chown(&place.program, Some(65534), None).unwrap();
    refused(&place.program, "belongs to user 65534");
}

#[test]
fn what_is_no_program_is_said_to_be_none() {
    let place = place();
    refused(place.directory.path(), "is not a program");
    refused(Path::new("hook"), "not an absolute path");
    refused(&place.directory.path().join("nothing"), "look at");
    let circle = place.directory.path().join("circle");
    symlink("circle", &circle).unwrap();
    refused(&circle, "in circles");
}
