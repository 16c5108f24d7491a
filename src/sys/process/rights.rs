//! Who a program runs as, and what of the machine it can write.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;

use landlock::{
    ABI, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus,
};
use nix::sys::prctl::set_no_new_privs;
use nix::unistd::{Uid, User, geteuid};

use crate::error::{Context, Error, Result};

/// The first that also keeps a program from emptying files (`truncate`), of Linux 6.2.
const LEAST: ABI = ABI::V3;

/// Shells write there all the time, and nothing is kept.
const SINK: &str = "/dev/null";

/// What a program may do that we start. The default is: whatever we may.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    account: Option<User>,
    writable: Vec<PathBuf>,
    no_new_privileges: bool,
}

impl Rights {
    /// Those of a user, by name or number, with that user's group and no other one. With `writable`, the program and all that
    /// it starts can write below these directories alone.
    pub fn of(user: Option<&str>, writable: &[PathBuf], no_new_privileges: bool) -> Result<Self> {
        let account = user.map(account).transpose()?;
        Ok(Self { account, writable: writable.to_vec(), no_new_privileges })
    }

    /// Whether they could be given now.
    pub fn check(&self) -> Result<()> {
        if self.writable.is_empty() { Ok(()) } else { ruleset(&self.writable).map(drop) }
    }

    /// Starts a program with them.
    pub(super) fn start(&self, command: &mut Command, name: &str) -> Result<Child> {
        if let Some(account) = &self.account {
            // Started by root, it has no further groups: the standard library takes them away.
            command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
            command.envs([("USER", &account.name), ("LOGNAME", &account.name)]).env("HOME", &account.dir);
        }
        let mut spawn = || {
            let started = command.spawn().with_context(|| format!("start {name}"));
            match &self.account {
                Some(account) => {
                    started.remedy(format!("see that user {} can reach and run it", account.name))
                }
                None => started,
            }
        };
        if self.writable.is_empty() && !self.no_new_privileges {
            return spawn();
        }
        // Both belong to a thread, which cannot get rid of them; and to what it starts.
        thread::scope(|scope| {
            let give_up = || self.give_up().and_then(|()| spawn());
            let thread = thread::Builder::new().name("confined".to_owned());
            let started = thread.spawn_scoped(scope, give_up).context("start a thread")?;
            started.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn give_up(&self) -> Result<()> {
        if self.writable.is_empty() {
            return set_no_new_privs().context("give up new privileges");
        }
        let status = ruleset(&self.writable)?.restrict_self().context("confine a program")?;
        if status.ruleset != RulesetStatus::FullyEnforced || !status.no_new_privs {
            return Err(Error::failed("the kernel confines a program in part only").with_remedy(NO_LANDLOCK));
        }
        Ok(())
    }
}

fn account(who: &str) -> Result<User> {
    let named = User::from_name(who).with_context(|| format!("look up user {who}"))?;
    let numbered = || match who.parse() {
        Ok(number) => User::from_uid(Uid::from_raw(number)).with_context(|| format!("look up user {who}")),
        Err(_) => Ok(None),
    };
    let Some(user) = named.map_or_else(numbered, |user| Ok(Some(user)))? else {
        return Err(Error::usage(format!("there is no user {who} on this machine"))
            .with_remedy("correct the name in `user`, or make the user (useradd --system)"));
    };
    if !geteuid().is_root() && user.uid != geteuid() {
        return Err(Error::usage(format!("only root can start a program as user {who}"))
            .with_remedy("run lifeboat as root, or leave `user` out"));
    }
    Ok(user)
}

const NO_LANDLOCK: &str = "use a kernel from 6.2 on with landlock (`landlock` in /sys/kernel/security/lsm), or leave `writable` out \
                           and give the hook a user of its own";

/// Reading and executing are handled by nobody, so they stay as they are.
fn ruleset(writable: &[PathBuf]) -> Result<RulesetCreated> {
    let writes = AccessFs::from_write(LEAST);
    let all = || -> Result<RulesetCreated, landlock::RulesetError> {
        Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(writes)?.create()
    };
    let mut rules = all().context("this kernel cannot confine a program").remedy(NO_LANDLOCK)?;
    for directory in writable {
        if !directory.is_dir() {
            return Err(Error::usage(format!("{} is no directory", directory.display()))
                .with_remedy("make it, or take it out of `writable`"));
        }
        rules = allow(rules, directory, writes)?;
    }
    allow(rules, Path::new(SINK), AccessFs::WriteFile | AccessFs::Truncate)
}

fn allow(rules: RulesetCreated, below: &Path, writes: BitFlags<AccessFs>) -> Result<RulesetCreated> {
    let what = || format!("let a program write to {}", below.display());
    rules.add_rule(PathBeneath::new(PathFd::new(below).with_context(what)?, writes)).with_context(what)
}
