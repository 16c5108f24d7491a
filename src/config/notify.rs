//! Reads who is told about the runs of a site.

mod channels;
mod spec;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;

use super::duration;
use super::secret::{Privacy, SecretRef};
use super::walk::{At, optional};
use crate::event::RunKind;
use crate::notify::{Encryption, Method, Word};

/// Who is told about the runs of a site, and what the agent watches by itself.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Notify {
    pub mail: Option<Mail>,
    /// Requests to chat services and the like.
    #[schemars(default)]
    pub webhooks: Vec<Webhook>,
    pub ping: Option<Ping>,
    #[schemars(default)]
    pub alerts: Alerts,
}

/// Mail over a server that takes it.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Mail {
    /// Addresses, as in `a@example.com` or `Anna <a@example.com>`.
    #[schemars(length(min = 1))]
    pub to: Vec<String>,
    pub from: String,
    /// Name or address of the mail server.
    pub server: String,
    /// Left out: 587 for starttls, 465 for tls, 25 for none.
    #[schemars(with = "Option<u16>", range(min = 1, max = 65535))]
    pub port: u16,
    #[schemars(default)]
    pub encryption: Encryption,
    pub user: Option<String>,
    pub password: Option<SecretRef>,
    /// File with the certificates of who signs the server's; left out: the well-known authorities.
    pub ca: Option<PathBuf>,
    #[schemars(default)]
    pub on: On,
    #[schemars(with = "Option<Vec<String>>")]
    pub runs: Vec<RunKind>,
}

/// One request to one address.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Webhook {
    /// What messages for it are listed under; left out: `webhook-1` and so on.
    #[schemars(with = "Option<String>")]
    pub name: String,
    /// Who knows the address of a chat's webhook can write to it: it is a secret.
    pub url: SecretRef,
    #[schemars(default)]
    pub method: Method,
    /// A text, or where a secret is.
    #[schemars(default)]
    pub headers: BTreeMap<String, Header>,
    /// A template in Jinja's language; left out: all there is to know, as JSON.
    pub body: Option<String>,
    /// File with the certificates of who signs the server's; left out: the well-known authorities.
    pub ca: Option<PathBuf>,
    #[schemars(default)]
    pub on: On,
    #[schemars(with = "Option<Vec<String>>")]
    pub runs: Vec<RunKind>,
}

/// The value of a header.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Header {
    Plain(String),
    Secret(SecretRef),
}

/// A check at a service in the manner of healthchecks: `/start`, nothing or `/fail` is put behind its address.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Ping {
    /// Such as `https://hc-ping.com/UUID`; who knows it can send pings: it is a secret.
    pub url: SecretRef,
    /// File with the certificates of who signs the server's; left out: the well-known authorities.
    pub ca: Option<PathBuf>,
    /// Left out: however a run ends, but for skipped ones.
    #[schemars(default)]
    pub on: On,
    /// Left out: backups alone, because a check is for one schedule.
    #[schemars(with = "Option<Vec<String>>")]
    pub runs: Vec<RunKind>,
}

/// What is told; left out: incomplete, failed, crashed, alert and recovered.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
pub struct On(pub Vec<Word>);

/// What the agent tells by itself; what is left out is not watched.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Alerts {
    /// No successful backup for so long, such as `26h`.
    #[schemars(with = "Option<String>")]
    pub no_success_for: Option<Duration>,
    /// No restore was proven for so long, such as `35d`.
    #[schemars(with = "Option<String>")]
    pub drill_overdue: Option<Duration>,
    /// The storage will be full within so long if it goes on like this, such as `14d`.
    #[schemars(with = "Option<String>")]
    pub storage_full_within: Option<Duration>,
    /// Less of the storage is free, such as `5%`.
    #[schemars(with = "Option<String>")]
    pub storage_free_below: Option<f64>,
    /// What goes on is told again after so long, such as `24h`; left out: it is told once.
    #[schemars(with = "Option<String>")]
    pub repeat: Option<Duration>,
}

pub(super) fn read(at: &At<'_>, privacy: &Privacy) -> Option<Notify> {
    let table = at.table(&["mail", "webhooks", "ping", "alerts"])?;
    let mail = optional(&table, "mail", |at| channels::mail(at, privacy));
    let webhooks = optional(&table, "webhooks", |at| channels::webhooks(at, privacy));
    let ping = optional(&table, "ping", |at| channels::ping(at, privacy));
    let alerts = optional(&table, "alerts", alerts);
    Some(Notify {
        mail: mail.ok()?,
        webhooks: webhooks.ok()?.unwrap_or_default(),
        ping: ping.ok()?,
        alerts: alerts.ok()?.unwrap_or_default(),
    })
}

fn alerts(at: &At<'_>) -> Option<Alerts> {
    let table = at.table(&[
        "no_success_for",
        "drill_overdue",
        "storage_full_within",
        "storage_free_below",
        "repeat",
    ])?;
    let time = |key| optional(&table, key, span);
    let (no_success_for, drill_overdue) = (time("no_success_for"), time("drill_overdue"));
    let (storage_full_within, repeat) = (time("storage_full_within"), time("repeat"));
    let storage_free_below = optional(&table, "storage_free_below", share);
    Some(Alerts {
        no_success_for: no_success_for.ok()?,
        drill_overdue: drill_overdue.ok()?,
        storage_full_within: storage_full_within.ok()?,
        storage_free_below: storage_free_below.ok()?,
        repeat: repeat.ok()?,
    })
}

/// A time that is long enough to be meant.
fn span(at: &At<'_>) -> Option<Duration> {
    let span = duration::keep(at)?;
    if span < Duration::from_mins(1) {
        at.complain("is less than a minute", "write it like 36h or 7d");
        return None;
    }
    Some(span)
}

fn share(at: &At<'_>) -> Option<f64> {
    let advice = "write it like 5%";
    if at.is_number() {
        at.complain("has no unit", advice);
        return None;
    }
    let share = at.text()?.strip_suffix('%').and_then(|text| text.trim().parse::<f64>().ok());
    let share = share.filter(|share| *share > 0.0 && *share < 100.0);
    if share.is_none() {
        at.complain("is not a share between 0% and 100%", advice);
    }
    share
}
