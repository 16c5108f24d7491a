//! Several connections that share a list of work; the first error ends the work of all.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::fault::During;
use super::link::Link;
use super::names::quote;
use super::session::{Patience, pin_for_loading};
use crate::database::MysqlSpec;
use crate::error::{Error, Result};
use crate::event::Cx;

/// Measured on two cores: a second connection keeps the server busy while the first one reads; more do not pay.
const MEMBERS: usize = 2;

/// Tells a member that it need not go on.
pub(super) struct Whistle<'a> {
    blown: AtomicBool,
    cx: &'a Cx,
}

impl Whistle<'_> {
    /// Long work asks this between its steps.
    pub(super) fn go_on(&self) -> Result<()> {
        self.cx.go_on()?;
        if self.blown.load(Ordering::SeqCst) { Err(Error::cancelled()) } else { Ok(()) }
    }
}

/// Does `work` for each item, in order of their start, on `link` and, where the machine has the cores, on a further
/// connection like it.
pub(super) fn share<T: Send>(
    spec: &MysqlSpec,
    (link, schema, patience): (&mut Link, &str, Patience),
    items: Vec<T>,
    work: impl Fn(&mut Link, T, &Whistle<'_>) -> Result<()> + Sync,
    cx: &Cx,
) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let members = MEMBERS.min(cores).min(items.len());
    let whistle = Whistle { blown: AtomicBool::new(false), cx };
    let queue = Mutex::new(VecDeque::from(items));
    let first_error = Mutex::new(None);
    let toil = |link: &mut Link| {
        loop {
            let Some(item) = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else { break };
            if let Err(error) = whistle.go_on().and_then(|()| work(link, item, &whistle)) {
                // Set before the whistle, so that whoever hears it cannot be taken for the cause.
                first_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                whistle.blown.store(true, Ordering::SeqCst);
                break;
            }
        }
    };
    let finished = std::thread::scope(|scope| {
        let others: Vec<_> = (1..members)
            .map(|_| {
                scope.spawn(|| match member(spec, schema, patience) {
                    Ok(mut link) => toil(&mut link),
                    // A limit of connections, for instance; there is one that does everything.
                    Err(error) => cx.note(format!("the restore goes on with one connection: {error}")),
                })
            })
            .collect();
        toil(link);
        others.into_iter().all(|other| other.join().is_ok())
    });
    match first_error.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None if finished => Ok(()),
        None => Err(Error::failed("a connection of the restore panicked")),
    }
}

fn member(spec: &MysqlSpec, schema: &str, patience: Patience) -> Result<Link> {
    let mut link = Link::open(spec, None)?;
    pin_for_loading(&mut link, patience)?;
    link.run(format!("USE {}", quote(schema))).during(format!("use schema {schema:?}"))?;
    Ok(link)
}
