//! The handshake of a tunnel with its upstream: the answer is not read before the request has ended, and
//! has its time.
//!
//! pingora (0.9.1, `proxy_handle_upstream`) takes the next of two things in a random order: what the
//! upstream answers, and the end of the request's body, which is empty. Where the 101 is there at once and
//! taken first, the end of the body is held for the end of the tunnel. So the connection has nothing to
//! read until pingora has gone on from the head that it sent: to the flush that ends an empty body, or to
//! a first part of another one.
//!
//! A tunnel may be silent for as long as its ends like, so that pingora has no timer for it. The answer
//! that makes it one has its time here.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

#[derive(Debug)]
pub(super) struct Handshake {
    stage: Stage,
    /// Who wants to read the answer.
    reader: Option<Waker>,
    /// What the head of the answer has from that of the request on.
    time: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The head is being sent.
    Head,
    /// The head is sent.
    Sent,
    /// The request goes on, or has ended: its answer may be read.
    Open,
}

impl Handshake {
    /// One whose answer comes in this time.
    pub(super) fn new(time: Duration) -> Self {
        Self { stage: Stage::Head, reader: None, time, timer: None }
    }

    /// Whether the answer is held back; who asks is woken when it no longer is.
    pub(super) fn holds(&mut self, cx: &Context<'_>) -> bool {
        let holds = self.stage != Stage::Open;
        if holds {
            self.reader = Some(cx.waker().clone());
        }
        holds
    }

    /// Whether the answer is too late; who asks is woken when it is.
    pub(super) fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let time = self.time;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(time)));
        timer.as_mut().poll(cx).is_ready()
    }

    pub(super) fn wrote(&mut self) {
        if self.stage == Stage::Sent {
            self.open();
        }
    }

    pub(super) fn flushed(&mut self) {
        match self.stage {
            Stage::Head => self.stage = Stage::Sent,
            Stage::Sent => self.open(),
            Stage::Open => {}
        }
    }

    fn open(&mut self) {
        self.stage = Stage::Open;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}
