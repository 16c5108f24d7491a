//! What a program says, read by a thread so that a full pipe holds nobody up, and kept up to a limit.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

/// A process outside of the group may hold the pipe open for ever.
const DRAIN: Duration = Duration::from_millis(500);

/// One output of a program, read by a thread of its own.
pub(super) struct Collected {
    kept: Arc<Mutex<Kept>>,
    done: Receiver<()>,
}

#[derive(Default)]
struct Kept {
    data: Zeroizing<Vec<u8>>,
    cut: bool,
}

impl Collected {
    pub(super) fn of(pipe: Option<impl Read + Send + 'static>, keep: usize) -> Self {
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
    pub(super) fn take(self) -> (Zeroizing<Vec<u8>>, bool) {
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
