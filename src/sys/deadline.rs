//! Work on a thread of its own with a deadline, because a system call on a dead network mount may never return.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;

use crate::error::{Context, Error, Result};

enum Hand<T> {
    Working,
    Done(thread::Result<T>),
    Abandoned,
}

/// Runs `work` and returns its result, or an `ETIMEDOUT` error once `limit` has passed.
///
/// The thread of overdue work is abandoned: waits on NFS end when the process is killed or the mount is forced away.
pub fn within<T, W>(limit: Duration, what: impl fmt::Display, work: W) -> Result<T>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    within_or_undo(limit, what, work, drop)
}

/// As `within`; overdue work that ends after all has its result handed to `undo`, so that nothing late stays behind.
pub fn within_or_undo<T, W, U>(limit: Duration, what: impl fmt::Display, work: W, undo: U) -> Result<T>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
    U: FnOnce(T) + Send + 'static,
{
    let ours = Arc::new((Mutex::new(Hand::Working), Condvar::new()));
    let theirs = Arc::clone(&ours);
    thread::Builder::new()
        .name("deadline".into())
        .spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            let mut hand = theirs.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Hand::Working = *hand {
                *hand = Hand::Done(result);
                theirs.1.notify_one();
            } else if let Ok(late) = result {
                drop(hand);
                undo(late);
            }
        })
        .context("start a thread")?;

    let hand = ours.0.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut hand, _) = ours
        .1
        .wait_timeout_while(hand, limit, |hand| matches!(hand, Hand::Working))
        .unwrap_or_else(PoisonError::into_inner);
    match std::mem::replace(&mut *hand, Hand::Abandoned) {
        Hand::Done(Ok(result)) => Ok(result),
        Hand::Done(Err(_)) => Err(Error::failed(format!("{what} panicked"))),
        Hand::Working | Hand::Abandoned => Err(io::Error::from(Errno::ETIMEDOUT))
            .with_context(|| format!("{what} did not end within {limit:.0?}")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn result_in_time_is_returned() {
        assert_eq!(within(LONG, "add", || 2 + 2).unwrap(), 4);
    }

    #[test]
    fn overdue_work_is_an_error_and_its_late_result_is_undone() {
        let (go, wait) = mpsc::channel::<()>();
        let (undone, seen) = mpsc::channel();
        let late = move || wait.recv().is_ok();
        let error =
            within_or_undo(SHORT, "wait", late, move |result| undone.send(result).unwrap()).unwrap_err();
        assert_eq!(error.os_error(), Some(Errno::ETIMEDOUT as i32));
        assert!(error.to_string().starts_with("wait did not end within 50ms"), "{error}");
        go.send(()).unwrap();
        assert!(seen.recv_timeout(LONG).unwrap());
    }

    #[test]
    fn panic_is_an_error() {
        let error = within(LONG, "probe", || panic!("on purpose")).unwrap_err();
        assert_eq!(error.to_string(), "probe panicked");
    }
}
