//! A program that is talked to while it works: input and output are pipes that nobody can make us wait at for ever.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::collect::Collected;
use super::{GRACE, How, PATIENCE, group_of, prepared, signal, wait};
use crate::error::{Context, Error, Result};

/// How soon a wish to stop is noticed.
const LOOK_UP: Duration = Duration::from_millis(100);

/// A process outside of the group may hold the pipe open for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Bytes of one line of what it says; a longer one comes in several.
const LONG_LINE: u64 = 4 << 10;

/// A program whose pipes are read and written while it works, in a process group that ends with this.
pub struct Stream {
    child: Child,
    group: Pid,
    name: String,
    patience: Arc<Patience>,
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    said: Receiver<()>,
    ended: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug)]
pub struct Close {
    pub status: ExitStatus,
    pub how: How,
}

impl Stream {
    /// Starts it as `run` does. `patience` is how long we wait for it in all: while it waits for us, no time passes. Once `stop`
    /// says so, no pipe is waited for any more. Its standard error comes line by line to `said`, on a thread of its own.
    pub fn start(
        command: &[String],
        environment: &[(&str, &str)],
        patience: Duration,
        stop: impl Fn() -> bool + Send + Sync + 'static,
        said: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self> {
        let (mut prepared, name) = prepared(command)?;
        let mut child = prepared
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let group = group_of(&child)?;
        let patience = Arc::new(Patience { left: Mutex::new(patience), stop: Box::new(stop) });
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let errors = child.stderr.take();
        let name = name.clone();
        let (ended, listening) = channel();
        // From here on whatever fails ends the group.
        let stream = Self { child, group, name, patience, input, output, said: listening, ended: false };
        if let Some(input) = &stream.input {
            fcntl(input, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context("prepare a pipe")?;
        }
        if let Some(errors) = errors {
            let listen = move || {
                listen(errors, said);
                // Nobody waits any more if it was too slow.
                let _ = ended.send(());
            };
            thread::Builder::new().name("listen".to_owned()).spawn(listen).context("start a thread")?;
        }
        Ok(stream)
    }

    /// Its standard input; dropped, it is closed. There is only one.
    pub fn input(&mut self) -> impl Write + Send + 'static {
        Waiting { pipe: self.input.take(), patience: Arc::clone(&self.patience) }
    }

    /// Its standard output. There is only one.
    pub fn output(&mut self) -> impl Read + Send + 'static {
        Waiting { pipe: self.output.take(), patience: Arc::clone(&self.patience) }
    }

    /// Reads what it writes to standard output, so that it can go on, and drops it.
    pub fn ignore_output(&mut self) {
        drop(Collected::of(self.output.take(), 0));
    }

    /// Waits for its end, as long as the patience lasts; then the group is ended, and so is what the program left running.
    pub fn close(mut self) -> Result<Close> {
        drop(self.input.take());
        let left = *self.patience.left.lock().unwrap_or_else(PoisonError::into_inner);
        let how = wait(self.group, left, || (self.patience.stop)())?;
        if how != How::ByItself {
            signal(self.group, Signal::SIGTERM)?;
            wait(self.group, GRACE, || false)?;
        }
        signal(self.group, Signal::SIGKILL)?;
        if wait(self.group, PATIENCE, || false)? != How::ByItself {
            return Err(Error::failed(format!("{} did not end even when it was killed", self.name)));
        }
        let status = self.child.wait().with_context(|| format!("wait for {}", self.name))?;
        self.ended = true;
        // What it said last is often why.
        let _ = self.said.recv_timeout(LAST_WORDS);
        Ok(Close { status, how })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // The polite signal lets it clean up; an error is on its way already.
        drop(signal(self.group, Signal::SIGTERM));
        drop(wait(self.group, GRACE, || false));
        drop(signal(self.group, Signal::SIGKILL));
        if wait(self.group, PATIENCE, || false).is_ok_and(|how| how == How::ByItself) {
            drop(self.child.wait());
        }
        let _ = self.said.recv_timeout(LAST_WORDS);
    }
}

