//! Reads the ways to tell: mail, webhooks and ping.

use std::collections::{BTreeMap, BTreeSet};

use super::super::host;
use super::super::secret::{self, Privacy, SecretRef};
use super::super::walk::{At, Table, optional};
use super::{Header, Mail, On, Ping, Webhook};
use crate::event::RunKind;
use crate::notify::{
    Encryption, Method, Word, check_template, check_url, is_address, is_header_name, is_header_value,
    is_this_machine,
};

const KINDS: [RunKind; 6] =
    [RunKind::Backup, RunKind::Restore, RunKind::Forget, RunKind::Check, RunKind::Recover, RunKind::Drill];

/// A name that could be one of these belongs to `mail` and `ping`.
const TAKEN: [&str; 2] = ["mail", "ping"];

/// More are not written by hand.
const MOST: usize = 20;

pub(super) fn mail(at: &At<'_>, privacy: &Privacy) -> Option<Mail> {
    let keys = ["to", "from", "server", "port", "encryption", "user", "password", "ca", "on", "runs"];
    let table = at.table(&keys)?;
    let to = table
        .need("to", "write who gets the mail, such as [admin@example.com]")
        .and_then(|at| recipients(&at));
    let from = table.need("from", "write who it comes from, such as backup@example.com");
    let from = from.and_then(|at| address(&at));
    let server = table.need("server", "write the name of the mail server, such as mail.example.com");
    let server = server.and_then(|at| server_name(&at));
    let ways = [("starttls", Encryption::Starttls), ("tls", Encryption::Tls), ("none", Encryption::None)];
    let encryption = optional(&table, "encryption", |at| at.choice(&ways, "use starttls, tls or none"));
    let port =
        optional(&table, "port", |at| at.whole_number(1..=65_535, "write the port alone, such as 587"));
    let user = optional(&table, "user", |at| at.text().map(str::to_owned));
    let password = optional(&table, "password", |at| secret::read(at, privacy));
    let ca = optional(&table, "ca", At::absolute_path);
    let (on, runs) = (on(&table, &Word::ALL, &Word::USUAL), runs(&table, &KINDS));
    let (user, password, encryption) = (user.ok()?, password.ok()?, encryption.ok()?.unwrap_or_default());
    if user.is_some() != password.is_some() {
        at.complain("has one of user and password", "write both, or none if the server asks for no login");
        return None;
    }
    let server = server?;
    if encryption == Encryption::None && password.is_some() && !is_this_machine(&server) {
        at.complain(
            "would send the password without encryption",
            "use encryption: starttls or tls, or leave out user and password",
        );
        return None;
    }
    let usual = match encryption {
        Encryption::Starttls => 587,
        Encryption::Tls => 465,
        Encryption::None => 25,
    };
    Some(Mail {
        to: to?,
        from: from?,
        server,
        port: port.ok()?.map_or(Some(usual), |port| u16::try_from(port).ok())?,
        encryption,
        user,
        password,
        ca: ca.ok()?,
        on: on?,
        runs: runs?,
    })
}

fn recipients(at: &At<'_>) -> Option<Vec<String>> {
    let items = at.list()?;
    if items.is_empty() || items.len() > MOST {
        at.complain(
            format!("must name 1 to {MOST} addresses"),
            "write them as a list, such as [admin@example.com]",
        );
        return None;
    }
    let to: Vec<_> = items.iter().filter_map(address).collect();
    (to.len() == items.len()).then_some(to)
}

fn address(at: &At<'_>) -> Option<String> {
    let text = at.text()?;
    if !is_address(text) {
        at.complain("is not a mail address", "write it like admin@example.com or Anna <anna@example.com>");
        return None;
    }
    Some(text.to_owned())
}

fn server_name(at: &At<'_>) -> Option<String> {
    let server = at.text()?;
    if !host::is_host(server) {
        at.complain(
            "is not a host name or address",
            "write it without a scheme or port, such as mail.example.com",
        );
        return None;
    }
    Some(server.to_owned())
}

pub(super) fn webhooks(at: &At<'_>, privacy: &Privacy) -> Option<Vec<Webhook>> {
    let items = at.list()?;
    if items.len() > MOST {
        at.complain(format!("has more than {MOST} entries"), "remove some of them");
        return None;
    }
    let mut names = BTreeSet::new();
    let mut hooks = Vec::new();
    for (number, item) in (1..).zip(&items) {
        let Some(hook) = webhook(item, number, privacy) else { continue };
        if !names.insert(hook.name.clone()) {
            item.complain(
                format!("has the name {} of another one", hook.name),
                "give each a name of its own",
            );
            continue;
        }
        hooks.push(hook);
    }
    (hooks.len() == items.len()).then_some(hooks)
}

fn webhook(at: &At<'_>, number: usize, privacy: &Privacy) -> Option<Webhook> {
    let table = at.table(&["name", "url", "method", "headers", "body", "ca", "on", "runs"])?;
    let url = table.need("url", "write where the address is, such as {file: /etc/lifeboat/chat.url}");
    let url = url.and_then(|at| url_of(&at, privacy));
    let name = optional(&table, "name", name);
    let methods = [("POST", Method::Post), ("PUT", Method::Put)];
    let method = optional(&table, "method", |at| at.choice(&methods, "use POST or PUT"));
    let headers = optional(&table, "headers", |at| headers(at, privacy));
    let ca = optional(&table, "ca", At::absolute_path);
    let (on, runs) = (on(&table, &Word::ALL, &Word::USUAL), runs(&table, &KINDS));
    let headers = headers.ok()?.unwrap_or_default();
    let body = optional(&table, "body", |at| body(at, &headers));
    Some(Webhook {
        name: name.ok()?.unwrap_or_else(|| format!("webhook-{number}")),
        url: url?,
        method: method.ok()?.unwrap_or_default(),
        body: body.ok()?,
        headers,
        ca: ca.ok()?,
        on: on?,
        runs: runs?,
    })
}

