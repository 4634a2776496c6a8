//! A request over HTTP/1.1 and its answer.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, Method};
use pingora_core::protocols::http::HttpTask;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::answers::Answer;
use super::outbox::{Framing, Outbox};
use super::waiting::Waiting;
use super::{Connected, Fault};

/// Enough for most answers in one read.
const FIRST_READ: usize = 4 << 10;
/// For those that are long.
const LONG_READ: usize = 32 << 10;

/// A connection for one request. It goes back where both are whole, and nothing came after the answer; else
/// it is closed.
#[derive(Debug)]
pub(in crate::proxy) struct Http1 {
    connected: Connected,
    answer: Answer,
    outbox: Outbox,
    framing: Framing,
    /// All of the request is in the outbox, or was in it.
    is_whole: bool,
    /// What is written may be held back by TLS.
    is_flushed: bool,
    /// The server takes no more.
    is_refused: bool,
    asks_tunnel: bool,
    read: BytesMut,
    read_size: usize,
    heard: bool,
    pub(super) waiting: Waiting,
}

impl Http1 {
    /// With the head of the request in the outbox.
    pub(in crate::proxy) fn new(
        connected: Connected,
        head: (&Method, &[u8], &HeaderMap),
        framing: Framing,
        asks_tunnel: bool,
    ) -> Self {
        let mut outbox = Outbox::default();
        write_head(outbox.front(), head);
        Self {
            connected,
            answer: Answer::to(head.0 == Method::HEAD),
            outbox,
            framing,
            is_whole: false,
            is_flushed: true,
            is_refused: false,
            asks_tunnel,
            read: BytesMut::new(),
            read_size: FIRST_READ,
            heard: false,
            waiting: Waiting::default(),
        }
    }

    /// Whether the server still takes the request, as far as is known.
    pub(super) fn takes_body(&self) -> bool {
        !self.is_refused
    }

    /// Whether another part of the body may be sent.
    pub(super) fn has_room(&self) -> bool {
        !self.outbox.has_remaining()
    }

    /// Sends a part of the body, for which there is room; with the last one the request is whole.
    pub(super) fn send(&mut self, data: Bytes, ends: bool) {
        self.is_whole |= ends;
        self.outbox.put(data, ends, self.framing);
        self.waiting.begin_anew();
    }

    /// From now on both ends say what they like.
    pub(super) fn become_tunnel(&mut self) {
        (self.is_whole, self.framing) = (false, Framing::Plain);
    }

    /// What came of the answer; nothing where there is room for more of the request again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<HttpTask>, Fault>> {
        let was_full = !self.has_room();
        self.poll_write(cx);
        if !self.answer.has_ended()
            && let Poll::Ready(read) = self.poll_read(cx)
        {
            return Poll::Ready(read);
        }
        if was_full && self.has_room() && !self.is_whole {
            return Poll::Ready(Ok(Vec::new()));
        }
        if self.waiting.is_over(&mut self.connected.connection.patience, cx) {
            return Poll::Ready(match (self.has_room(), self.answer.has_ended()) {
                (true, _) => Err(Fault::Late),
                (false, false) => Err(Fault::TakesNothing),
                // It has said what it had to say.
                (false, true) => {
                    self.refuse();
                    Ok(Vec::new())
                }
            });
        }
        Poll::Pending
    }

    /// Writes what the server takes. Where it takes nothing any more its answer may be there all the same.
    fn poll_write(&mut self, cx: &mut Context<'_>) {
        while self.outbox.has_remaining() {
            let stream = &mut self.connected.connection.stream;
            match pin!(stream.write_buf(&mut self.outbox)).poll(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(written)) if written > 0 => {
                    self.is_flushed = false;
                    self.waiting.begin_anew();
                }
                Poll::Ready(_) => return self.refuse(),
            }
        }
        if !self.is_flushed {
            match pin!(self.connected.connection.stream.flush()).poll(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.is_flushed = true,
                Poll::Ready(Err(_)) => self.refuse(),
            }
        }
    }

    fn refuse(&mut self) {
        (self.is_refused, self.is_flushed) = (true, true);
        self.outbox.clear();
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<HttpTask>, Fault>> {
        loop {
            self.read.reserve(self.read_size);
            let stream = &mut self.connected.connection.stream;
            let read = std::task::ready!(pin!(stream.read_buf(&mut self.read)).poll(cx));
            // TLS that ends without a word, too: it is an end that anybody could have made.
            let Ok(length) = read else { return Poll::Ready(Err(self.broken())) };
            self.waiting.begin_anew();
            let mut parts = Vec::with_capacity(2);
            if length == 0 {
                parts.extend(self.answer.close());
                return Poll::Ready(match parts.is_empty() {
                    true => Err(self.broken()),
                    false => Ok(parts),
                });
            }
            self.heard = true;
            if length >= self.read_size {
                self.read_size = LONG_READ;
            }
            self.answer.read(&mut self.read, &mut parts).map_err(Fault::Malformed)?;
            if !parts.is_empty() {
                return Poll::Ready(Ok(parts));
            }
        }
    }

    fn broken(&self) -> Fault {
        Fault::Broken { heard: self.heard }
    }

    /// Gives the connection back, where it is good for another request.
    pub(in crate::proxy) fn give_back(self) {
        let is_over = self.answer.has_ended() && self.read.is_empty() && self.is_whole;
        let was_taken = self.has_room() && self.is_flushed && !self.is_refused;
        if is_over && was_taken && self.answer.leaves_open() && !self.asks_tunnel {
            self.connected.give_back();
        }
    }
}

fn write_head(out: &mut BytesMut, (method, target, headers): (&Method, &[u8], &HeaderMap)) {
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    out.reserve(method.as_str().len() + target.len() + 14 + fields.sum::<usize>());
    for piece in [method.as_str().as_bytes(), b" ", target, b" HTTP/1.1\r\n"] {
        out.put_slice(piece);
    }
    for (name, value) in headers {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.put_slice(piece);
        }
    }
    out.put_slice(b"\r\n");
}
