//! What a client sends is read to its end, also when it was refused: one that still sends would not hear the answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};

/// As much is read that nobody wants, in bytes, and for so long.
const MOST: usize = 8 << 20;
const LONGEST: Duration = Duration::from_secs(5);

/// The body of a request; whatever nobody read of it is read by itself when it is dropped.
pub(super) struct ToItsEnd(Option<Incoming>);

impl ToItsEnd {
    pub(super) fn new(body: Incoming) -> Self {
        Self(Some(body))
    }
}

impl HttpBody for ToItsEnd {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.0.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for ToItsEnd {
    fn drop(&mut self) {
        if let Some(body) = self.0.take().filter(|body| !body.is_end_stream()) {
            // That it takes too long, or breaks off, is the client's loss.
            tokio::spawn(tokio::time::timeout(LONGEST, read(body)));
        }
    }
}

async fn read(mut body: Incoming) {
    let mut size = 0;
    while let Some(Ok(frame)) = body.frame().await {
        size += frame.data_ref().map_or(0, Bytes::len);
        if size > MOST {
            return;
        }
    }
}
