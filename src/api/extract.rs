//! Parts of a request, with problem documents for what cannot be understood.

use axum::Form as RawForm;
use axum::body::Bytes;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

use super::guard::Caller;
use super::problem::Problem;

/// The JSON document in a request's body.
pub(super) struct Json<T>(pub(super) T);

/// What a request asks for behind the `?`.
pub(super) struct Asked<T>(pub(super) T);

/// The names in a request's path.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(of_json(&rejection)),
        }
    }
}

/// What was filled in on one of our pages: its field `csrf` must be the session's.
pub(super) struct Form<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        #[derive(serde::Deserialize)]
        struct Csrf {
            #[serde(default)]
            csrf: String,
        }
        let caller = request.extensions().get::<Caller>().cloned();
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| Problem::bad_request(rejection.status(), rejection.body_text()))?;
        let unreadable = |error: axum::extract::rejection::FormRejection| {
            Problem::bad_request(StatusCode::UNPROCESSABLE_ENTITY, error.body_text())
        };
        let form = |body: Bytes| {
            let mut request = Request::new(body.into());
            *request.method_mut() = Method::POST;
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
            request
        };
        let RawForm::<Csrf>(said) =
            RawForm::from_request(form(body.clone()), state).await.map_err(unreadable)?;
        // With a token instead of a session there is no browser that could be misled.
        let sure = caller.is_some_and(|caller| {
            caller.csrf.is_none_or(|csrf| csrf.as_bytes().ct_eq(said.csrf.as_bytes()).into())
        });
        if !sure {
            return Err(Problem::forbidden("this form did not come from a page of this agent")
                .with_remedy("load the page anew and try again"));
        }
        let RawForm::<T>(value) = RawForm::from_request(form(body), state).await.map_err(unreadable)?;
        Ok(Self(value))
    }
}

fn of_json(rejection: &JsonRejection) -> Problem {
    // Fields that are missing or of another kind and text that is no JSON are the same mistake to a caller.
    let status = match rejection.status() {
        StatusCode::BAD_REQUEST => StatusCode::UNPROCESSABLE_ENTITY,
        other => other,
    };
    Problem::bad_request(status, rejection.body_text())
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        found.map(|Query(value)| Self(value)).map_err(|rejection| {
            Problem::bad_request(StatusCode::UNPROCESSABLE_ENTITY, rejection.body_text())
        })
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        found.map(|Path(value)| Self(value)).map_err(|rejection| Problem::not_found(rejection.body_text()))
    }
}
