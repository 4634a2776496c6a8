//! The handshake of a tunnel with its upstream: the answer is not read before the request has ended.
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
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use pingora_core::connectors::l4::Connect;
use pingora_core::protocols::l4::ext::{connect, connect_uds, set_tcp_keepalive};
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::protocols::l4::stream::Stream;
use pingora_core::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora_error::{Error, ErrorType, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep, sleep_until};

/// How far the request of one try is; what the connection and the request know of each other.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct Handshake(Arc<Mutex<Progress>>);

#[derive(Debug)]
struct Progress {
    stage: Stage,
    /// Who wants to read the answer.
    reader: Option<Waker>,
    /// What the answer has.
    time: Duration,
    /// When the head of the answer has to be there; none before the request and after the answer.
    due: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing is held back: before the head, where TLS has its own handshake, and after the end.
    Open,
    /// The head is being sent.
    Head,
    /// The head is sent.
    Sent,
}

impl Handshake {
    /// One whose answer comes in this time from the head on.
    pub(in crate::proxy) fn new(time: Duration) -> Self {
        let progress = Progress { stage: Stage::Open, reader: None, time, due: None };
        Self(Arc::new(Mutex::new(progress)))
    }

    /// The head is sent next.
    pub(in crate::proxy) fn begins(&self) {
        let mut progress = self.0.lock();
        progress.stage = Stage::Head;
        progress.due = Instant::now().checked_add(progress.time);
    }

    /// The head of the answer is there: what follows may take any time.
    pub(in crate::proxy) fn is_answered(&self) {
        self.0.lock().due = None;
    }

    fn due(&self) -> Option<Instant> {
        self.0.lock().due
    }

    /// What connects for it.
    pub(in crate::proxy) fn connector(&self) -> Arc<dyn Connect + Send + Sync> {
        Arc::new(Connector(self.clone()))
    }

    /// Whether the answer is held back; who asks is woken when it no longer is.
    fn holds(&self, cx: &Context<'_>) -> bool {
        let mut progress = self.0.lock();
        let holds = progress.stage != Stage::Open;
        if holds {
            progress.reader = Some(cx.waker().clone());
        }
        holds
    }

    fn wrote(&self) {
        let mut progress = self.0.lock();
        if progress.stage == Stage::Sent {
            progress.open();
        }
    }

    fn flushed(&self) {
        let mut progress = self.0.lock();
        match progress.stage {
            Stage::Open => {}
            Stage::Head => progress.stage = Stage::Sent,
            Stage::Sent => progress.open(),
        }
    }
}

impl Progress {
    fn open(&mut self) {
        self.stage = Stage::Open;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

#[derive(Debug)]
struct Connector(Handshake);

#[async_trait]
impl Connect for Connector {
    async fn connect(&self, address: &SocketAddr) -> Result<Stream> {
        let socket = match address {
            SocketAddr::Inet(address) => Socket::Tcp(connect(address, None).await?),
            SocketAddr::Unix(address) => {
                let nameless =
                    || Error::explain(ErrorType::ConnectError, "a socket without a path");
                Socket::Unix(connect_uds(address.as_pathname().ok_or_else(nameless)?).await?)
            }
        };
        let connection = Connection { socket, handshake: self.0.clone(), timer: None };
        Ok(VirtualSocketStream::new(Box::new(connection)).into())
    }
}

#[derive(Debug)]
struct Connection {
    socket: Socket,
    handshake: Handshake,
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

trait Bytes: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Bytes for T {}

impl Connection {
    fn socket(&mut self) -> Pin<&mut dyn Bytes> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream),
            Socket::Unix(stream) => Pin::new(stream),
        }
    }

    /// Whether the answer is too late; else who waits for it is woken when it is.
    fn too_late(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(due) = self.handshake.due() else {
            self.timer = None;
            return false;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        timer.as_mut().poll(cx).is_ready()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.handshake.holds(cx) {
            let read = self.socket().poll_read(cx, buffer);
            if read.is_ready() {
                return read;
            }
        }
        match self.too_late(cx) {
            true => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            false => Poll::Pending,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.socket().poll_write(cx, bytes));
        self.handshake.wrote();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.socket().poll_write_vectored(cx, slices));
        self.handshake.wrote();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(self.socket().poll_flush(cx));
        self.handshake.flushed();
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_shutdown(cx)
    }
}

impl VirtualSocket for Connection {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match (option, &self.socket) {
            (VirtualSockOpt::NoDelay, Socket::Tcp(stream)) => stream.set_nodelay(true),
            (VirtualSockOpt::KeepAlive(keepalive), Socket::Tcp(stream)) => {
                set_tcp_keepalive(stream, &keepalive).map_err(io::Error::other)
            }
            _ => Ok(()),
        }
    }
}
