//! HTTP/1.1 connections to the servers of an upstream: our own, below pingora.
//!
//! pingora (0.9.1) reads answers leniently: it takes a Content-Length beside Transfer-Encoding off before
//! anybody can see it, chunk sizes and line ends in many forms, folded lines. Two programs may end such
//! an answer in two places, and on a connection that is used again the rest of the one is the beginning of
//! another client's. Nothing can be put between pingora and a connection that it has made and keeps. So
//! each request gets a virtual socket, which pingora uses once; below it connections are made and kept
//! here, TLS included, and what comes on them is read strictly first ([`answers`]).

mod answers;
mod handshake;
mod idle;
mod lent;
mod stream;
mod tls;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::connectors::l4::Connect;
use pingora_core::protocols::TcpKeepalive;
use pingora_core::protocols::l4::ext::{connect, connect_uds, set_tcp_keepalive};
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::protocols::l4::stream::Stream as PingoraStream;
use pingora_core::protocols::l4::virt::VirtualSocketStream;
use pingora_error::{Error, ErrorType, Result};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use self::handshake::Handshake;
use self::idle::Idle;
use self::lent::Lent;
use self::stream::{Connection, Stream};
use crate::upstream::{Protocol, ServerName, Settings, Target, Tls};

pub(super) use self::answers::Malformed;
pub(super) use self::idle::KEPT;

/// A peer that is gone without a word is found out by TCP. Pings of HTTP/2 would do it too, but
/// gRPC servers end connections that ping more than once in five minutes.
pub(super) const KEEPALIVE: TcpKeepalive = TcpKeepalive {
    idle: Duration::from_secs(60),
    interval: Duration::from_secs(10),
    count: 3,
    user_timeout: Duration::from_secs(30),
};

/// The HTTP/1.1 connections of one upstream.
pub(super) struct Connections {
    tls: Tls,
    /// Made when it is needed first: most upstreams have no TLS, and reading the system's CAs takes time.
    connector: OnceLock<Option<TlsConnector>>,
    idle: Arc<Idle>,
}

/// How long servers are waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// To set up a connection, TLS included.
    pub(super) connect: Duration,
    /// While something is expected of them: of a tunnel that is the answer to its handshake.
    pub(super) silence: Duration,
}

/// What connects for one try of a request, and what the request knows of the connection.
#[derive(Debug)]
pub(super) struct Connector {
    connections: Arc<Connections>,
    target: Arc<Target>,
    tunnel: bool,
    times: Times,
    was_used: AtomicBool,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("idle", &self.idle).finish_non_exhaustive()
    }
}

impl Connections {
    /// None yet; so many idle ones are kept.
    pub(super) fn new(settings: &Settings) -> Arc<Self> {
        let idle = Idle::new(settings.keepalive);
        Arc::new(Self { tls: settings.tls.clone(), connector: OnceLock::new(), idle })
    }

    /// What connects to this server for one try.
    pub(super) fn connector(
        self: &Arc<Self>,
        target: &Arc<Target>,
        tunnel: bool,
        times: Times,
    ) -> Arc<Connector> {
        let (connections, target) = (self.clone(), target.clone());
        let was_used = AtomicBool::new(false);
        Arc::new(Connector { connections, target, tunnel, times, was_used })
    }

    async fn secure(&self, stream: Stream, name: &ServerName) -> Result<Stream> {
        let connector = self.connector.get_or_init(|| tls::connector(&self.tls));
        let unusable =
            || Error::explain(ErrorType::TLSHandshakeFailure, "unusable certificates or key");
        tls::secure(connector.as_ref().ok_or_else(unusable)?, stream, name).await
    }
}

impl Connector {
    /// Whether the connection had served another request before.
    pub(super) fn was_used(&self) -> bool {
        self.was_used.load(Ordering::Relaxed)
    }

    async fn open(&self, address: &SocketAddr) -> Result<Stream> {
        let stream = match address {
            SocketAddr::Inet(address) => {
                let stream = connect(address, None).await?;
                // Without them it is slower, and works.
                let _ = stream.set_nodelay(true);
                set_tcp_keepalive(&stream, &KEEPALIVE)?;
                Stream::Tcp(stream)
            }
            SocketAddr::Unix(address) => {
                let nameless =
                    || Error::explain(ErrorType::ConnectError, "a socket without a path");
                Stream::Unix(connect_uds(address.as_pathname().ok_or_else(nameless)?).await?)
            }
        };
        match (&self.target.tls_name, self.target.protocol) {
            (Some(name), Protocol::Https) => self.connections.secure(stream, name).await,
            (None, Protocol::Https) => {
                Error::e_explain(ErrorType::TLSHandshakeFailure, "no name to verify")
            }
            _ => Ok(stream),
        }
    }
}

#[async_trait]
impl Connect for Connector {
    /// A tunnel's connection is made for it, and serves nothing else where the server wants no tunnel.
    async fn connect(&self, address: &SocketAddr) -> Result<PingoraStream> {
        let kept = match self.tunnel {
            false => self.connections.idle.take(&self.target),
            true => None,
        };
        self.was_used.store(kept.is_some(), Ordering::Relaxed);
        let connection = match kept {
            Some(connection) => connection,
            None => {
                let late =
                    |_| Error::explain(ErrorType::ConnectTimedout, "to a server of an upstream");
                let opened = timeout(self.times.connect, Box::pin(self.open(address)));
                Connection::new(opened.await.map_err(late)??, self.times.silence)
            }
        };
        let handshake = self.tunnel.then(Handshake::default);
        let (home, silence) = (&self.connections.idle, self.times.silence);
        let lent = Lent::new(connection, &self.target, home, silence, handshake);
        Ok(VirtualSocketStream::new(Box::new(lent)).into())
    }
}
