//! Who is logged in with a browser. Known to this process alone: after a restart people log in again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Without a request for so long one is logged out.
const IDLE: Duration = Duration::from_mins(30);

/// And after so long in any case.
const LONGEST: Duration = Duration::from_hours(12);

/// More do not fit; the one that was idle longest goes.
const MOST: usize = 256;

pub(super) const COOKIE: &str = "lifeboat";

#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

struct Session {
    token: String,
    csrf: String,
    begun: Instant,
    used: Instant,
}

/// Somebody who is logged in.
pub(super) struct Visitor {
    /// The id of the token with which they logged in.
    pub(super) token: String,
    /// Has to come with whatever changes something.
    pub(super) csrf: String,
}

impl Sessions {
    /// Logs somebody in; the content of the cookie.
    pub(super) fn begin(&self, token: &str, now: Instant) -> String {
        let cookie = random();
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.lives(now));
        if sessions.len() >= MOST
            && let Some(idle) = sessions.iter().min_by_key(|(_, session)| session.used).map(|(key, _)| *key)
        {
            sessions.remove(&idle);
        }
        let session = Session { token: token.to_owned(), csrf: random(), begun: now, used: now };
        sessions.insert(key(&cookie), session);
        cookie
    }

    /// Whose cookie this is. Looked up by its hash, so that nothing can be learnt from how long it takes.
    pub(super) fn find(&self, cookie: &str, now: Instant) -> Option<Visitor> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get_mut(&key(cookie)).filter(|session| session.lives(now))?;
        session.used = now;
        Some(Visitor { token: session.token.clone(), csrf: session.csrf.clone() })
    }

    pub(super) fn end(&self, cookie: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(cookie));
    }
}

impl Session {
    fn lives(&self, now: Instant) -> bool {
        now.duration_since(self.used) < IDLE && now.duration_since(self.begun) < LONGEST
    }
}

impl Visitor {
    pub(super) fn is_sure(&self, csrf: &str) -> bool {
        self.csrf.as_bytes().ct_eq(csrf.as_bytes()).into()
    }
}

fn key(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie.as_bytes()).into()
}

fn random() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_nobody_uses_it_and_after_half_a_day_anyway() {
        let sessions = Sessions::default();
        let now = Instant::now();
        let cookie = sessions.begin("t", now);
        let visitor = sessions.find(&cookie, now).unwrap();
        assert!(visitor.is_sure(&visitor.csrf) && !visitor.is_sure("") && !visitor.is_sure(&cookie));
        assert!(sessions.find(&cookie, now + IDLE).is_none());
        let mut at = now;
        while at.duration_since(now) < LONGEST {
            assert!(sessions.find(&cookie, at).is_some());
            at += IDLE / 2;
        }
        assert!(sessions.find(&cookie, at).is_none());
        let other = sessions.begin("t", now);
        sessions.end(&other);
        assert!(sessions.find(&other, now).is_none() && sessions.find("", now).is_none());
    }
}
