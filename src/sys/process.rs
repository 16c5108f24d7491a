//! Runs a program to its end, with a deadline that also ends what it started, and a limit to what it can say.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use zeroize::Zeroizing;

use crate::error::{Context, Error, Result};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Between the polite and the final signal.
const GRACE: Duration = Duration::from_secs(2);
/// A process that waits for a dead file server does not end even when killed; we go on without it.
const PATIENCE: Duration = Duration::from_secs(5);
/// A process outside of the group may hold the pipe open for ever.
const DRAIN: Duration = Duration::from_millis(500);

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
    let (mut command, name) = prepared(program.command)?;
    let mut child = command
        .envs(program.environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {name}"))?;
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
    Ok(Ended { status, how, output, errors, cut: output_cut || errors_cut })
}

/// In `/`, in a process group of its own, with nothing of our environment; and its name.
fn prepared(command: &[String]) -> Result<(Command, &String)> {
    let Some((name, arguments)) = command.split_first() else {
        return Err(Error::usage("there is no program to run"));
    };
    let mut prepared = Command::new(name);
    prepared
        .args(arguments)
        .env_clear()
        .envs([("PATH", PATH), ("LANG", "C.UTF-8"), ("HOME", "/")])
        .current_dir("/")
        .process_group(0);
    Ok((prepared, name))
}

/// A program that goes on beside us, in a process group of its own that ends with this.
pub struct Service {
    child: Mutex<Child>,
    group: Pid,
}

impl Service {
    pub fn start(command: &[String]) -> Result<Self> {
        let (mut prepared, name) = prepared(command)?;
        let child = prepared
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {name}"))?;
        Ok(Self { group: group_of(&child)?, child: Mutex::new(child) })
    }

    pub fn is_running(&self) -> bool {
        wait(self.group, Duration::ZERO, || false).is_ok_and(|how| how != How::ByItself)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // What cannot be ended is left: there is nobody to tell any more.
        drop(signal(self.group, Signal::SIGKILL));
        drop(wait(self.group, PATIENCE, || false));
        drop(self.child.lock().unwrap_or_else(PoisonError::into_inner).wait());
    }
}

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

/// One output of a program, read by a thread of its own.
struct Collected {
    kept: Arc<Mutex<Kept>>,
    done: Receiver<()>,
}

#[derive(Default)]
struct Kept {
    data: Zeroizing<Vec<u8>>,
    cut: bool,
}

impl Collected {
    fn of(pipe: Option<impl Read + Send + 'static>, keep: usize) -> Self {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let (ended, done) = channel();
        if let Some(pipe) = pipe {
            let kept = Arc::clone(&kept);
            thread::spawn(move || {
                let read = collect(pipe, keep, &kept);
                kept.lock().unwrap_or_else(PoisonError::into_inner).cut |= read.is_err();
                // Nobody waits any more if the deadline has passed.
                let _ = ended.send(());
            });
        }
        Self { kept, done }
    }

    /// What came so far, after a short wait for what is still in the pipe.
    fn take(self) -> (Zeroizing<Vec<u8>>, bool) {
        let ended = self.done.recv_timeout(DRAIN).is_ok();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut kept.data), kept.cut || !ended)
    }
}

fn collect(mut pipe: impl Read, keep: usize, kept: &Mutex<Kept>) -> io::Result<()> {
    let mut buffer = Zeroizing::new([0; 8192]);
    loop {
        let size = match pipe.read(&mut *buffer) {
            Ok(0) => return Ok(()),
            Ok(size) => size,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = keep - kept.data.len().min(keep);
        kept.data.extend_from_slice(&buffer[..size.min(room)]);
        kept.cut |= size > room;
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
