//! A connection as pingora and the door see it, whatever carries it: who is at its other end, whether
//! TLS is spoken on it, and a way to end it from outside.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use pingora_core::protocols::l4::socket::SocketAddr as PeerAddress;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::tls::SslDigest;
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    Stream, TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::chunked_body::ChunkedBody;
use super::stall::Stall;
use super::watched::Watched;
use crate::lifecycle::closer::Closer;

/// One connection of a client.
#[derive(Debug)]
pub(super) struct Connection {
    carrier: Carrier,
    id: UniqueIDType,
    socket: Option<Arc<SocketDigest>>,
    tls: Option<Arc<SslDigest>>,
    closer: Closer,
    stall: Stall,
}

#[derive(Debug)]
enum Carrier {
    Plain(Stream),
    Tls(Box<TlsStream<Stream>>),
}

/// What closes the connection of a request; none where requests share it.
pub fn closer_of(stream: Option<&Stream>) -> Option<Closer> {
    let mut connection: &dyn Any = stream?.as_ref().as_any();
    if let Some(watched) = connection.downcast_ref::<Watched<ChunkedBody>>() {
        connection = watched.stream().as_ref().as_any();
    }
    Some(connection.downcast_ref::<Connection>()?.closer.clone())
}

/// The address at the other end; none for a unix socket.
pub(super) fn peer_of(stream: &Stream) -> Option<SocketAddr> {
    stream.get_socket_digest()?.peer_addr()?.as_inet().copied()
}

impl Connection {
    /// A connection without TLS. `client` is the address that a proxy in front has named.
    pub(super) fn plain(
        stream: Stream,
        client: Option<SocketAddr>,
        closer: Closer,
        stall: Stall,
    ) -> Self {
        let (id, socket) = (stream.id(), socket(&stream, client));
        let carrier = Carrier::Plain(stream);
        Self { carrier, id, socket, tls: None, closer, stall }
    }

    /// A connection whose TLS handshake is done.
    pub(super) fn tls(
        stream: Box<TlsStream<Stream>>,
        client: Option<SocketAddr>,
        closer: Closer,
        stall: Stall,
    ) -> Self {
        let (inner, session) = stream.get_ref();
        let (id, socket) = (inner.id(), socket(inner, client));
        let cipher = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        let version = session.protocol_version().and_then(|version| version.as_str());
        let (cipher, version) = (cipher.unwrap_or_default(), version.unwrap_or_default());
        let tls = SslDigest::new(cipher, version, None, None, Vec::new());
        let (carrier, tls) = (Carrier::Tls(stream), Some(Arc::new(tls)));
        Self { carrier, id, socket, tls, closer, stall }
    }

    fn carrier(&mut self) -> Pin<&mut dyn IoBytes> {
        match &mut self.carrier {
            Carrier::Plain(stream) => Pin::new(stream),
            Carrier::Tls(stream) => Pin::new(stream.as_mut()),
        }
    }

    /// What came of a read or a write, unless the connection has been closed meanwhile.
    fn unless_closed<T>(&self, cx: &Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match poll {
            Poll::Pending if self.closer.poll_closed(cx) => Poll::Ready(Err(closed())),
            poll => poll,
        }
    }

    /// What came of a write, unless the connection has been closed meanwhile, or the client takes nothing.
    fn wrote<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let poll = self.unless_closed(cx, poll);
        self.stall.bound(cx, poll)
    }

    fn check_open(&self) -> io::Result<()> {
        if self.closer.is_closed() { Err(closed()) } else { Ok(()) }
    }
}

/// The address that a proxy has named takes the place of its own, for everybody who asks.
fn socket(stream: &Stream, client: Option<SocketAddr>) -> Option<Arc<SocketDigest>> {
    let Some(client) = client else { return stream.get_socket_digest() };
    let digest = SocketDigest::from_raw_fd(stream.id());
    // It is new, so that there is none yet.
    let _ = digest.peer_addr.set(Some(PeerAddress::Inet(client)));
    Some(Arc::new(digest))
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "closed by the gateway")
}

trait IoBytes: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> IoBytes for T {}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check_open()?;
        let poll = this.carrier().poll_read(cx, buffer);
        this.unless_closed(cx, poll)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check_open()?;
        let poll = this.carrier().poll_write(cx, bytes);
        this.wrote(cx, poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check_open()?;
        let poll = this.carrier().poll_write_vectored(cx, slices);
        this.wrote(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.carrier {
            Carrier::Plain(stream) => stream.is_write_vectored(),
            Carrier::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check_open()?;
        let poll = this.carrier().poll_flush(cx);
        this.wrote(cx, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = this.carrier().poll_shutdown(cx);
        this.wrote(cx, poll)
    }
}

/// The door reads what it wants to look at.
impl Peek for Connection {}

#[async_trait]
impl Shutdown for Connection {
    async fn shutdown(&mut self) {
        // Whoever is gone already need not be told.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for Connection {
    fn id(&self) -> UniqueIDType {
        self.id
    }
}

impl Ssl for Connection {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.tls.clone()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        match &self.carrier {
            Carrier::Plain(_) => None,
            Carrier::Tls(stream) => match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Some(ALPN::H2),
                _ => Some(ALPN::H1),
            },
        }
    }
}

impl GetTimingDigest for Connection {
    /// Nobody asks when it was made, and pingora collects it for each request.
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Connection {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Connection {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.socket.clone()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_closed_connection_is_neither_read_nor_written() {
        let (mut client, server) = tokio::io::duplex(1 << 10);
        client.write_all(b"x").await.unwrap();
        let stall = Stall::new(Arc::default());
        let mut stream: Stream =
            Box::new(Connection::plain(Box::new(server), None, Closer::default(), stall));
        closer_of(Some(&stream)).unwrap().close();
        assert!(stream.read_u8().await.is_err());
        assert!(stream.write_all(b"x").await.is_err());
        assert!(stream.flush().await.is_err());
    }
}
