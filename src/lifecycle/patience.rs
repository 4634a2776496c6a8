//! How long somebody is waited for who may say something at any time.
//!
//! One timer for as long as a connection lives: that it is waited for anew changes a number, and the timer
//! is moved only where it goes off too early. To set one for each wait, and take it back, costs several
//! times as much, and a lock that all connections share.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// A time to wait, which can begin anew.
#[derive(Debug)]
pub struct Patience {
    timer: Pin<Box<Sleep>>,
    until: Instant,
}

impl Patience {
    /// It lasts this long at first.
    pub fn new(time: Duration) -> Self {
        let timer = Box::pin(sleep(time));
        let until = timer.deadline();
        Self { timer, until }
    }

    /// From now on it lasts this long.
    pub fn begin(&mut self, time: Duration) {
        self.until = Instant::now() + time;
        if self.until < self.timer.deadline() {
            self.timer.as_mut().reset(self.until);
        }
    }

    /// Waits until it is over.
    pub async fn is_over(&mut self) {
        poll_fn(|cx| self.poll_over(cx)).await;
    }

    /// Whether it is over; else the task of `cx` is woken when it is, or earlier.
    pub fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.timer.deadline() >= self.until {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_its_last_beginning_says() {
        let begun = Instant::now();
        let mut patience = Patience::new(10 * SECOND);
        for (time, ends) in [(75 * SECOND, 75), (3 * SECOND, 78), (20 * SECOND, 98)] {
            patience.begin(time);
            patience.is_over().await;
            assert_eq!(begun.elapsed().as_secs(), ends);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_speaks_is_waited_for_anew() {
        let begun = Instant::now();
        let mut patience = Patience::new(10 * SECOND);
        for _ in 0..3 {
            assert!(tokio::time::timeout(9 * SECOND, patience.is_over()).await.is_err());
            patience.begin(10 * SECOND);
        }
        patience.is_over().await;
        assert_eq!(begun.elapsed().as_secs(), 37);
    }
}
