//! Whether a request was read to its end before it was answered. After one that was not, the connection cannot be used
//! again, and its client has to be told with the answer: it would send the next request into a connection that closes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};

/// A body that remembers whether it was read.
pub(crate) struct Watched<B> {
    body: B,
    ended: Arc<AtomicBool>,
}

/// What became of a body that was given away.
pub(crate) struct Reading(Arc<AtomicBool>);

impl Reading {
    /// Nothing of it is left.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<B: Body> Watched<B> {
    /// The body, and who knows later whether it was read.
    pub(crate) fn new(body: B) -> (Self, Reading) {
        let ended = Arc::new(AtomicBool::new(body.is_end_stream()));
        let reading = Reading(Arc::clone(&ended));
        (Self { body, ended }, reading)
    }
}

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