fn listen(errors: ChildStderr, mut said: impl FnMut(&str)) {
    let mut errors = BufReader::new(errors);
    let mut line = Vec::new();
    while errors.by_ref().take(LONG_LINE).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        said(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}

struct Patience {
    left: Mutex<Duration>,
    stop: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Patience {
    /// Until the pipe can be read or written, or was closed at its other end.
    fn wait(&self, pipe: BorrowedFd<'_>, flags: PollFlags) -> io::Result<()> {
        loop {
            if (self.stop)() {
                return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "stopped"));
            }
            let left = *self.left.lock().unwrap_or_else(PoisonError::into_inner);
            if left.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "it took longer than it may"));
            }
            let slice = LOOK_UP.min(left).max(Duration::from_millis(1));
            let begun = Instant::now();
            let ready = poll(
                &mut [PollFd::new(pipe, flags)],
                PollTimeout::try_from(slice).unwrap_or(PollTimeout::ZERO),
            );
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            *left = left.saturating_sub(begun.elapsed());
            match ready {
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// One end of a pipe; nothing once it was taken.
struct Waiting<P> {
    pipe: Option<P>,
    patience: Arc<Patience>,
}

impl<P: Read + AsFd> Read for Waiting<P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(pipe) = &mut self.pipe else { return Ok(0) };
        self.patience.wait(pipe.as_fd(), PollFlags::POLLIN)?;
        pipe.read(buffer)
    }
}

impl<P: Write + AsFd> Write for Waiting<P> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let Some(pipe) = &mut self.pipe else { return Err(io::ErrorKind::BrokenPipe.into()) };
        loop {
            match pipe.write(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.patience.wait(pipe.as_fd(), PollFlags::POLLOUT)?;
                }
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The output of a program that is a part of this one's work: it has our environment, our standard error and our process group.
pub struct Part {
    child: Child,
    name: String,
}

impl Part {
    /// Starts it with nothing to read, and gives back what it writes.
    pub fn start(command: &[String]) -> Result<(Self, impl Read + use<>)> {
        let Some((name, arguments)) = command.split_first() else {
            return Err(Error::usage("there is no program to run"));
        };
        let mut child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let output = child.stdout.take().ok_or_else(|| Error::failed("a process has no output"))?;
        Ok((Self { child, name: name.clone() }, output))
    }

    /// An error unless it did all it had to.
    pub fn end(mut self) -> Result<()> {
        let status = self.child.wait().with_context(|| format!("wait for {}", self.name))?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::failed(format!("{} ended with {status}", self.name)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn sh(script: &str, patience: Duration) -> Stream {
        let command = ["/bin/sh", "-c", script].map(str::to_owned);
        Stream::start(&command, &[], patience, || false, |_| {}).unwrap()
    }

    #[test]
    fn what_is_written_comes_back_and_the_status_with_it() {
        let mut stream = sh("cat; exit 3", LONG);
        let (mut input, mut output) = (stream.input(), stream.output());
        let long = vec![7; 1 << 20];
        let writer = thread::spawn(move || input.write_all(&long).map(|()| long.len()));
        let mut back = Vec::new();
        output.read_to_end(&mut back).unwrap();
        assert_eq!(writer.join().unwrap().unwrap(), back.len());
        let close = stream.close().unwrap();
        assert_eq!((close.status.code(), close.how), (Some(3), How::ByItself));
    }

    #[test]
    fn who_neither_reads_nor_writes_is_not_waited_for() {
        let mut stream = sh("sleep 60 & sleep 60", Duration::from_millis(200));
        let error = stream.input().write_all(&vec![0; 1 << 20]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = stream.output().read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(stream.close().unwrap().how, How::Overdue);
    }

    #[test]
    fn a_process_that_left_the_group_cannot_hold_a_pipe_open_for_ever() {
        let mut stream = sh("setsid sleep 10 & echo done", Duration::from_millis(500));
        let mut said = Vec::new();
        let error = stream.output().read_to_end(&mut said).unwrap_err();
        assert_eq!((error.kind(), said.as_slice()), (io::ErrorKind::TimedOut, &b"done\n"[..]));
    }
}
