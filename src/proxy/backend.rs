//! An upstream in pingora's terms: the part of a peer that all of its requests have in common.

use std::os::unix::net::SocketAddr as UnixAddress;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Version;
use pingora_core::protocols::ALPN;
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::upstreams::peer::{HttpPeer, Scheme};
use pingora_core::utils::tls::{CertKey, WrappedX509, parse_x509};

use super::upstream_connection::{Connections, Connector, KEEPALIVE, KEPT, Times};
use crate::upstream::{Address, Protocol, Settings, Target, Tls, Upstream, key};

/// Requests at once on one HTTP/2 connection, as most servers allow.
const H2_STREAMS: u32 = 100;
/// What a slow client can make the gateway hold of one answer; pingora's own default is 8 MiB.
const H2_STREAM_WINDOW: u32 = 256 << 10;
/// An upstream, and how to connect to it.
#[derive(Debug)]
pub struct Backend {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    /// Cloned for each request, which costs no allocation; the address and the name are the target's.
    template: HttpPeer,
    /// Those of HTTP/1.1. pingora makes and keeps those of HTTP/2.
    connections: Arc<Connections>,
    /// HTTP/2 is asked for with its servers of `https`, and none was found that has none.
    http2: AtomicBool,
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
        template.options.idle_timeout = Some(KEPT);
        template.options.max_h2_streams = H2_STREAMS as usize;
        template.options.h2_stream_window_size = Some(H2_STREAM_WINDOW);
        // As much as all streams together, so that a slow reader holds up none but itself.
        template.options.h2_connection_window_size = Some(H2_STREAM_WINDOW * H2_STREAMS);
        template.options.tcp_keepalive = Some(KEEPALIVE);
        let (connections, http2) = (Connections::new(settings), settings.http2.into());
        Self { upstream, template, connections, http2 }
    }

    /// The peer for a request to this target, and what connects to it by HTTP/1.1. A tunnel is made by
    /// that, whatever else is spoken.
    pub(super) fn peer(
        &self,
        target: &Arc<Target>,
        tunnel: bool,
        times: Times,
    ) -> Option<(Box<HttpPeer>, Option<Arc<Connector>>)> {
        let mut peer = Box::new(self.template.clone());
        peer._address = match &target.address {
            Address::Tcp(address) => SocketAddr::Inet(*address),
            Address::Unix(path) => SocketAddr::Unix(UnixAddress::from_pathname(path).ok()?),
        };
        let asks_http2 = !tunnel && self.http2.load(Ordering::Relaxed);
        match target.protocol {
            Protocol::H2c => peer.options.alpn = ALPN::H2,
            Protocol::Https if asks_http2 => {
                // Never without a name: pingora would verify nothing.
                target.tls_name.as_ref()?.as_str().clone_into(&mut peer.sni);
                peer.scheme = Scheme::HTTPS;
                peer.options.alpn = ALPN::H2H1;
            }
            Protocol::Http | Protocol::Https => {
                // pingora would set timers for a connection that is kept, too.
                let connector = self.connections.connector(target, tunnel, times);
                peer.options.custom_l4 = Some(connector.clone());
                return Some((peer, Some(connector)));
            }
        }
        peer.options.connection_timeout = Some(times.connect);
        peer.options.total_connection_timeout = Some(times.connect);
        peer.options.read_timeout = (!tunnel).then_some(times.silence);
        Some((peer, None))
    }

    /// A server has answered in this version. Where it was asked for HTTP/2 and has none, pingora's own
    /// connection would be used again for HTTP/1.1, and read leniently: all others are our own.
    pub(super) fn answered_in(&self, version: Version, by_own_connection: bool) {
        if version != Version::HTTP_2 && !by_own_connection {
            self.http2.store(false, Ordering::Relaxed);
        }
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