fn name(at: &At<'_>) -> Option<String> {
    let name = at.text()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.len() > 40 || !name.bytes().all(plain) || name.starts_with(['.', '-']) || TAKEN.contains(&name) {
        at.complain("cannot be the name of a webhook", "use letters, digits and dashes, such as team-chat");
        return None;
    }
    Some(name.to_owned())
}

/// Where an address is; one that is written out is looked at.
fn url_of(at: &At<'_>, privacy: &Privacy) -> Option<SecretRef> {
    let url = secret::read(at, privacy)?;
    if let SecretRef::Literal(text) = &url
        && let Err(why) = check_url(text.reveal())
    {
        at.complain(
            format!("cannot be used: {why}"),
            "write the whole address, such as https://chat.example.com/hook",
        );
        return None;
    }
    Some(url)
}

fn headers(at: &At<'_>, privacy: &Privacy) -> Option<BTreeMap<String, Header>> {
    // Their names are free: what is wrong with them is said below.
    let table = at.peek(&["Content-Type", "Authorization"])?;
    let (mut headers, mut count) = (BTreeMap::new(), 0);
    for name in table.keys() {
        count += 1;
        let Some(value) = table.get(name) else { continue };
        if headers.keys().any(|known: &String| known.eq_ignore_ascii_case(name)) {
            value.complain("is there a second time", "remove one of the two");
        } else if !is_header_name(name) || count > MOST {
            value.complain("cannot be set", "remove it: the connection's own headers are set already");
        } else if let Some(header) = header(&value, name, privacy) {
            headers.insert(name.to_owned(), header);
        }
    }
    (headers.len() == count).then_some(headers)
}

fn header(at: &At<'_>, name: &str, privacy: &Privacy) -> Option<Header> {
    let name = name.to_ascii_lowercase();
    let telling = ["auth", "token", "key", "secret", "cookie", "password"];
    if at.is_map() || telling.iter().any(|word| name.contains(word)) {
        return secret::read(at, privacy).map(Header::Secret);
    }
    let text = at.text()?;
    if !is_header_value(text) {
        at.complain("has letters that no header may have", "write it in ASCII");
        return None;
    }
    Some(Header::Plain(text.to_owned()))
}

fn body(at: &At<'_>, headers: &BTreeMap<String, Header>) -> Option<String> {
    let body = at.lines()?;
    let kind = headers.iter().find_map(|(name, value)| match value {
        Header::Plain(text) if name.eq_ignore_ascii_case("content-type") => Some(text.as_str()),
        _ => None,
    });
    if let Err(why) = check_template(body, kind, &super::spec::bare()) {
        let remedy = if why.starts_with("undefined value") {
            "use names that are always there: title, text, event, level, site, host, time, command, error, ..."
        } else {
            "write it like {\"text\": {{ title | tojson }}}, where tojson brings the quotes"
        };
        at.complain(format!("is not a template that works: {why}"), remedy);
        return None;
    }
    Some(body.to_owned())
}

pub(super) fn ping(at: &At<'_>, privacy: &Privacy) -> Option<Ping> {
    let table = at.table(&["url", "ca", "on", "runs"])?;
    let url = table.need("url", "write where the check's address is, such as {file: /etc/lifeboat/ping.url}");
    let url = url.and_then(|at| url_of(&at, privacy));
    let ca = optional(&table, "ca", At::absolute_path);
    // Alerts and recoveries are for the service to find out.
    let ends: Vec<Word> =
        Word::ALL.into_iter().filter(|word| !matches!(word, Word::Alert | Word::Recovered)).collect();
    let usual: Vec<Word> = ends.iter().copied().filter(|word| *word != Word::Skipped).collect();
    let (on, runs) = (on(&table, &ends, &usual), runs(&table, &[RunKind::Backup]));
    Some(Ping { url: url?, ca: ca.ok()?, on: on?, runs: runs? })
}

fn on(table: &Table<'_>, words: &[Word], usual: &[Word]) -> Option<On> {
    let choices: Vec<_> = words.iter().map(|word| (word.name(), *word)).collect();
    chosen(table, "on", &choices, usual).map(On)
}

fn runs(table: &Table<'_>, usual: &[RunKind]) -> Option<Vec<RunKind>> {
    let choices = KINDS.map(|kind| (kind.name(), kind));
    chosen(table, "runs", &choices, usual)
}

fn chosen<T: Clone>(table: &Table<'_>, key: &str, choices: &[(&str, T)], usual: &[T]) -> Option<Vec<T>> {
    let Some(at) = table.get(key) else { return Some(usual.to_vec()) };
    let items = at.list()?;
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    let otherwise = format!("use {}", words.join(", "));
    let found: Vec<T> = items.iter().filter_map(|item| item.choice(choices, &otherwise)).collect();
    (found.len() == items.len()).then_some(found)
}
