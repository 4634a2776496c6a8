//! An upstream in pingora's terms: the part of a peer that all of its requests have in common.

use std::os::unix::net::SocketAddr as UnixAddress;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pingora_core::protocols::ALPN;
use pingora_core::protocols::TcpKeepalive;
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::upstreams::peer::{HttpPeer, Scheme};
use pingora_core::utils::tls::{CertKey, WrappedX509, parse_x509};

use super::tunnel::Handshake;
use crate::upstream::{Address, Protocol, Settings, Target, Tls, Upstream, key};

/// Below the 60 s after which many servers close, so that it is us who do.
const POOL_IDLE: Duration = Duration::from_secs(55);
/// Requests at once on one HTTP/2 connection, as most servers allow.
const H2_STREAMS: u32 = 100;
/// What a slow client can make the gateway hold of one answer; pingora's own default is 8 MiB.
const H2_STREAM_WINDOW: u32 = 256 << 10;
/// A peer that is gone without a word is found out by TCP. Pings of HTTP/2 would do it too, but
/// gRPC servers end connections that ping more than once in five minutes.
const KEEPALIVE: TcpKeepalive = TcpKeepalive {
    idle: Duration::from_secs(60),
    interval: Duration::from_secs(10),
    count: 3,
    user_timeout: Duration::from_secs(30),
};

/// An upstream, and how to connect to it.
#[derive(Debug)]
pub struct Backend {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    /// Cloned for each request, which costs no allocation; the address and the name are the target's.
    template: HttpPeer,
    http2: bool,
}

impl Backend {
    /// How to connect to this upstream.
    pub fn new(upstream: Arc<Upstream>) -> Self {
        let settings = &upstream.settings;
        let nowhere = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
        let mut template = HttpPeer::new(nowhere, false, String::new());
        // pingora keys its pools by address, name and the serial of the client's certificate, but not
        // by the CA: without this a connection that one upstream's CA let through could serve another.
        template.group_key = pool_key(settings);
        template.options.ca = settings.tls.ca.as_ref().map(|ca| ca.iter().map(wrapped).collect());
        template.client_cert_key = client_certificate(&settings.tls);
        template.options.idle_timeout = Some(POOL_IDLE);
        template.options.max_h2_streams = H2_STREAMS as usize;
        template.options.h2_stream_window_size = Some(H2_STREAM_WINDOW);
        // As much as all streams together, so that a slow reader holds up none but itself.
        template.options.h2_connection_window_size = Some(H2_STREAM_WINDOW * H2_STREAMS);
        template.options.tcp_keepalive = Some(KEEPALIVE);
        let http2 = settings.http2;
        Self { upstream, template, http2 }
    }

    /// The peer for a request to this target. A tunnel is made by HTTP/1.1, whatever else is spoken.
    pub(super) fn peer(
        &self,
        target: &Target,
        tunnel: Option<&Handshake>,
    ) -> Option<Box<HttpPeer>> {
        let mut peer = Box::new(self.template.clone());
        peer._address = match &target.address {
            Address::Tcp(address) => SocketAddr::Inet(*address),
            Address::Unix(path) => SocketAddr::Unix(UnixAddress::from_pathname(path).ok()?),
        };
        match target.protocol {
            Protocol::Http => {}
            Protocol::H2c => peer.options.alpn = ALPN::H2,
            Protocol::Https => {
                // Never without a name: pingora would verify nothing.
                target.tls_name.as_ref()?.as_str().clone_into(&mut peer.sni);
                peer.scheme = Scheme::HTTPS;
                if self.http2 && tunnel.is_none() {
                    peer.options.alpn = ALPN::H2H1;
                }
            }
        }
        if let Some(handshake) = tunnel
            && peer.options.alpn == ALPN::H1
        {
            has_its_own_connection(&mut peer, handshake);
        }
        Some(peer)
    }
}

/// A tunnel's connection is made for it, and serves nothing else where the upstream wants no tunnel.
fn has_its_own_connection(peer: &mut HttpPeer, handshake: &Handshake) {
    static TUNNELS: AtomicU64 = AtomicU64::new(0);
    let number = TUNNELS.fetch_add(1, Ordering::Relaxed);
    let identity = [peer.group_key.to_le_bytes(), number.to_le_bytes()];
    peer.group_key = key(&identity.concat());
    peer.options.idle_timeout = Some(Duration::ZERO);
    peer.options.custom_l4 = Some(handshake.connector());
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
