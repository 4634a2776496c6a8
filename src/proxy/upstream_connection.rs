//! Connections to the servers of an upstream, and one request with its answer on them.
//!
//! Those of HTTP/1.1 are our own, and what comes on them is read strictly ([`answers`]): pingora (0.9.1)
//! takes a Content-Length beside Transfer-Encoding off before anybody can see it, chunk sizes and line ends
//! in many forms, folded lines. Two programs may end such an answer in two places, and on a connection that
//! is used again the rest of the one is the beginning of another client's. Those of HTTP/2 are pingora's,
//! whose framing is h2's.

mod answer_head;
mod answers;
mod fault;
mod http1;
mod http2;
mod idle;
mod outbox;
mod stream;
mod tls;
mod waiting;

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use pingora_core::protocols::TcpKeepalive;
use pingora_core::protocols::http::HttpTask;
use pingora_core::protocols::l4::ext::{connect, connect_uds, set_tcp_keepalive};
use pingora_error::{Error, ErrorType, Result};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use self::idle::Idle;
use self::stream::{Connection, Stream};
use crate::lifecycle::patience::Patience;
use crate::upstream::{Address, Protocol, ServerName, Settings, Target, Tls};

pub(super) use self::answers::Malformed;
pub(super) use self::fault::Fault;
pub(super) use self::http1::Http1;
pub(super) use self::http2::Http2;
pub(super) use self::idle::KEPT;
pub(super) use self::outbox::Framing;

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
    connector: OnceLock<TlsConnector>,
    idle: Arc<Idle>,
}

/// A connection for one request.
#[derive(Debug)]
pub(super) struct Connected {
    connection: Connection,
    target: Weak<Target>,
    home: Arc<Idle>,
    /// Whether it had served another request before.
    pub(super) was_used: bool,
}

impl Connected {
    /// Keeps it for another request.
    fn give_back(self) {
        self.home.keep(self.connection, self.target);
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("idle", &self.idle).finish_non_exhaustive()
    }
}

impl Connections {
    /// None yet; so many idle ones are kept.
    pub(super) fn new(settings: &Settings) -> Self {
        let idle = Idle::new(settings.keepalive);
        Self { tls: settings.tls.clone(), connector: OnceLock::new(), idle }
    }

    /// A connection to this server, which is set up within this time. A tunnel's is made for it.
    pub(super) async fn connect(
        &self,
        target: &Arc<Target>,
        tunnel: bool,
        time: Duration,
    ) -> Result<Connected> {
        let kept = if tunnel { None } else { self.idle.take(target) };
        let (known_as, home) = (Arc::downgrade(target), self.idle.clone());
        if let Some(connection) = kept {
            return Ok(Connected { connection, target: known_as, home, was_used: true });
        }
        let late = |_| Error::explain(ErrorType::ConnectTimedout, "to a server of an upstream");
        let opened = timeout(time, Box::pin(self.open(target))).await.map_err(late)?;
        let connection = Connection::new(opened?, time);
        Ok(Connected { connection, target: known_as, home, was_used: false })
    }

    async fn open(&self, target: &Target) -> Result<Stream> {
        let stream = match &target.address {
            Address::Tcp(address) => {
                let stream = connect(address, None).await?;
                // Without them it is slower, and works.
                let _ = stream.set_nodelay(true);
                set_tcp_keepalive(&stream, &KEEPALIVE)?;
                Stream::Tcp(stream)
            }
            Address::Unix(path) => Stream::Unix(connect_uds(path).await?),
        };
        match (&target.tls_name, target.protocol) {
            (Some(name), Protocol::Https) => self.secure(stream, name).await,
            (None, Protocol::Https) => {
                Error::e_explain(ErrorType::TLSHandshakeFailure, "no name to verify")
            }
            _ => Ok(stream),
        }
    }

    async fn secure(&self, stream: Stream, name: &ServerName) -> Result<Stream> {
        let connector = match self.connector.get() {
            Some(connector) => connector,
            // What cannot be read now may be there for the next connection.
            None => {
                let made = tls::connector(&self.tls)?;
                self.connector.get_or_init(|| made)
            }
        };
        tls::secure(connector, stream, name).await
    }
}

/// One request and its answer.
#[derive(Debug)]
pub(super) enum Exchange {
    Http1(Box<Http1>),
    Http2(Box<Http2>),
}

impl Exchange {
    /// Sends a part of the body, for which there is room; with the last one the request is whole.
    pub(super) fn send(&mut self, data: Bytes, ends: bool) {
        match self {
            Self::Http1(it) => it.send(data, ends),
            Self::Http2(it) => it.send(data, ends),
        }
    }

    /// Whether another part of the body may be sent.
    pub(super) fn has_room(&self) -> bool {
        match self {
            Self::Http1(it) => it.has_room(),
            Self::Http2(it) => it.has_room(),
        }
    }

    /// Whether the server still takes the request, as far as is known. Its answer may come all the same.
    pub(super) fn takes_body(&self) -> bool {
        match self {
            Self::Http1(it) => it.takes_body(),
            Self::Http2(it) => it.takes_body(),
        }
    }

    /// From now on the server is waited for so long, where something is expected of it.
    pub(super) fn wait_for(&mut self, time: Option<Duration>) {
        match self {
            Self::Http1(it) => it.waiting.set(time),
            Self::Http2(it) => it.waiting.set(time),
        }
    }

    /// From now on both ends say what they like. HTTP/2 has no tunnels here.
    pub(super) fn become_tunnel(&mut self) {
        if let Self::Http1(it) = self {
            it.become_tunnel();
        }
    }

    /// What came of the answer; nothing where there is room for more of the request again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<HttpTask>, Fault>> {
        match self {
            Self::Http1(it) => it.poll(cx),
            Self::Http2(it) => it.poll(cx),
        }
    }
}
