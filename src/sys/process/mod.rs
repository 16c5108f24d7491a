//! Runs a program to its end, with a deadline that also ends what it started, and a limit to what it can say.

mod again;
mod collect;
mod marked;
mod rights;
mod service;
mod stream;

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use zeroize::Zeroizing;

use self::collect::Collected;
use crate::error::{Context, Error, Result};

pub use self::again::{Again, Handle, own_program};
pub use self::marked::end_marked;
pub use self::rights::Rights;
pub use self::service::Service;
pub use self::stream::{Close, Part, Stream};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Between the polite and the final signal.
const GRACE: Duration = Duration::from_secs(2);
/// A process that waits for a dead file server does not end even when killed; we go on without it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to run. The environment holds nothing but `PATH`, `LANG`, `HOME` and what is given here.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// The program, with its whole path, and its arguments.
    pub command: &'a [String],
    pub environment: &'a [(&'a str, &'a str)],
    pub input: &'a [u8],
    pub deadline: Duration,
    /// Bytes of each of its outputs that are kept; the rest is read and dropped.
    pub keep: usize,
}

/// A program that ended, and what it said until then.
pub struct Ended {
    pub status: ExitStatus,
    pub how: How,
    /// Standard output; may be a secret.
    pub output: Zeroizing<Vec<u8>>,
    pub errors: Zeroizing<Vec<u8>>,
    /// One of the outputs was longer than what is kept.
    pub cut: bool,
    /// Standard output was.
    pub output_cut: bool,
}

/// Who ended a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    ByItself,
    /// It was stopped at the deadline.
    Overdue,
    /// It was stopped because the caller wished so.
    Stopped,
}

/// Runs a program in a process group of its own, in `/`, and waits for it. At the deadline the whole group is ended,
/// and that is an error.
pub fn run(program: &Program<'_>) -> Result<Ended> {
    let ended = run_unless(program, || false)?;
    if ended.how == How::ByItself {
        return Ok(ended);
    }
    let name = program.command.first().map_or("", String::as_str);
    Err(Error::failed(format!("{name} did not end within {:?} and was stopped", program.deadline)))
}

/// As `run`, but also ends the group once `stop` says so, and gives back what a program said that had to be ended.
pub fn run_unless(program: &Program<'_>, stop: impl Fn() -> bool) -> Result<Ended> {
    run_with(program, &Rights::default(), stop)
}

/// The same for a program that may do less than we.
pub fn run_with(program: &Program<'_>, rights: &Rights, stop: impl Fn() -> bool) -> Result<Ended> {
    let (mut command, name) = prepared(program.command)?;
    command
        .envs(program.environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = rights.start(&mut command, name)?;
    feed(&mut child, program.input)?;
    let output = Collected::of(child.stdout.take(), program.keep);
    let errors = Collected::of(child.stderr.take(), program.keep);
    let group = group_of(&child)?;

    let how = wait(group, program.deadline, stop)?;
    if how != How::ByItself {
        signal(group, Signal::SIGTERM)?;
        wait(group, GRACE, || false)?;
    }
    // Also ends what a finished program left running; its process id is still taken, because it was not waited for.
    signal(group, Signal::SIGKILL)?;
    if wait(group, PATIENCE, || false)? != How::ByItself {
        return Err(Error::failed(format!("{name} did not end even when it was killed")));
    }
    let status = child.wait().with_context(|| format!("wait for {name}"))?;
    let (output, output_cut) = output.take();
    let (errors, errors_cut) = errors.take();
    Ok(Ended { status, how, output, errors, cut: output_cut || errors_cut, output_cut })
}

/// In `/`, in a process group of its own, with nothing of our environment and of our open files; and its name.
fn prepared(command: &[String]) -> Result<(Command, &String)> {
    let Some((name, arguments)) = command.split_first() else {
        return Err(Error::usage("there is no program to run"));
    };
    // Ours are closed for it anyway; those that we were started with are not.
    close_fds::set_fds_cloexec_threadsafe(3, &[]);
    let mut prepared = Command::new(name);
    prepared
        .args(arguments)
        .env_clear()
        .envs([("PATH", PATH), ("LANG", "C.UTF-8"), ("HOME", "/")])
        .current_dir("/")
        .process_group(0);
    Ok((prepared, name))
}

/// Writes from a thread: a program that does not read must not hold us up.
fn feed(child: &mut Child, input: &[u8]) -> Result<()> {
    let Some(mut pipe) = child.stdin.take() else { return Ok(()) };
    if input.is_empty() {
        return Ok(());
    }
    let input = Zeroizing::new(input.to_vec());
    // A program may well end without reading its input; that is no failure.
    let write = move || drop(pipe.write_all(&input));
    thread::Builder::new().name("feed".to_owned()).spawn(write).context("start a thread").map(drop)
}

fn group_of(child: &Child) -> Result<Pid> {
    i32::try_from(child.id()).map(Pid::from_raw).context("read a process id")
}

/// Waits for the end of a process without taking its status, so that its id is not given to another one.
fn wait(pid: Pid, limit: Duration, stop: impl Fn() -> bool) -> Result<How> {
    let deadline = Instant::now() + limit;
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    let mut pause = Duration::from_millis(1);
    loop {
        match waitid(Id::Pid(pid), flags) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(How::ByItself),
            Err(error) => return Err(error).context("wait for a process"),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(How::Overdue);
        }
        if stop() {
            return Ok(How::Stopped);
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn signal(group: Pid, signal: Signal) -> Result<()> {
    match killpg(group, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("send {signal}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, deadline: Duration) -> Result<Ended> {
        let command = ["/bin/sh", "-c", script].map(str::to_owned);
        run(&Program { command: &command, environment: &[("X", "y")], input: b"in\n", deadline, keep: 100 })
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn outputs_environment_and_status_come_back() {
        let ended = sh("read a; echo \"$a $X\"; echo err >&2; env | wc -l >&2; exit 3", LONG).unwrap();
        assert_eq!(&ended.output[..], b"in y\n");
        assert!(ended.errors.starts_with(b"err\n"));
        assert_eq!((ended.status.code(), ended.cut), (Some(3), false));
    }

    #[test]
    fn nothing_of_our_environment_is_handed_on() {
        let ended = sh("env", LONG).unwrap();
        assert!(!String::from_utf8_lossy(&ended.output).contains("CARGO"));
    }

    #[test]
    fn a_flood_is_cut_and_does_not_block() {
        let ended = sh("yes | head -c 3000000", LONG).unwrap();
        assert_eq!((ended.output.len(), ended.cut), (100, true));
    }

    #[test]
    fn the_deadline_ends_the_whole_group() {
        let started = Instant::now();
        let error = sh("sleep 60 & sleep 60", Duration::from_millis(100)).err().unwrap();
        assert!(error.to_string().contains("was stopped"));
        assert!(started.elapsed() < LONG);
    }

    #[test]
    fn what_is_left_running_does_not_hold_us_up() {
        let started = Instant::now();
        let ended = sh("sleep 60 & echo done", LONG).unwrap();
        assert_eq!(&ended.output[..], b"done\n");
        assert!(started.elapsed() < LONG);
    }
}
