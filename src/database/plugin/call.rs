//! One call of a plugin: what it is given, what becomes of what it says, and that nothing of it is left.

use std::convert::Infallible;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;

use crate::database::PluginSpec;
use crate::error::{Context, Error, Result};
use crate::event::{Cx, Unit, printable};
use crate::sys::fs::{create_private_directory, list};
use crate::sys::process::{How, Stream, end_marked, own_program};
use crate::sys::trust;

/// Lines of one call that reach the log.
const LINES: usize = 500;

/// In the name of the directory of one call, before the number of the process that made it.
const SCRATCH: &str = "plugin-";

/// What marks the processes of a restore, so that one whose Lifeboat died can be found.
const MARK: &str = "LIFEBOAT_RESTORES";

/// A shorter secret would be found in any text.
const SHORTEST_SECRET: usize = 4;

/// Bytes of an answer.
const LONGEST_ANSWER: u64 = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Describe,
    Dump,
    Restore,
    Quiesce,
}

impl Verb {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Dump => "dump",
            Self::Restore => "restore",
            Self::Quiesce => "quiesce",
        }
    }
}

/// A plugin at work.
pub(super) struct Call {
    stream: Stream,
    verb: String,
    program: String,
    /// Whether its progress is that of the run.
    shown: Arc<AtomicBool>,
    /// It is on its way to an end that must not be cut short, whoever asks us to stop.
    patient: Arc<AtomicBool>,
    cx: Cx,
    /// Behind the stream: it is removed once nobody uses it any more.
    _scratch: Scratch,
}

impl Call {
    /// Starts it for a verb; what it reads first, the document with the options, is written later, by `ask`.
    pub(super) fn start(spec: &PluginSpec, verb: Verb, cx: &Cx) -> Result<Self> {
        Self::start_with(spec, verb.name(), cx)
    }

    /// The same for a word that may be no verb.
    pub(super) fn start_with(spec: &PluginSpec, verb: &str, cx: &Cx) -> Result<Self> {
        let Some(program) = spec.command.first() else {
            return Err(Error::usage("a plugin has no command"));
        };
        trust::check(Path::new(program))?;
        let scratch = Scratch::make(&spec.scratch)?;
        let mut command = spec.command.clone();
        command.push(verb.to_owned());
        let (own, directory, mark) = (own_program()?, scratch.0.to_string_lossy(), mark(spec));
        let mut environment = vec![("LIFEBOAT", own.as_str()), ("TMPDIR", &*directory)];
        if verb == Verb::Restore.name() {
            environment.push((MARK, &mark));
        }
        let shown = Arc::new(AtomicBool::new(true));
        let patient = Arc::new(AtomicBool::new(false));
        let (asked, deaf) = (cx.clone(), Arc::clone(&patient));
        let stop = move || asked.is_cancelled() && !deaf.load(Ordering::SeqCst);
        let said = listener(spec, cx, &shown);
        let stream = Stream::start(&command, &environment, spec.timeout, stop, said)?;
        let (verb, program) = (verb.to_owned(), program.clone());
        Ok(Self { stream, verb, program, shown, patient, cx: cx.clone(), _scratch: scratch })
    }

    /// Writes the document with the options; whoever does not read it may end without.
    pub(super) fn ask(&mut self, spec: &PluginSpec) -> Result<Box<dyn Write + Send>> {
        let mut input = self.stream.input();
        let line = zeroize::Zeroizing::new(format!("{}\n", spec.request.reveal()));
        match input.write_all(line.as_bytes()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            other => other.with_context(|| format!("write to {}", self.name()))?,
        }
        Ok(Box::new(input))
    }

    pub(super) fn output(&mut self) -> Box<dyn Read + Send> {
        Box::new(self.stream.output())
    }

    /// All that it answers, which is not much.
    pub(super) fn answer(&mut self) -> Result<Vec<u8>> {
        let mut answer = Vec::new();
        let output = self.stream.output();
        output.take(LONGEST_ANSWER + 1).read_to_end(&mut answer).context("read its answer")?;
        if answer.len() as u64 > LONGEST_ANSWER {
            return Err(Error::failed(format!("it answers more than {LONGEST_ANSWER} bytes")));
        }
        Ok(answer)
    }

    /// From here on the run is at something else.
    pub(super) fn hide_progress(&self) {
        self.shown.store(false, Ordering::SeqCst);
    }

    /// From here on it is let come to its end also after a cancel.
    pub(super) fn be_patient(&self) {
        self.patient.store(true, Ordering::SeqCst);
    }

