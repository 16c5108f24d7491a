//! All routes, each with what it asks of callers, behind one guard.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{get, post};
use axum::{Router, middleware};

use super::guard::{Rule, Rules, guard};
use super::office::Shared;
use super::problem::Problem;
use super::{page, rest};

/// The largest document that is taken, in bytes.
const LARGEST: usize = 1 << 20;

/// Routes that cannot be without a rule.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<Shared>,
    rules: Rules,
}

impl Routes {
    /// Routes whose rules are written down elsewhere.
    pub(super) fn new(router: Router<Shared>, rules: Rules) -> Self {
        Self { router, rules }
    }

    pub(super) fn get<H: Handler<T, Shared>, T: 'static>(
        mut self,
        path: &str,
        rule: Rule,
        handler: H,
    ) -> Self {
        self.rules.add(&Method::GET, path, rule);
        Self { router: self.router.route(path, get(handler)), ..self }
    }

    pub(super) fn post<H: Handler<T, Shared>, T: 'static>(
        mut self,
        path: &str,
        rule: Rule,
        handler: H,
    ) -> Self {
        self.rules.add(&Method::POST, path, rule);
        Self { router: self.router.route(path, post(handler)), ..self }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self { router: self.router.merge(other.router), rules: self.rules.and(other.rules) }
    }
}

/// Everything that is answered.
pub(super) fn router(office: &Shared) -> Router {
    let all = rest::routes().and(page::routes());
    let rules = Arc::new(all.rules);
    all.router
        .fallback(|| async { Problem::not_found("there is no such route") })
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(middleware::from_fn_with_state((Arc::clone(office), rules), guard))
        .with_state(Arc::clone(office))
}
