//! Connections that are closed only when what the other side has still been sending was read. One that is closed with
//! something unread is reset, and the last answer on it can be lost: who sent too much would not learn that it was too
//! much.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How many bytes are read to no purpose.
const MOST: usize = 4 * 1024 * 1024;

/// A connection whose end waits, within bounds, for the other side's.
pub(crate) struct Lingering<S> {
    stream: S,
    longest: Duration,
    end: Option<End>,
}

/// What is left of the time and the bytes, once nothing more is written.
struct End {
    time: Pin<Box<Sleep>>,
    bytes: usize,
}

impl<S> Lingering<S> {
    /// The end waits for at most `longest`.
    pub(crate) const fn new(stream: S, longest: Duration) -> Self {
        Self { stream, longest, end: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, longest, end } = &mut *self;
        if end.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
        }
        let end = end.get_or_insert_with(|| End { time: Box::pin(sleep(*longest)), bytes: MOST });
        while end.bytes > 0 && end.time.as_mut().poll(cx).is_pending() {
            let mut space = [0; 4096];
            let mut scrap = ReadBuf::new(&mut space);
            let read = ready!(Pin::new(&mut *stream).poll_read(cx, &mut scrap));
            // Where the other side has gone, nobody is left to lose an answer.
            if read.is_err() || scrap.filled().is_empty() {
                break;
            }
            end.bytes = end.bytes.saturating_sub(scrap.filled().len());
        }
        Poll::Ready(Ok(()))
    }
}
