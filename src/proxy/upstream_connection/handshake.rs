//! The handshake of a tunnel with its upstream: the answer is not read before the request has ended.
//!
//! pingora (0.9.1, `proxy_handle_upstream`) takes the next of two things in a random order: what the
//! upstream answers, and the end of the request's body, which is empty. Where the 101 is there at once and
//! taken first, the end of the body is held for the end of the tunnel. So the connection has nothing to
//! read until pingora has gone on from the head that it sent: to the flush that ends an empty body, or to
//! a first part of another one.

use std::task::{Context, Waker};

#[derive(Debug, Default)]
pub(super) struct Handshake {
    stage: Stage,
    /// Who wants to read the answer.
    reader: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// The head is being sent.
    #[default]
    Head,
    /// The head is sent.
    Sent,
    /// The request goes on, or has ended: its answer may be read.
    Open,
}

impl Handshake {
    /// Whether the answer is held back; who asks is woken when it no longer is.
    pub(super) fn holds(&mut self, cx: &Context<'_>) -> bool {
        let holds = self.stage != Stage::Open;
        if holds {
            self.reader = Some(cx.waker().clone());
        }
        holds
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
