//! From what was asked to what is told: secrets stay where they are until something is sent.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::super::{Config, SecretRef};
use super::{Alerts, Header, Mail, Webhook};
use crate::error::Result;
use crate::notify::{AlertSpec, Channel, Hidden, MailSpec, Means, NotifySpec, PingSpec, Value, WebhookSpec};

impl Config {
    /// Who is told about this site's runs; `file` is the configuration that messages name.
    pub fn notify_spec(&self, file: &Path) -> Result<NotifySpec> {
        let mut channels = Vec::new();
        if let Some(mail) = &self.notify.mail {
            channels.push(mail_channel(mail));
        }
        for (number, webhook) in self.notify.webhooks.iter().enumerate() {
            channels.push(webhook_channel(webhook, number));
        }
        if let Some(ping) = &self.notify.ping {
            channels.push(Channel {
                name: "ping".to_owned(),
                on: ping.on.0.clone(),
                runs: ping.runs.clone(),
                means: Means::Ping(PingSpec {
                    url: hidden(&ping.url, "notify.ping.url".to_owned()),
                    ca: ping.ca.clone(),
                }),
            });
        }
        let alerts = alerts(&self.notify.alerts);
        let (zone, config) = (self.time_zone()?, file.to_owned());
        Ok(NotifySpec { channels, alerts, zone, config, patience: NotifySpec::PATIENCE })
    }
}

/// Enough to try a template with.
pub(super) fn bare() -> NotifySpec {
    NotifySpec {
        channels: Vec::new(),
        alerts: AlertSpec::default(),
        zone: TimeZone::UTC,
        config: PathBuf::from("/etc/lifeboat/lifeboat.yaml"),
        patience: NotifySpec::PATIENCE,
    }
}

fn mail_channel(mail: &Mail) -> Channel {
    let password = mail.password.as_ref().map(|password| hidden(password, "notify.mail.password".to_owned()));
    let spec = MailSpec {
        to: mail.to.clone(),
        from: mail.from.clone(),
        server: mail.server.clone(),
        port: mail.port,
        encryption: mail.encryption,
        login: mail.user.clone().zip(password),
        ca: mail.ca.clone(),
    };
    Channel {
        name: "mail".to_owned(),
        on: mail.on.0.clone(),
        runs: mail.runs.clone(),
        means: Means::Mail(spec),
    }
}

fn webhook_channel(webhook: &Webhook, number: usize) -> Channel {
    let key = |rest: &str| format!("notify.webhooks[{number}].{rest}");
    let value = |name: &str, header: &Header| match header {
        Header::Plain(text) => Value::Plain(text.clone()),
        Header::Secret(secret) => Value::Hidden(hidden(secret, key(&format!("headers.{name}")))),
    };
    let headers = webhook.headers.iter().map(|(name, header)| (name.clone(), value(name, header))).collect();
    let spec = WebhookSpec {
        url: hidden(&webhook.url, key("url")),
        method: webhook.method,
        headers,
        body: webhook.body.clone(),
        ca: webhook.ca.clone(),
    };
    Channel {
        name: webhook.name.clone(),
        on: webhook.on.0.clone(),
        runs: webhook.runs.clone(),
        means: Means::Webhook(spec),
    }
}

fn hidden(secret: &SecretRef, key: String) -> Hidden {
    let secret = secret.clone();
    Hidden::new(move || secret.resolve(&key))
}

const fn alerts(alerts: &Alerts) -> AlertSpec {
    let Alerts { no_success_for, drill_overdue, storage_full_within, storage_free_below, repeat } = *alerts;
    AlertSpec { no_success_for, drill_overdue, storage_full_within, storage_free_below, repeat }
}
