//! Ctrl-C and its relatives as a flag: the work unwinds by itself instead of being cut off.

use nix::sys::signal::{SigSet, Signal, raise};

use crate::error::{Context, Result};

/// Blocks the signals that ask a program to stop and calls `asked` on a thread of its own each time one comes.
///
/// Call it before any other thread is started: threads inherit the mask. Child processes do not (the standard library
/// clears it for them).
pub fn on_stop(asked: impl Fn(Signal) + Send + 'static) -> Result<()> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block().context("block signals")?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            while let Ok(signal) = signals.wait() {
                asked(signal);
            }
        })
        .context("start the signal thread")?;
    Ok(())
}

/// Ends this process as `kill -9` does, with nothing released: for tests of what a dead process leaves.
pub fn kill_self() -> Result<()> {
    raise(Signal::SIGKILL).context("kill this process")
}
