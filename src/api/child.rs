//! What needs a repository is one more process of this program: its memory goes back at its end, and its death is not ours.

use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::Handle as Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::office::Office;
use super::problem::{Answer, Problem};
use crate::error::Error;
use crate::sys::process::{Again, Handle};

/// A listing of a directory with a hundred thousand files has less, in bytes.
const LONGEST_ANSWER: usize = 64 << 20;

/// The plan of a restore of a large site takes minutes.
const PATIENCE: Duration = Duration::from_mins(10);

/// Waiting for a free place is no work.
const QUEUE: Duration = Duration::from_secs(30);

const CHUNK: usize = 64 << 10;

/// Who takes nothing for so long has gone.
const STALLED: Duration = Duration::from_mins(2);

impl Office {
    /// Has a command look something up, by the configuration at `config`; its result.
    pub(super) async fn look_up<T: DeserializeOwned + Send + 'static>(
        self: &Arc<Self>,
        config: &Path,
        words: &[&str],
    ) -> Answer<T> {
        let permit = place(&self.children).await?;
        let line = line(config, &["--json"], words);
        let started = Again::start(&line, LONGEST_ANSWER, |_| ())?;
        let ender = Ender::of(&started)?;
        let at_work = Arc::clone(&ender.0);
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            started.wait()?;
            // From here on its number may be another's.
            *at_work.lock().unwrap_or_else(PoisonError::into_inner) = None;
            started.take()
        });
        let done = tokio::time::timeout(PATIENCE, work).await.map_err(|_| Problem::overdue())?;
        let (_, output) = done.map_err(|_| Error::failed("a thread broke off"))??;
        answer(&output)
    }

    /// Has a command write raw bytes; the answer begins with the first of them, and breaks off if the command fails later.
    pub(super) async fn fetch(self: &Arc<Self>, config: &Path, words: &[&str]) -> Answer<Body> {
        let permit = place(&self.downloads).await?;
        let line = line(config, &[], words);
        let (mut pieces, first) = stream(line, permit)?;
        let first = match first.await {
            Ok(first) => first?,
            Err(_) => return Err(Error::failed("a thread broke off").into()),
        };
        let rest = futures_util::stream::poll_fn(move |context| pieces.poll_recv(context));
        let whole = futures_util::stream::StreamExt::chain(
            futures_util::stream::iter([Ok::<_, std::io::Error>(first)]),
            rest,
        );
        Ok(Body::from_stream(whole))
    }
}

async fn place(among: &Arc<Semaphore>) -> Answer<OwnedSemaphorePermit> {
    match tokio::time::timeout(QUEUE, Arc::clone(among).acquire_owned()).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(Problem::too_many("others are reading repositories", 5)),
    }
}

/// Ends a process that nobody waits for any more.
struct Ender(Arc<Mutex<Option<Handle>>>);

impl Ender {
    fn of(process: &Again) -> Answer<Self> {
        Ok(Self(Arc::new(Mutex::new(Some(process.handle()?)))))
    }
}

impl Drop for Ender {
    fn drop(&mut self) {
        if let Some(handle) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It is ended by its deadlines otherwise.
            drop(handle.ask_to_stop());
        }
    }
}

/// Values come as one word with their option, or behind `--`: none can be taken for an option.
fn line(config: &Path, global: &[&str], words: &[&str]) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec!["--config".into(), config.into()];
    line.extend(global.iter().chain(words).map(OsString::from));
    line
}

/// What a command printed with `--json`.
fn answer<T: DeserializeOwned>(output: &[u8]) -> Answer<T> {
    #[derive(serde::Deserialize)]
    struct Printed {
        #[serde(default)]
        result: Value,
        error: Option<Failure>,
    }
    #[derive(serde::Deserialize)]
    struct Failure {
        kind: String,
        message: String,
        remedy: Option<String>,
    }
    let odd = || Problem::from(Error::failed("a process said something that is no result"));
    let printed: Printed = serde_json::from_slice(output).map_err(|_| odd())?;
    if let Some(Failure { kind, message, remedy }) = printed.error {
        return Err(Problem::of_kind(&kind, message, remedy));
    }
    serde_json::from_value(printed.result).map_err(|_| odd())
}

type Piece = std::io::Result<Bytes>;

/// Reads what a process writes, on a thread of its own that waits for whoever takes it.
fn stream(
    line: Vec<OsString>,
    permit: OwnedSemaphorePermit,
) -> Answer<(mpsc::Receiver<Piece>, oneshot::Receiver<Answer<Bytes>>)> {
    let (pieces, taken) = mpsc::channel(4);
    let (first, begun) = oneshot::channel();
    let runtime = Runtime::current();
    let work = move || {
        let _permit = permit;
        let mut begun = Some(first);
        let give = |piece: Piece| runtime.block_on(pieces.send_timeout(piece, STALLED)).is_ok();
        if let Err(problem) = copy(&line, give, &mut begun) {
            // Nobody waits any more if it cannot be sent. Once the answer is under way, that it breaks off is all that can be said.
            if let Some(first) = begun {
                drop(first.send(Err(problem)));
            } else {
                let text = std::io::Error::other(problem.detail().to_owned());
                give(Err(text));
            }
        }
    };
    std::thread::Builder::new().name("fetch".to_owned()).spawn(work).map_err(Error::from)?;
    Ok((taken, begun))
}

fn copy(
    line: &[OsString],
    give: impl Fn(Piece) -> bool,
    begun: &mut Option<oneshot::Sender<Answer<Bytes>>>,
) -> Answer<()> {
    let said = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&said);
    let (process, mut output) = Again::reading(line, move |text| {
        let mut said = heard.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() < CHUNK {
            said.push_str(text);
            said.push('\n');
        }
    })?;
    let taken = pass_on(&mut output, give, begun);
    // Nobody reads any more: a process that would go on writing ends.
    drop(output);
    if !matches!(taken, Ok(true)) {
        process.handle()?.ask_to_stop()?;
    }
    process.wait()?;
    let (status, _) = process.take()?;
    if taken.map_err(Error::from)? && !status.success() {
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        return Err(refusal(status.code(), &said));
    }
    if let Some(first) = begun.take() {
        drop(first.send(Ok(Bytes::new())));
    }
    Ok(())
}

/// Whether somebody took all of it.
fn pass_on(
    output: &mut impl Read,
    give: impl Fn(Piece) -> bool,
    begun: &mut Option<oneshot::Sender<Answer<Bytes>>>,
) -> std::io::Result<bool> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let size = output.read(&mut buffer)?;
        if size == 0 {
            return Ok(true);
        }
        let piece = Bytes::copy_from_slice(&buffer[..size]);
        let taken = match begun.take() {
            Some(first) => first.send(Ok(piece)).is_ok(),
            None => give(Ok(piece)),
        };
        if !taken {
            return Ok(false);
        }
    }
}

/// What a command says on standard error at its end: `error: TEXT`, and maybe `   try: REMEDY`.
fn refusal(code: Option<i32>, said: &str) -> Problem {
    let line = |mark: &str| said.lines().filter_map(|line| line.trim().strip_prefix(mark)).next_back();
    let message = line("error: ").unwrap_or("the process broke off").to_owned();
    let kind = match code {
        Some(2) => "usage",
        Some(10) => "no-repository",
        Some(11) => "locked",
        Some(12) => "wrong-password",
        Some(130) => "cancelled",
        _ => "failed",
    };
    Problem::of_kind(kind, message, line("try: ").map(str::to_owned))
}