    /// Whatever it writes to standard output is dropped.
    pub(super) fn ignore_output(&mut self) {
        self.stream.ignore_output();
    }

    pub(super) fn name(&self) -> String {
        format!("{} {}", self.program, self.verb)
    }

    /// Its end, which must be a good one.
    pub(super) fn end(self) -> Result<()> {
        let (name, cx) = (self.name(), self.cx.clone());
        let close = self.stream.close()?;
        match close.how {
            How::Stopped => Err(Error::cancelled()),
            How::Overdue => Err(Error::failed(format!("{name} did not end in its time and was stopped"))
                .with_remedy("see in the log what it waited for, or give it more time (timeout)")),
            How::ByItself if close.status.success() => cx.go_on(),
            How::ByItself => Err(Error::failed(format!("{name} ended with {}", close.status))
                .with_remedy("what it said is in the log; `lifeboat plugin test` tries each of its verbs")),
        }
    }

    /// The status it ended with by itself, whatever that is; of one that was ended by a signal, 128.
    pub(super) fn end_with_status(self) -> Result<i32> {
        let (name, cx) = (self.name(), self.cx.clone());
        let close = self.stream.close()?;
        cx.go_on()?;
        match close.how {
            How::ByItself => Ok(close.status.code().unwrap_or(128)),
            _ => Err(Error::failed(format!("{name} did not end in its time and was stopped"))),
        }
    }

    /// Its end after this happened: why it ended says more than that its pipe broke.
    pub(super) fn fail(self, error: Error) -> Error {
        let name = self.name();
        if let Err(cancelled) = self.cx.go_on() {
            return cancelled;
        }
        if error.os_error() == Some(nix::errno::Errno::EPIPE as i32) {
            return self.end().err().unwrap_or(error);
        }
        // Ends it before anything else happens.
        drop(self);
        let failed = Err::<Infallible, _>(error).context(name);
        let Err(error) =
            failed.remedy("`lifeboat plugin test` tries each of its verbs; `timeout` gives it more time");
        error
    }
}

/// Ends what earlier restores of this plugin left at work, because what started them was killed: two at a time would be at odds.
pub(super) fn end_forgotten(spec: &PluginSpec) -> Result<()> {
    end_marked(MARK, &mark(spec)).with_context(|| format!("end an earlier restore of {}", spec.name))
}

fn mark(spec: &PluginSpec) -> String {
    format!("{}/{}", spec.scratch.display(), spec.name)
}

/// A directory that only we can enter, for what a plugin keeps while it works.
struct Scratch(PathBuf);

impl Scratch {
    fn make(parent: &Path) -> Result<Self> {
        create_private_directory(parent)?;
        sweep(parent)?;
        let template = parent.join(format!("{SCRATCH}{}-XXXXXX", std::process::id()));
        let made = nix::unistd::mkdtemp(&template);
        made.map(Self).with_context(|| format!("make a private directory in {}", parent.display()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is in a directory that nobody else can enter, and the next call sweeps.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Removes what calls of processes that are no more have left.
pub(super) fn sweep(parent: &Path) -> Result<()> {
    for entry in list(parent)?.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(SCRATCH)?.split('-').next());
        if process.is_some_and(|id| id.parse::<u32>().is_ok() && !Path::new("/proc").join(id).exists()) {
            let path = entry.path();
            fs::remove_dir_all(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Progress {
    done: u64,
    total: Option<u64>,
}

/// Hands on what a plugin says: how far it is, and lines for the log without secrets that it was told.
fn listener(spec: &PluginSpec, cx: &Cx, shown: &Arc<AtomicBool>) -> impl FnMut(&str) + Send + use<> {
    let (name, cx, shown) = (spec.name.clone(), cx.clone(), Arc::clone(shown));
    let secrets = spec.secrets.clone();
    let mut left = LINES;
    move |line| {
        let progress = line.starts_with('{').then(|| serde_json::from_str::<Progress>(line).ok()).flatten();
        if let Some(Progress { done, total }) = progress {
            if shown.load(Ordering::SeqCst) {
                cx.progress(done, total, Unit::Bytes);
            }
            return;
        }
        if line.is_empty() || left == 0 {
            return;
        }
        left -= 1;
        let mut text = line.to_owned();
        for secret in secrets.iter().filter(|secret| secret.reveal().len() >= SHORTEST_SECRET) {
            text = text.replace(secret.reveal(), "***");
        }
        cx.note(format!("{name}: {}", printable(&text)));
        if left == 0 {
            cx.note(format!("{name}: (it said more than is kept)"));
        }
    }
}
