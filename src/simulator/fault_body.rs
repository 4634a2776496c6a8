//! Bodies that a well-behaved server would not send.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Interval, interval};

const GIGABYTE: u64 = 1_000_000_000;
const CHUNK: &[u8] = &[b' '; 1 << 16];

/// Such a body.
#[derive(Debug)]
pub(super) enum FaultBody {
    /// Some bytes, a chance for them to be sent, then the end of the connection.
    Cut(CutStep),
    /// A byte at each tick, for ever.
    Endless(Interval),
    /// So many bytes more.
    Long(u64),
}

#[derive(Debug)]
pub(super) enum CutStep {
    Send(Bytes),
    Flush,
    End,
}

impl FaultBody {
    /// `bytes`, then an error: the connection breaks.
    pub(super) fn cut_after(bytes: Bytes) -> Self {
        Self::Cut(CutStep::Send(bytes))
    }

    /// Spaces, which are valid before JSON, without an end.
    pub(super) fn endless() -> Self {
        Self::Endless(interval(Duration::from_millis(100)))
    }

    /// 1 GB of spaces.
    pub(super) fn gigabyte() -> Self {
        Self::Long(GIGABYTE)
    }
}

impl Body for FaultBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Cut(step) => match std::mem::replace(step, CutStep::End) {
                CutStep::Send(bytes) => {
                    *step = CutStep::Flush;
                    Poll::Ready(Some(Ok(Frame::data(bytes))))
                }
                // hyper flushes what it has while it waits for more.
                CutStep::Flush => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                CutStep::End => Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
            },
            Self::Endless(interval) => {
                interval.poll_tick(context).map(|_| Some(Ok(Frame::data(Bytes::from_static(b" ")))))
            }
            Self::Long(0) => Poll::Ready(None),
            Self::Long(left) => {
                let chunk = Bytes::from_static(CHUNK);
                let length = chunk.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= length as u64;
                Poll::Ready(Some(Ok(Frame::data(chunk.slice(..length)))))
            }
        }
    }
}
