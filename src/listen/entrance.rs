//! What a connection goes through before its first request: the header of the PROXY protocol, the cap
//! of its address, the handshake of TLS; each where the listener has it, all of it in one time.

use std::net::SocketAddr;
use std::sync::Arc;

use pingora_core::protocols::Stream;
use pingora_timeout::timeout;
use tokio::io::AsyncWriteExt;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use super::connection::{Connection, peer_of};
use super::per_address::{Held, PerAddress};
use super::proxy_protocol;
use super::sockets::Shared;
use super::stall::Stall;
use super::tls::Served;
use crate::lifecycle::closer::Closer;
use crate::telemetry::seldom::Seldom;

/// The way in at one listener.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) proxy_protocol: bool,
    pub(super) tls: Option<Arc<Served>>,
    pub(super) per_address: PerAddress,
    pub(super) shared: Shared,
    pub(super) strangers: Seldom,
}

/// A connection that came in.
pub(super) struct Entered {
    pub(super) connection: Connection,
    pub(super) _held: Option<Held>,
}

impl Entrance {
    /// Lets a connection in, or closes it.
    pub(super) async fn pass(&self, mut stream: Stream, closer: &Closer) -> Option<Entered> {
        if !self.proxy_protocol && self.tls.is_none() {
            let _held = self.hold(peer_of(&stream))?;
            let connection = Connection::plain(stream, None, closer.clone(), self.stall());
            return Some(Entered { connection, _held });
        }
        // Not part of what is held for as long as the connection lives.
        let passing = Box::pin(async {
            let client = match self.proxy_protocol {
                true => self.client(&mut stream).await?,
                false => None,
            };
            let _held = self.hold(client.or_else(|| peer_of(&stream)))?;
            let connection = match &self.tls {
                None => Connection::plain(stream, client, closer.clone(), self.stall()),
                Some(tls) => {
                    let stream = shake_hands(tls, stream).await?;
                    Connection::tls(Box::new(stream), client, closer.clone(), self.stall())
                }
            };
            Some(Entered { connection, _held })
        });
        let time = self.shared.limits.load().header_timeout;
        timeout(time, passing).await.ok().flatten()
    }

    fn stall(&self) -> Stall {
        Stall::new(self.shared.limits.clone())
    }

    /// The client that the peer's PROXY header names; nothing at all where it is not to be believed.
    async fn client(&self, stream: &mut Stream) -> Option<Option<SocketAddr>> {
        let trusts = |peer: &SocketAddr| self.shared.trusted_proxies.load().contains(peer.ip());
        // Who may connect to a unix socket is for the rights of its file to say.
        if let Some(peer) = peer_of(stream).filter(|peer| !trusts(peer)) {
            if self.strangers.may_speak() {
                warn!(
                    "a connection was closed: {} is not in [server] trusted_proxies, and this listener \
                     takes PROXY headers from them only",
                    peer.ip()
                );
            }
            return None;
        }
        match proxy_protocol::read(stream).await {
            Ok(client) => Some(client),
            Err(error) => {
                debug!("a connection was closed: {error}");
                None
            }
        }
    }

    /// Counts a connection of this address; nothing at all where it has too many.
    fn hold(&self, address: Option<SocketAddr>) -> Option<Option<Held>> {
        let most = self.shared.limits.load().connections_per_address;
        let (Some(most), Some(address)) = (most, address) else { return Some(None) };
        // A trusted proxy stands for many clients.
        if self.shared.trusted_proxies.load().contains(address.ip()) {
            return Some(None);
        }
        let held = self.per_address.enter(address.ip(), most).map(Some);
        if held.is_none() {
            self.shared.observer.turned_away();
            debug!("a connection over [limits] connections_per_address was closed");
        }
        held
    }
}

async fn shake_hands(tls: &Served, stream: Stream) -> Option<TlsStream<Stream>> {
    match tls.acceptor().accept(stream).into_fallible().await {
        Ok(stream) => Some(stream),
        Err((error, mut stream)) => {
            debug!("a TLS handshake failed: {error}");
            // The alert that says so is in the buffer still. A client that is gone is not told.
            let _ = stream.flush().await;
            None
        }
    }
}
