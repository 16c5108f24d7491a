//! Mail over SMTP, each recipient for itself: one that is refused keeps nobody else from being told.

use std::path::Path;
use std::time::{Duration, SystemTime};

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};

use super::http::is_loopback;
use super::letter::Letter;
use super::send::{Sent, Trouble, Veil};
use super::spec::{Encryption, MailSpec};
use crate::error::{Context, Error, Result};
use crate::sys::deadline::within;

/// Whether a text is an address that mail can be sent to, as in `a@example.com` or `Anna <a@example.com>`.
pub fn is_address(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// Whether a password may be sent to this server without encryption.
pub fn is_this_machine(server: &str) -> bool {
    is_loopback(server)
}

pub(super) fn send(spec: &MailSpec, letter: &Letter, patience: Duration, done: &mut Vec<String>) -> Sent {
    let mut veil = Veil::default();
    let transport = transport(spec, patience, &mut veil)?;
    let text = compose(spec, letter).map_err(|error| Trouble::Never(error.to_string()))?;
    let from = mailbox(&spec.from).map_err(|error| Trouble::Never(error.to_string()))?.email;
    let (mut answer, mut never, mut later) = ("nobody is left to be told".to_owned(), None, None);
    for to in &spec.to {
        if done.contains(to) {
            continue;
        }
        let envelope = mailbox(to).and_then(|to| Ok(Envelope::new(Some(from.clone()), vec![to.email])?));
        let envelope = envelope.map_err(|error| Trouble::Never(error.to_string()))?;
        let (transport, text) = (transport.clone(), text.clone());
        // A server that sends one byte at a time keeps within every single limit.
        match within(patience, "sending", move || transport.send_raw(&envelope, &text)) {
            Ok(Ok(response)) => {
                let words: Vec<&str> = response.message().collect();
                answer = veil.shown(&format!("{} {}", response.code(), words.join(" ")));
                done.push(to.clone());
            }
            Ok(Err(error)) if error.is_permanent() => {
                never.get_or_insert(format!("{to}: {}", veil.shown(&error.to_string())));
            }
            // It may be about this recipient alone.
            Ok(Err(error)) if error.is_transient() => {
                later.get_or_insert(format!("{to}: {}", veil.shown(&error.to_string())));
            }
            Ok(Err(error)) if !error.is_timeout() => {
                later.get_or_insert(format!("{}: {}", spec.server, veil.shown(&error.to_string())));
                break;
            }
            Ok(Err(_)) | Err(_) => {
                later.get_or_insert(format!("{}: no answer within {patience:.0?}", spec.server));
                break;
            }
        }
    }
    match (later, never) {
        (Some(why), _) => Err(Trouble::later(why)),
        (None, Some(why)) => Err(Trouble::Never(why)),
        (None, None) => Ok(answer),
    }
}

fn mailbox(text: &str) -> Result<Mailbox> {
    text.parse().map_err(|_| Error::usage(format!("{text:?} is not a mail address")))
}

fn transport(spec: &MailSpec, patience: Duration, veil: &mut Veil) -> Result<SmtpTransport> {
    let parameters = || {
        let mut builder = TlsParameters::builder(spec.server.clone());
        if let Some(ca) = &spec.ca {
            builder = builder.certificate_store(CertificateStore::None).add_root_certificate(authority(ca)?);
        }
        builder.build().with_context(|| format!("prepare TLS to {}", spec.server))
    };
    let tls = match spec.encryption {
        Encryption::Starttls => Tls::Required(parameters()?),
        Encryption::Tls => Tls::Wrapper(parameters()?),
        Encryption::None => Tls::None,
    };
    let mut builder = SmtpTransport::builder_dangerous(spec.server.clone())
        .port(spec.port)
        .tls(tls)
        .timeout(Some(patience));
    if let Some((user, password)) = &spec.login {
        if spec.encryption == Encryption::None && !is_this_machine(&spec.server) {
            return Err(Error::usage(format!("{} would be sent a password without encryption", spec.server)));
        }
        let password = password.fetch()?;
        veil.over(&password);
        let together = format!("\0{user}\0{}", password.reveal());
        for text in [password.reveal(), &together] {
            veil.add(&base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text));
        }
        builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
    }
    Ok(builder.build())
}

fn authority(ca: &Path) -> Result<Certificate> {
    let pem = std::fs::read(ca).with_context(|| format!("read the authorities in {}", ca.display()))?;
    Certificate::from_pem(&pem).with_context(|| format!("read the authorities in {}", ca.display()))
}

fn compose(spec: &MailSpec, letter: &Letter) -> Result<Vec<u8>> {
    let from = mailbox(&spec.from)?;
    // Made of the letter's id, so that a repeat is recognised as one.
    let id = format!("<{}@{}>", letter.id, from.email.domain());
    let mut builder = Message::builder()
        .from(from)
        .subject(format!("[lifeboat] {}", letter.title))
        .message_id(Some(id))
        .date(SystemTime::from(letter.at))
        .header(ContentType::TEXT_PLAIN);
    for to in &spec.to {
        builder = builder.to(mailbox(to)?);
    }
    // No answering machine is to answer.
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    builder = builder.raw_header(HeaderValue::new(name, "auto-generated".to_owned()));
    Ok(builder.body(letter.text.clone()).context("compose the mail")?.formatted())
}
