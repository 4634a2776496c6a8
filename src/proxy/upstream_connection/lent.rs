//! A connection while one request has it, as pingora sees it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pingora_core::protocols::l4::virt::{VirtualSockOpt, VirtualSocket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answers::Answer;
use super::handshake::Handshake;
use super::idle::Idle;
use super::stream::{Connection, Stream};
use crate::upstream::Target;

/// Lent for one request. It goes back where the answer has come to its end, pingora gives it back, and
/// nothing came after the answer; else it is closed.
pub(super) struct Lent {
    connection: Option<Connection>,
    answer: Answer,
    state: State,
    /// For how long the server may be silent while it is waited for.
    time: Duration,
    /// Whether it is, by the patience of the connection.
    is_waited_for: bool,
    /// Of a tunnel.
    handshake: Option<Handshake>,
    target: Weak<Target>,
    home: Arc<Idle>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing of the request was written.
    New,
    Used,
    /// It is not to be used again.
    Spoilt,
    /// pingora has given it back.
    Returned,
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Lent {
    pub(super) fn new(
        connection: Connection,
        target: &Arc<Target>,
        home: &Arc<Idle>,
        time: Duration,
        handshake: Option<Handshake>,
    ) -> Self {
        Self {
            connection: Some(connection),
            answer: Answer::default(),
            state: State::New,
            time,
            is_waited_for: false,
            handshake,
            target: Arc::downgrade(target),
            home: home.clone(),
        }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut Stream>> {
        let connection = self.connection.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Pin::new(&mut connection.stream))
    }

    /// The handshake of a tunnel, while its answer has not come.
    fn handshake(&mut self) -> Option<&mut Handshake> {
        self.handshake.as_mut().filter(|_| !self.answer.has_begun())
    }

    /// Whether the server has been silent for too long; who asks is woken when it has. A tunnel may be
    /// silent for as long as its ends like, once it is one.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        if self.handshake.is_some() && self.answer.has_begun() {
            return false;
        }
        if !self.is_waited_for {
            self.is_waited_for = true;
            connection.patience.begin(self.time);
        }
        connection.patience.poll_over(cx).is_ready()
    }

    /// Something came, or went on to the server. The answer to a handshake has its time as a whole.
    fn is_waited_for_anew(&mut self) {
        self.is_waited_for &= self.handshake.is_some();
    }

    /// Reads on in the answer. Of what came after it nothing is given to anybody.
    fn read_strictly(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> io::Result<()> {
        let read = buffer.filled().get(before..).unwrap_or_default();
        let length = read.len();
        match self.answer.read(read) {
            Ok(used) => {
                if used < length {
                    self.state = State::Spoilt;
                    buffer.set_filled(before + used);
                }
                Ok(())
            }
            Err(malformed) => {
                self.state = State::Spoilt;
                buffer.set_filled(before);
                Err(io::Error::new(io::ErrorKind::InvalidData, malformed))
            }
        }
    }

    /// After the end of an answer pingora reads a byte to see whether the connection is good to keep.
    /// It is told that it is not, and the connection is kept here.
    fn read_after_the_end(&mut self, buffer: &ReadBuf<'_>) {
        if self.state == State::Used && buffer.remaining() == 1 {
            self.state = State::Returned;
        }
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.answer.has_ended() {
            this.read_after_the_end(buffer);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        if !this.handshake().is_some_and(|handshake| handshake.holds(cx)) {
            let read = this.stream()?.poll_read(cx, buffer)?;
            if read.is_ready() {
                this.is_waited_for_anew();
                return Poll::Ready(this.read_strictly(buffer, before));
            }
        }
        match this.is_late(cx) {
            true => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            false => Poll::Pending,
        }
    }
}

impl AsyncWrite for Lent {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = ready!(this.stream()?.poll_write(cx, bytes))?;
        this.is_waited_for_anew();
        if this.state == State::New {
            // pingora writes the whole head at once.
            this.answer.is_for(bytes);
            this.state = State::Used;
        }
        if let Some(handshake) = &mut this.handshake {
            handshake.wrote();
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.stream()?.poll_flush(cx))?;
        if let Some(handshake) = &mut this.handshake {
            handshake.flushed();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state = State::Spoilt;
        self.stream()?.poll_shutdown(cx)
    }
}

impl VirtualSocket for Lent {
    /// They were set when the connection was made.
    fn set_socket_option(&self, _: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.state == State::Returned
            && self.handshake.is_none()
            && let Some(connection) = self.connection.take()
        {
            self.home.keep(connection, self.target.clone());
        }
    }
}
