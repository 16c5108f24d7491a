//! Who is told what: mail, webhooks and pings, through an outbox that survives a crash and a server that is away.
//!
//! `run_started`, `run_ended` and `look` decide what is to be told and post it; `Outbox::deliver` sends it. Nothing here waits
//! without an end, and nothing that fails here makes a run fail.

mod deliver;
mod forecast;
mod http;
mod ledger;
mod letter;
mod mail;
mod message;
mod occasion;
mod outbox;
mod ping;
mod samples;
mod send;
mod spec;
mod template;
mod told;
mod watch;
mod webhook;

pub use deliver::{Report, Tested};
pub use forecast::{Forecast, forecast};
pub use ledger::Counts;
pub use letter::{Letter, Missed};
pub use mail::{is_address, is_this_machine};
pub use message::Message;
pub use occasion::{Alert, AlertName, Occasion, Streak};
pub use outbox::{Listing, Outbox, Which, directory};
pub use samples::{Sample, add_sample, samples};
pub use spec::{
    AlertSpec, Channel, Encryption, Hidden, MailSpec, Means, Method, NotifySpec, PingSpec, Value,
    WebhookSpec, Word,
};
pub use template::check as check_template;
pub use told::{Raised, Told, look, run_ended, run_started};
pub use watch::{Facts, watch};
pub use webhook::{check_url, is_header_name, is_header_value};
