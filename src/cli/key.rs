//! `lifeboat key`.

use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::Path;

use super::args::Key;
use super::output::table;
use super::{Done, SUCCESS, Session};
use crate::error::{Context, Error, Result};
use crate::repo::{Mode, Repo};
use crate::run;
use crate::sys::secret::Secret;

/// No passphrase is longer; a file that is was not meant.
const LONGEST: u64 = 4096;

pub(super) fn key(session: &Session<'_>, action: &Key) -> Done {
    let job = session.repository_job()?;
    let cx = session.quiet_cx();
    match action {
        Key::List => {
            let keys = run::with_repo(&job, Mode::Shared, "key list", &cx, Repo::keys)?;
            session.output.result(SUCCESS, &keys, |out| {
                let rows = keys.iter().map(|key| {
                    vec![key.id[..8].to_owned(), key.user.clone(), key.host.clone(), key.created.clone()]
                });
                writeln!(out, "{}", table(&["ID", "User", "Host", "Created"], &[], rows))
            })
        }
        Key::Add(new) => {
            let password = first_line(&new.new_password_file)?;
            let id = run::with_repo(&job, Mode::Exclusive, "key add", &cx, |repo| repo.add_key(&password))?;
            done(session, "added", &id)
        }
        Key::Remove { id } => {
            let id = run::with_repo(&job, Mode::Exclusive, "key remove", &cx, |repo| repo.remove_key(id))?;
            done(session, "removed", &id)
        }
        Key::Passwd(new) => {
            let (old, password) =
                (session.config()?.repository_password()?, first_line(&new.new_password_file)?);
            let id = run::with_repo(&job, Mode::Exclusive, "key passwd", &cx, |repo| {
                repo.change_password(&old, &password)
            })?;
            session.output.say("now put the new password where `repository.password` points to");
            done(session, "added", &id)
        }
    }
}

fn done(session: &Session<'_>, what: &str, id: &str) -> Done {
    session
        .output
        .result(SUCCESS, &serde_json::json!({ what: id }), |out| writeln!(out, "{what} key {}", &id[..8]))
}

/// The first line of a file or of standard input: a password on the command line could be read by everybody.
pub(super) fn first_line(path: &Path) -> Result<Secret> {
    let mut line = String::new();
    if path.as_os_str() == "-" {
        if std::io::stdin().is_terminal() {
            return Err(
                Error::usage("a password typed here would be seen").with_remedy("pipe it in, or name a file")
            );
        }
        std::io::stdin().lock().take(LONGEST).read_line(&mut line).context("read the password")?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
        BufReader::new(file.take(LONGEST))
            .read_line(&mut line)
            .with_context(|| format!("read {}", path.display()))?;
    }
    let password = Secret::new(line.trim_end_matches(['\r', '\n']));
    zeroize::Zeroize::zeroize(&mut line);
    if password.is_empty() { Err(Error::usage("the password is empty")) } else { Ok(password) }
}
