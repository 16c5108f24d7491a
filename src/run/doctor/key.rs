//! What opens the repository, as far as it lies on this node: the key file and the password.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use nix::unistd::geteuid;

use super::Finding;
use crate::repo::Repo;
use crate::run::Job;
use crate::sys::secret::Secret;

/// Fewer letters can be tried out by who has the repository.
const SHORT: usize = 12;

const OTHER_PASSWORD: &str =
    "`lifeboat key passwd` replaces it by a long random one; keep a copy away from this machine";

pub(super) fn look(job: &Job) -> Vec<Finding> {
    let mut findings = vec![file(job)];
    findings.extend(password(job));
    findings
}

fn file(job: &Job) -> Finding {
    let (what, path) = ("key file", &job.repo.key_file);
    let finding = match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && job.repo.password.is_some() => {
            Finding::note(what, "is not there; the next run makes it from the password")
        }
        Err(error) => Finding::of(what, Err(error.into())),
        Ok(meta) if meta.uid() != geteuid().as_raw() => Finding::warning(
            what,
            format!("belongs to user {}, who can read the backups", meta.uid()),
            format!("run `chown {} {}`", geteuid(), path.display()),
        ),
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => Finding::error(
            what,
            format!("can be read by others (mode {:04o})", meta.permissions().mode() & 0o7777),
            format!("run `chmod 600 {}` and think about who may have read it", path.display()),
        ),
        Ok(_) => Finding::ok(what, "only its owner can read it"),
    };
    finding.at(path.display())
}

/// A password that is easily guessed is none: the incumbents' are the environment's name.
fn password(job: &Job) -> Option<Finding> {
    let (what, password) = ("password", job.repo.password.as_ref()?);
    let text = password.reveal();
    let same = |name: &String| name.eq_ignore_ascii_case(text);
    let finding = if guesses(job).iter().any(same) {
        Finding::warning(
            what,
            "is the name of the site: whoever sees the storage can read the backups",
            OTHER_PASSWORD,
        )
    } else if text.chars().count() < SHORT {
        Finding::warning(
            what,
            format!("has fewer than {SHORT} letters, so that it can be tried out"),
            OTHER_PASSWORD,
        )
    } else {
        return None;
    };
    Some(finding)
}

/// A key that a name of the site opens, such as stays behind where a repository of the former add-ons was taken over.
pub(super) fn weak(job: &Job, repo: &Repo) -> Option<Finding> {
    let what = "keys";
    let own = job.repo.password.as_ref().map(Secret::reveal);
    for guess in guesses(job).into_iter().filter(|guess| own != Some(guess.as_str())) {
        match repo.opens(&Secret::new(&*guess)) {
            Ok(false) => {}
            Ok(true) => {
                let text =
                    "one of them is opened by the site's name: whoever sees the storage can read the backups";
                let place = repo.directory();
                let by_default = place.file_name().is_some_and(|name| name == guess.as_str());
                let file = if by_default { "" } else { " --password-file FILE (with that name in it)" };
                let remedy = format!(
                    "`lifeboat adopt {} --remove-weak-key`{file} takes it away, once the password here was proven to open all",
                    place.display()
                );
                return Some(Finding::warning(what, text, remedy).at(repo.directory().display()));
            }
            Err(error) => return Some(Finding::of(what, Err(error))),
        }
    }
    None
}

/// What everybody would try first.
fn guesses(job: &Job) -> BTreeSet<String> {
    let directory = job.repo.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    [job.site.name.clone(), directory].into_iter().filter(|name| !name.is_empty()).collect()
}
