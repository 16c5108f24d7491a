//! Who asks from elsewhere: a browser, the platform, Prometheus, another command line. HTTP over a private socket, loopback or TLS.
//!
//! Nothing here knows how a backup is made: what is asked is looked up on the agent's desk and in the history, handed to the agent's
//! loop, or is one more process of this program with `--json`. So there is one way to do a thing.

mod aside;
mod audit;
mod body;
mod child;
mod door;
mod extract;
mod follow;
mod guard;
mod listen;
mod lookups;
mod office;
mod page;
mod pins;
mod problem;
mod rest;
mod router;
mod session;
mod shelf;
mod throttle;
mod view;

use std::thread;

use crate::agent::Desk;
use crate::error::{Context, Result};

pub use self::listen::{Listen, Tls};
pub use self::office::Settings;

use self::office::Office;

/// Answers on all of these places until the process ends. A place that cannot be had is an error, before anything is answered.
pub fn start(
    settings: Settings,
    desk: Desk,
    complain: impl Fn(String) + Send + Sync + 'static,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .thread_name("api-work")
        .build()
        .context("start the API")?;
    let (office, places) = {
        // Sockets belong to a runtime from their first moment.
        let _inside = runtime.enter();
        let places = listen::open(&settings)?;
        (Office::open(settings, desk, complain)?, places)
    };
    let work = move || runtime.block_on(listen::serve(places, router::router(&office), office.clone()));
    thread::Builder::new().name("api".to_owned()).spawn(work).context("start the thread of the API").map(drop)
}
