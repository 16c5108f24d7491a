//! Style, script and icon: constants of this program, so that nothing is fetched from elsewhere.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::api::problem::{Answer, Problem};

pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("style.css", "text/css; charset=utf-8", include_str!("assets/style.css")));

pub(super) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("app.js", "text/javascript; charset=utf-8", include_str!("assets/app.js")));

pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")));

pub(super) struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
    /// Another one with another content.
    version: String,
}

impl Asset {
    fn new(name: &'static str, kind: &'static str, text: &'static str) -> Self {
        let mut version = String::new();
        for byte in Sha256::digest(text.as_bytes()).iter().take(8) {
            // Writing to memory cannot fail.
            let _ = write!(version, "{byte:02x}");
        }
        Self { name, kind, text, version }
    }

    /// Where it is, for as long as its content is this.
    pub(super) fn address(&self) -> String {
        format!("/assets/{}?v={}", self.name, self.version)
    }
}

pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Answer<Response> {
    let all = [&*STYLE, &*SCRIPT, &*ICON];
    let found = all.into_iter().find(|asset| asset.name == name);
    let asset = found.ok_or_else(|| Problem::not_found("there is no such file"))?;
    let tag = format!("\"{}\"", asset.version);
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|said| said.as_bytes() == tag.as_bytes());
    let head = [
        (header::CONTENT_TYPE, asset.kind.to_owned()),
        // Its address changes with its content.
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (header::ETAG, tag),
    ];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    Ok((head, asset.text).into_response())
}
