//! A client that takes nothing of what is sent to it.
//!
//! pingora gives the parts of a body a time each, and nothing to the end of a connection: a client that did not
//! read kept its connection from closing for as long as it liked, with what was left in a buffer (slowhttptest,
//! -X). Nor is there a time for what HTTP/2 sends besides bodies.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use tokio::time::{Sleep, sleep};

use crate::policy::limits::Limits;

/// Measures how long the client takes nothing while something waits for it.
#[derive(Debug)]
pub(super) struct Stall {
    limits: Arc<ArcSwap<Limits>>,
    /// None while nothing waits.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    pub(super) fn new(limits: Arc<ArcSwap<Limits>>) -> Self {
        Self { limits, timer: None }
    }

    /// What came of a write, unless none has got on for `body_idle`.
    pub(super) fn bound<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.timer = None;
            return poll;
        }
        let time = || self.limits.load().body_idle;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(time())));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    fn poll(stall: &mut Stall, poll: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        stall.bound(&mut Context::from_waker(Waker::noop()), poll)
    }

    #[tokio::test(start_paused = true)]
    async fn each_step_has_the_whole_time() {
        let limits = Limits { body_idle: Duration::from_secs(3), ..Limits::default() };
        let mut stall = Stall::new(Arc::new(ArcSwap::from_pointee(limits)));
        for _ in 0..3 {
            assert!(poll(&mut stall, Poll::Pending).is_pending());
            advance(Duration::from_secs(2)).await;
            assert!(poll(&mut stall, Poll::Pending).is_pending());
            assert!(poll(&mut stall, Poll::Ready(Ok(()))).is_ready());
        }
        assert!(poll(&mut stall, Poll::Pending).is_pending());
        advance(Duration::from_secs(4)).await;
        for _ in 0..2 {
            match poll(&mut stall, Poll::Pending) {
                Poll::Ready(Err(error)) => assert_eq!(error.kind(), io::ErrorKind::TimedOut),
                other => panic!("{other:?}"),
            }
        }
    }
}
