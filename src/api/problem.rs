//! Errors as RFC 9457 problem documents.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Kind};

/// What went wrong, of which kind, and what to do about it.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Problem(Box<Told>);

/// The document.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Told {
    /// A name for the kind of problem, such as `tag:lifeboat,2026:locked`.
    #[serde(rename = "type")]
    kind: String,
    /// The same in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened, for people.
    detail: String,
    /// What can be done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    /// Each mistake in a document that was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Mistake>,
    #[serde(skip)]
    retry_after: Option<u64>,
    /// Methods that there are.
    #[serde(skip)]
    allow: Option<String>,
}

/// One mistake in a document.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Mistake {
    /// Where it is, such as `schedule.backup`.
    pub(super) path: String,
    pub(super) text: String,
    pub(super) remedy: String,
}

pub(super) type Answer<T> = Result<T, Problem>;

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self(Box::new(Told {
            kind: format!("tag:lifeboat,2026:{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            remedy: None,
            problems: Vec::new(),
            retry_after: None,
            allow: None,
        }))
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Who asks?", "this needs a token that is valid")
            .with_remedy("make one with `lifeboat token add`, and send it as `Authorization: Bearer TOKEN`")
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }

    pub(super) fn wrong_method(allowed: &str) -> Self {
        let detail = format!("here one can {allowed}");
        let mut problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "Not with this method", detail);
        problem.0.allow = Some(allowed.to_owned());
        problem
    }

    pub(super) fn too_many(detail: impl Into<String>, seconds: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "Too much at once", detail)
            .with_retry_after(seconds.max(1))
    }

    pub(super) fn bad_request(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::new(status, "bad-request", "The request cannot be understood", detail)
    }

    pub(super) fn overdue() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "overdue",
            "It took too long",
            "there was no answer in time",
        )
        .with_retry_after(5)
    }

    pub(super) fn of_document(mistakes: Vec<Mistake>) -> Self {
        let detail = "the configuration is not accepted, and nothing is changed";
        let mut problem =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "configuration", "Not a configuration", detail);
        problem.0.problems = mistakes;
        problem
    }

    fn with_retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    #[must_use]
    pub(super) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// The kind of an error of ours by its name, as processes print it.
    pub(super) fn of_kind(kind: &str, message: impl Into<String>, remedy: Option<String>) -> Self {
        let (status, title) = match kind {
            "usage" => (StatusCode::UNPROCESSABLE_ENTITY, "Not possible as asked"),
            "not-found" => (StatusCode::NOT_FOUND, "There is no such thing"),
            "locked" => (StatusCode::CONFLICT, "Somebody else is at it"),
            "no-repository" => (StatusCode::CONFLICT, "There is no repository"),
            "wrong-password" => (StatusCode::CONFLICT, "The password does not open the repository"),
            "skipped" => (StatusCode::CONFLICT, "A hook asked for it to be left out"),
            "changed" => (StatusCode::CONFLICT, "It changed meanwhile"),
            "cancelled" => (StatusCode::SERVICE_UNAVAILABLE, "Cancelled"),
            _ => (StatusCode::BAD_GATEWAY, "It did not work"),
        };
        let mut problem = Self::new(status, kind, title, message);
        problem.0.remedy = remedy;
        problem
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(super) fn title(&self) -> &str {
        &self.0.title
    }

    pub(super) fn detail(&self) -> &str {
        &self.0.detail
    }

    pub(super) fn remedy(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }

    pub(super) fn mistakes(&self) -> &[Mistake] {
        &self.0.problems
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            Kind::Failed => "failed",
            Kind::NotFound => "not-found",
            Kind::Usage => "usage",
            Kind::NoRepository => "no-repository",
            Kind::Locked => "locked",
            Kind::WrongPassword => "wrong-password",
            Kind::Changed => "changed",
            Kind::Skipped => "skipped",
            Kind::Cancelled => "cancelled",
        };
        Self::of_kind(kind, error.to_string(), error.remedy().map(str::to_owned))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, body) = (self.status(), serde_json::to_vec(&self).unwrap_or_default());
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"lifeboat\""));
        }
        if let Some(allow) = self.0.allow.as_ref().and_then(|allow| HeaderValue::try_from(allow).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // For whoever would rather show it as a page.
        response.extensions_mut().insert(self);
        response
    }
}
