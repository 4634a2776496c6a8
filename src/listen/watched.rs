//! A client's connection whose bytes are looked at on their way to pingora.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::tls::SslDigest;
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    Stream, TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Looks at what a client sends, and at how much it is sent.
pub(super) trait Watch: Debug + Send + Sync + Unpin + 'static {
    /// Whether pingora gets what was just read.
    fn read(&mut self, cx: &mut Context<'_>, read: &[u8]) -> Verdict;

    /// Asked before each read and each write: whether it is too late for either.
    fn too_late(&mut self, _: &mut Context<'_>) -> bool {
        false
    }

    /// So many bytes went to the client.
    fn wrote(&mut self, _: usize) {}

    /// The gateway has said its last word. Whether what the client still sends is read, until it is
    /// [`Watch::too_late`]: closing on bytes that nobody read is a reset, which overtakes that word.
    fn hears_out(&mut self) -> bool {
        false
    }
}

/// What becomes of bytes that were read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They go on.
    Pass,
    /// None of them goes on, and nothing after them: the reader is told why.
    Refuse(&'static str),
    /// So many of them go on, then these instead of the rest, and nothing after them.
    Replace(usize, Vec<u8>),
}

/// What [`Verdict::Refuse`] comes to for the one who reads: an error of the kind
/// [`io::ErrorKind::InvalidData`].
fn malformed(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// A connection with somebody who looks at it.
#[derive(Debug)]
pub(super) struct Watched<W> {
    /// Was read from the stream already.
    before: BytesMut,
    stream: Stream,
    watch: W,
    ended: bool,
    /// Whether the client is heard out, once everything was said.
    hears_out: Option<bool>,
    /// Goes on in place of what the client sent.
    instead: Vec<u8>,
}

impl<W: Watch> Watched<W> {
    pub(super) fn new(stream: Stream, watch: W) -> Self {
        let (before, instead) = (BytesMut::new(), Vec::new());
        Self { before, stream, watch, ended: false, hears_out: None, instead }
    }

    /// The same, where this was read from the stream already.
    pub(super) fn after(before: BytesMut, stream: Stream, watch: W) -> Self {
        Self { before, ..Self::new(stream, watch) }
    }

    /// The connection under a watch of this kind, which ends; none where there is no such watch.
    pub(super) fn unwatched(stream: Stream) -> Option<Stream> {
        let watched = stream.into_any().downcast::<Self>().ok()?;
        Some(watched.stream)
    }

    /// The connection that is looked at.
    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    fn pull(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.before.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = self.before.len().min(buffer.remaining());
        buffer.put_slice(&self.before.split_to(length));
        Poll::Ready(Ok(()))
    }

    fn take_instead(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.instead.len().min(buffer.remaining());
        buffer.put_slice(self.instead.get(..length).unwrap_or_default());
        self.instead.drain(..length);
    }

    /// Reads what the client sends without giving it to anybody, so that no reset overtakes an answer:
    /// until the client ends the connection, or whoever reads has had enough.
    fn discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut unread = [0; 4 << 10];
        loop {
            let mut unread = ReadBuf::new(&mut unread);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut unread))?;
            if unread.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<W: Watch> AsyncRead for Watched<W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.watch.too_late(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if !self.instead.is_empty() {
            self.take_instead(buffer);
            return Poll::Ready(Ok(()));
        }
        if self.ended {
            return self.discard(cx);
        }
        let before = buffer.filled().len();
        ready!(self.pull(cx, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        match self.watch.read(cx, read) {
            Verdict::Pass => Poll::Ready(Ok(())),
            Verdict::Refuse(why) => {
                buffer.set_filled(before);
                self.ended = true;
                Poll::Ready(Err(malformed(why)))
            }
            Verdict::Replace(length, instead) => {
                buffer.set_filled(before + length.min(read.len()));
                self.ended = true;
                self.instead = instead;
                self.take_instead(buffer);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<W: Watch> AsyncWrite for Watched<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.watch.too_late(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.watch.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.watch.too_late(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.watch.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.watch.too_late(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.watch.too_late(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if self.hears_out.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.hears_out = Some(self.watch.hears_out());
        }
        if self.hears_out == Some(true) && !self.watch.too_late(cx) {
            return self.discard(cx);
        }
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl<W: Watch> Shutdown for Watched<W> {
    async fn shutdown(&mut self) {
        Shutdown::shutdown(&mut *self.stream).await;
    }
}

impl<W: Watch> UniqueID for Watched<W> {
    fn id(&self) -> UniqueIDType {
        self.stream.id()
    }
}

impl<W: Watch> Ssl for Watched<W> {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.stream.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.stream.selected_alpn_proto()
    }
}

impl<W: Watch> GetTimingDigest for Watched<W> {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.stream.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.stream.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.stream.get_write_pending_time()
    }
}

impl<W: Watch> GetProxyDigest for Watched<W> {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.stream.get_proxy_digest()
    }

    fn set_proxy_digest(&mut self, digest: ProxyDigest) {
        self.stream.set_proxy_digest(digest);
    }
}

impl<W: Watch> GetSocketDigest for Watched<W> {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.stream.get_socket_digest()
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        self.stream.set_socket_digest(digest);
    }
}

/// Nobody peeks at what was looked at.
impl<W: Watch> Peek for Watched<W> {}
