//! This program once more, for one run of its own.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use zeroize::Zeroizing;

use super::collect::Collected;
use super::{group_of, signal};
use crate::error::{Context, Error, Result};

/// This program once more, for one run: what that takes of memory is given back at its end, and its death is not ours.
///
/// It has our environment, which may hold what secrets refer to, and a process group of its own.
pub struct Again {
    child: Child,
    output: Collected,
}

impl Again {
    /// Starts it; its standard error comes line by line to `said`, on a thread of its own. Of its standard output so many bytes
    /// are kept.
    pub fn start(
        arguments: &[OsString],
        keep: usize,
        said: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self> {
        let mut child = again(arguments)?;
        let output = Collected::of(child.stdout.take(), keep);
        listen(&mut child, said)?;
        Ok(Self { child, output })
    }

    /// The same for one whose standard output is read while it comes.
    pub fn reading(
        arguments: &[OsString],
        said: impl FnMut(&str) + Send + 'static,
    ) -> Result<(Self, impl Read + Send + 'static)> {
        let mut child = again(arguments)?;
        let output = child.stdout.take().ok_or_else(|| Error::failed("a process has no output"))?;
        listen(&mut child, said)?;
        Ok((Self { child, output: Collected::of(None::<io::Empty>, 0) }, output))
    }

    /// How to ask it to stop.
    pub fn handle(&self) -> Result<Handle> {
        Ok(Handle(group_of(&self.child)?))
    }

    /// Waits until it is at its end; its number is nobody else's before `take`.
    pub fn wait(&self) -> Result<()> {
        let group = group_of(&self.child)?;
        loop {
            match waitid(Id::Pid(group), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
                Err(Errno::EINTR) => {}
                other => return other.map(drop).context("wait for a run"),
            }
        }
    }

    /// Gives back how it ended and what it wrote to standard output, if that was not very long.
    pub fn take(mut self) -> Result<(ExitStatus, Zeroizing<Vec<u8>>)> {
        let status = self.child.wait().context("wait for a run")?;
        Ok((status, self.output.take().0))
    }
}

fn again(arguments: &[OsString]) -> Result<Child> {
    Command::new("/proc/self/exe")
        .args(arguments)
        // The service manager hears from one process.
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("start a process for the run")
}

fn listen(child: &mut Child, mut said: impl FnMut(&str) + Send + 'static) -> Result<()> {
    const LONG_LINE: u64 = 1 << 20;
    let Some(errors) = child.stderr.take() else { return Ok(()) };
    let mut errors = BufReader::new(errors);
    let listen = move || {
        let mut line = Vec::new();
        while errors.by_ref().take(LONG_LINE).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            said(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    };
    thread::Builder::new().name("listen".to_owned()).spawn(listen).context("start a thread").map(drop)
}

/// A process that can be asked to stop, until it was taken: later its number may be another's.
#[derive(Clone, Copy, Debug)]
pub struct Handle(Pid);

impl Handle {
    /// Asks it to unwind, as Ctrl-C does.
    pub fn ask_to_stop(self) -> Result<()> {
        signal(self.0, Signal::SIGTERM)
    }
}

/// The path of this program, for what a script cannot do by itself. It may have been replaced while it runs.
pub fn own_program() -> Result<String> {
    let path = std::env::current_exe().context("find this program")?;
    let path = if path.exists() { path } else { PathBuf::from(format!("/proc/{}/exe", std::process::id())) };
    path.into_os_string().into_string().map_err(|_| Error::failed("the path of this program is no text"))
}
