//! An upstream with its connections.

use std::fmt;
use std::os::unix::net::SocketAddr as UnixAddress;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pingora_core::connectors::ConnectorOptions;
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::ALPN;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::protocols::http::v2::client::Http2Session;
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::upstreams::peer::{HttpPeer, Scheme};
use pingora_core::utils::tls::{CertKey, WrappedX509, parse_x509};
use pingora_error::{Error, ErrorType, Result};

use super::upstream_connection::{Connected, Connections, KEEPALIVE, KEPT};
use super::without_http2::WithoutHttp2;
use crate::upstream::{Address, Protocol, Settings, Target, Tls, Upstream, key};

/// Requests at once on one HTTP/2 connection, as most servers allow.
const H2_STREAMS: u32 = 100;
/// What a slow client can make the gateway hold of one answer; pingora's own default is 8 MiB.
const H2_STREAM_WINDOW: u32 = 256 << 10;
/// Idle HTTP/2 connections, each for many requests.
const H2_KEPT: usize = 1024;

/// An upstream, and how to connect to it.
pub struct Backend {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    /// Those of HTTP/1.1.
    connections: Connections,
    /// Those of HTTP/2, made when they are needed first: reading the system's CAs takes time.
    http2: OnceLock<Connector>,
    /// Cloned for each request over HTTP/2; the address and the name are the target's.
    template: HttpPeer,
    without_http2: WithoutHttp2,
}

/// What serves one request.
pub(super) enum Link {
    Http1(Connected),
    /// With whether the connection had served another request before.
    Http2(Box<Http2Session>, bool),
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

impl Backend {
    /// How to connect to this upstream.
    pub fn new(upstream: Arc<Upstream>) -> Self {
        let settings = &upstream.settings;
        let nowhere = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
        let mut template = HttpPeer::new(nowhere, false, String::new());
        // pingora keys its pools by address, name and the serial of the client's certificate, but not
        // by the CA.
        template.group_key = pool_key(settings);
        template.options.ca = settings.tls.ca.as_ref().map(|ca| ca.iter().map(wrapped).collect());
        template.client_cert_key = client_certificate(&settings.tls);
        template.options.idle_timeout = Some(KEPT);
        template.options.max_h2_streams = H2_STREAMS as usize;
        template.options.h2_stream_window_size = Some(H2_STREAM_WINDOW);
        // As much as all streams together, so that a slow reader holds up none but itself.
        template.options.h2_connection_window_size = Some(H2_STREAM_WINDOW * H2_STREAMS);
        template.options.tcp_keepalive = Some(KEEPALIVE);
        Self {
            connections: Connections::new(settings),
            http2: OnceLock::new(),
            template,
            without_http2: WithoutHttp2::default(),
            upstream,
        }
    }

    /// What serves a request at this target, set up within this time.
    pub(super) async fn link(
        &self,
        target: &Arc<Target>,
        tunnel: bool,
        time: Duration,
    ) -> Result<Link> {
        if self.asks_for_http2(target, tunnel) {
            // In a box: it has room for a handshake.
            if let Some(link) = Box::pin(self.link_by_http2(target, time)).await? {
                return Ok(link);
            }
            self.give_up_http2(target);
        }
        self.connections.connect(target, tunnel, time).await.map(Link::Http1)
    }

    /// A stream of HTTP/2 has ended.
    pub(super) async fn give_back(&self, session: Http2Session, target: &Target) {
        let (Some(connector), Some(peer)) = (self.http2.get(), self.peer(target)) else { return };
        connector.release_http_session(HttpSession::H2(session), &peer, Some(KEPT)).await;
    }

    /// The server has none, or wants HTTP/1.1 for what it was asked. Tells whether that can be spoken.
    pub(super) fn give_up_http2(&self, target: &Target) -> bool {
        let speaks_http1 = target.protocol == Protocol::Https;
        if speaks_http1 {
            self.without_http2.note(&target.address);
        }
        speaks_http1
    }

    /// A tunnel is made by HTTP/1.1, where that is spoken.
    fn asks_for_http2(&self, target: &Target, tunnel: bool) -> bool {
        match target.protocol {
            Protocol::Http => false,
            Protocol::H2c => true,
            Protocol::Https => {
                let is_asked = self.upstream.settings.http2 && !tunnel;
                is_asked && !self.without_http2.holds(&target.address)
            }
        }
    }

    /// None where the server has no HTTP/2. What pingora has connected then is not used: it would read
    /// HTTP/1.1 leniently.
    async fn link_by_http2(&self, target: &Target, time: Duration) -> Result<Option<Link>> {
        let unnamed = || Error::explain(ErrorType::TLSHandshakeFailure, "no name to verify");
        let mut peer = self.peer(target).ok_or_else(unnamed)?;
        peer.options.connection_timeout = Some(time);
        peer.options.total_connection_timeout = Some(time);
        let options = || ConnectorOptions::new(H2_KEPT);
        let connector = self.http2.get_or_init(|| Connector::new(Some(options())));
        Ok(match connector.get_http_session(&peer).await? {
            (HttpSession::H2(session), was_used) => Some(Link::Http2(Box::new(session), was_used)),
            _ => None,
        })
    }

    /// The target in pingora's terms, for HTTP/2.
    fn peer(&self, target: &Target) -> Option<HttpPeer> {
        let mut peer = self.template.clone();
        peer._address = match &target.address {
            Address::Tcp(address) => SocketAddr::Inet(*address),
            Address::Unix(path) => SocketAddr::Unix(UnixAddress::from_pathname(path).ok()?),
        };
        peer.options.alpn = ALPN::H2;
        if target.protocol == Protocol::Https {
            // Never without a name: pingora would verify nothing.
            target.tls_name.as_ref()?.as_str().clone_into(&mut peer.sni);
            peer.scheme = Scheme::HTTPS;
            peer.options.alpn = ALPN::H2H1;
        }
        Some(peer)
    }
}

fn pool_key(settings: &Settings) -> u64 {
    let mut identity = settings.name.clone().into_bytes();
    let client = settings.tls.client.iter().flat_map(|client| client.chain.iter());
    let ca = settings.tls.ca.iter().flat_map(|ca| ca.iter());
    for certificate in ca.chain(client) {
        identity.extend_from_slice(&key(certificate).to_le_bytes());
    }
    key(&identity)
}

fn client_certificate(tls: &Tls) -> Option<Arc<CertKey>> {
    let client = tls.client.as_ref()?;
    let chain = client.chain.iter().map(|certificate| certificate.to_vec()).collect();
    Some(Arc::new(CertKey::new(chain, client.key.secret_der().to_vec())))
}

fn wrapped(certificate: &rustls_pki_types::CertificateDer<'static>) -> WrappedX509 {
    WrappedX509::new(certificate.to_vec(), parse_x509)
}
