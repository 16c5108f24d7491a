//! Disks may be slow, and the API answers everybody from one thread: what reads or writes files is done beside it.

use super::problem::{Answer, Problem};
use crate::error::Error;

/// Runs this on a thread of its own; an error of ours becomes a problem.
pub(super) async fn aside<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Answer<T>
where
    T: Send + 'static,
    E: Into<Problem> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Error::failed("a thread broke off"))?.map_err(Into::into)
}
