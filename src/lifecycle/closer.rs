//! Ending something from outside that may be waiting for a silent client.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

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

/// All that can be closed at once. Asked of each connection when it begins and ends, and never of a
/// request: whoever waited for a common signal would be asked each time that it is polled.
#[derive(Clone, Debug, Default)]
pub struct Closers(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    /// By the address of what a closer and its clones share.
    closers: HashMap<usize, Closer>,
    closed: bool,
}

/// One of them, until this is dropped.
#[derive(Debug)]
pub struct Entry {
    all: Closers,
    key: usize,
}

impl Closers {
    /// Counts this one in. Where all have been closed, it is.
    #[must_use = "it is one of them until this is dropped"]
    pub fn enter(&self, closer: &Closer) -> Entry {
        let key = Arc::as_ptr(&closer.0).addr();
        let mut open = self.0.lock();
        open.closers.insert(key, closer.clone());
        if open.closed {
            closer.close();
        }
        drop(open);
        Entry { all: self.clone(), key }
    }

    /// Closes all there are, and all that come.
    pub fn close(&self) {
        let mut open = self.0.lock();
        open.closed = true;
        open.closers.values().for_each(Closer::close);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.all.0.lock().closers.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    #[test]
    fn all_are_closed_but_those_that_have_gone() {
        let (all, [gone, open, late]) = (Closers::default(), [(); 3].map(|()| Closer::default()));
        drop(all.enter(&gone));
        let _open = all.enter(&open);
        all.close();
        let _late = all.enter(&late);
        assert_eq!([gone, open, late].map(|closer| closer.is_closed()), [false, true, true]);
    }

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
