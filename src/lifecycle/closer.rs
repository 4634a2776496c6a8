//! Ending something from outside that may be waiting for a silent client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

use futures_util::task::AtomicWaker;

/// Closes a connection, or one stream of it; every clone closes the same one.
#[derive(Clone, Debug, Default)]
pub struct Closer(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    closed: AtomicBool,
    waker: AtomicWaker,
}

impl Closer {
    /// From now on it is closed; whoever waits is woken.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.waker.wake();
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }

    /// Whether it is closed; else the task of `cx` is woken when it is. Only the last task that asked
    /// is: a connection has one.
    pub fn poll_closed(&self, cx: &Context<'_>) -> bool {
        self.0.waker.register(cx.waker());
        self.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn who_waits_is_woken() {
        let closer = Closer::default();
        assert!(!closer.is_closed());
        let waiting = tokio::spawn({
            let closer = closer.clone();
            poll_fn(move |cx| match closer.poll_closed(cx) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        closer.close();
        waiting.await.unwrap();
        assert!(closer.is_closed());
    }
}
