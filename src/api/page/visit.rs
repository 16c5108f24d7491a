//! A request for a page of a site: whose it is, which site, and on which clocks its times are shown.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::response::Redirect;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::words::Clock;
use crate::access::Scope;
use crate::agent::Card;
use crate::api::guard::Caller;
use crate::api::office::{Shared, config_of};
use crate::api::problem::{Answer, Problem};
use crate::config::Config;

/// Whoever looks at pages.
#[derive(Clone)]
pub(super) struct Visitor(pub(super) Caller);

/// The same at one site.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) office: Shared,
    pub(super) visitor: Visitor,
    pub(super) card: Card,
    /// As it was accepted; it may not be readable any more.
    pub(super) config: Answer<Config>,
    pub(super) clock: Clock,
}

impl Visitor {
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.0.may(scope)
    }

    /// What a form needs to be taken for ours.
    pub(super) fn csrf(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(self.0.csrf.as_deref().unwrap_or_default()); }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        parts.extensions.get::<Caller>().cloned().map(Self).ok_or_else(Problem::unauthorized)
    }
}

impl FromRequestParts<Shared> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, office: &Shared) -> Answer<Self> {
        let visitor = Visitor::from_request_parts(parts, office).await?;
        let names = RawPathParams::from_request_parts(parts, office)
            .await
            .map_err(|rejection| Problem::not_found(rejection.body_text()))?;
        let site =
            names.iter().find_map(|(name, value)| (name == "site").then_some(value)).unwrap_or_default();
        let card = office.card(site)?;
        let config = config_of(&card);
        let clock = clock(&config);
        Ok(Self { office: office.clone(), visitor, card, config, clock })
    }
}

/// The clocks of a site; those of Greenwich if nobody can say.
pub(super) fn clock(config: &Answer<Config>) -> Clock {
    let zone = config.as_ref().ok().and_then(|config| config.time_zone().ok()).unwrap_or(TimeZone::UTC);
    Clock { zone, now: Timestamp::now() }
}

impl Visit {
    pub(super) fn site(&self) -> &str {
        &self.card.name
    }

    /// The address of a page of this site, from what stands behind its name.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/sites/{}{rest}", encoded(&self.card.name))
    }

    /// The address of an answer about this site.
    pub(super) fn answer(&self, rest: &str) -> String {
        format!("/v1/sites/{}{rest}", encoded(&self.card.name))
    }

    /// After something was done: where to look at it.
    pub(super) fn go(&self, rest: &str) -> Redirect {
        Redirect::to(&self.path(rest))
    }

    pub(super) fn may(&self, scope: Scope) -> bool {
        self.visitor.may(scope)
    }

    pub(super) fn csrf(&self) -> Markup {
        self.visitor.csrf()
    }
}

/// What stands in an address as it is.
const AS_IT_IS: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Text as a part of an address.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, AS_IT_IS).to_string()
}
