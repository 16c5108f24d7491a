//! `lifeboat token`.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;

use super::args::{NewToken, Token, TokenFile};
use super::output::table;
use super::{Done, SUCCESS, Session};
use crate::access::{Known, Scopes, Tokens};

/// A token without anything by which one could use it.
#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    name: &'a str,
    scopes: &'a Scopes,
    created: Timestamp,
    expires: Option<Timestamp>,
    expired: bool,
}

pub(super) fn token(session: &Session<'_>, action: &Token) -> Done {
    match action {
        Token::Add(new) => add(session, new),
        Token::List(file) => list(session, file),
        Token::Revoke { token, file } => {
            let gone = Tokens::revoke(&file.tokens, token)?;
            session.output.result(SUCCESS, &json!({ "revoked": gone.id, "name": gone.name }), |out| {
                writeln!(out, "{} ({}) lets in no more, from this moment on", gone.name, gone.id)
            })
        }
    }
}

fn add(session: &Session<'_>, new: &NewToken) -> Done {
    let now = Timestamp::now();
    let expires = new.expires.map(|within| within.after(now, &TimeZone::UTC));
    let scopes = Scopes::new(new.scope.iter().copied());
    let made = Tokens::add(&new.file.tokens, &new.name, scopes, expires, now)?;
    let document = json!({ "id": made.known.id, "name": made.known.name, "token": made.text.reveal() });
    session.output.result(SUCCESS, &document, |out| {
        writeln!(out, "{}", made.text.reveal())?;
        writeln!(out, "allows: {}. It is shown this once and kept nowhere.", made.known.scopes)
    })
}

fn list(session: &Session<'_>, file: &TokenFile) -> Done {
    let tokens = Tokens::read(&file.tokens)?;
    let now = Timestamp::now();
    let listed: Vec<Listed<'_>> = tokens.list().iter().map(|known| Listed::of(known, now)).collect();
    session.output.result(SUCCESS, &listed, |out| {
        if listed.is_empty() {
            return writeln!(
                out,
                "there are no tokens: make one with `lifeboat token add NAME --scope read`"
            );
        }
        let rows = listed.iter().map(|token| {
            let end = match token.expires {
                Some(end) if token.expired => format!("expired {end:.0}"),
                Some(end) => format!("until {end:.0}"),
                None => String::new(),
            };
            vec![
                token.id.to_owned(),
                token.name.to_owned(),
                token.scopes.to_string(),
                format!("{:.0}", token.created),
                end,
            ]
        });
        writeln!(out, "{}", table(&["ID", "Name", "Allows", "Made", ""], &[], rows))
    })
}

impl<'a> Listed<'a> {
    fn of(known: &'a Known, now: Timestamp) -> Self {
        Self {
            id: &known.id,
            name: &known.name,
            scopes: &known.scopes,
            created: known.created,
            expires: known.expires,
            expired: known.expires.is_some_and(|end| end <= now),
        }
    }
}
