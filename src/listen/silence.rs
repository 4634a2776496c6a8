//! How long a connection may say nothing between its requests.
//!
//! One timer for as long as the connection lives: that a request came changes a number, and the timer is
//! moved only where it goes off too early. To set one for each request, and take it back, costs more than
//! all of what the door does with a head.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// The time in which the next request has to begin.
pub(super) struct Silence<'a> {
    timer: Pin<&'a mut Sleep>,
    until: Instant,
}

impl<'a> Silence<'a> {
    /// Lasts as long as the timer at first.
    pub(super) fn new(timer: Pin<&'a mut Sleep>) -> Self {
        let until = timer.deadline();
        Self { timer, until }
    }

    /// From now on it lasts this long.
    pub(super) fn begin(&mut self, time: Duration) {
        self.until = Instant::now() + time;
        if self.until < self.timer.deadline() {
            self.timer.as_mut().reset(self.until);
        }
    }

    /// Waits until it has lasted too long.
    pub(super) async fn is_over(&mut self) {
        poll_fn(|cx| self.poll_over(cx)).await;
    }

    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
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
    use std::pin::pin;

    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_its_last_beginning_says() {
        let begun = Instant::now();
        let timer = pin!(sleep(10 * SECOND));
        let mut silence = Silence::new(timer);
        for (time, ends) in [(75 * SECOND, 75), (3 * SECOND, 78), (20 * SECOND, 98)] {
            silence.begin(time);
            silence.is_over().await;
            assert_eq!(begun.elapsed().as_secs(), ends);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_begins_it_anew() {
        let begun = Instant::now();
        let timer = pin!(sleep(10 * SECOND));
        let mut silence = Silence::new(timer);
        for _ in 0..3 {
            let request = tokio::time::timeout(9 * SECOND, silence.is_over());
            assert!(request.await.is_err());
            silence.begin(10 * SECOND);
        }
        silence.is_over().await;
        assert_eq!(begun.elapsed().as_secs(), 37);
    }
}
