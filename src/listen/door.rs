//! The door: it holds a connection between its requests without the future of a request.
//!
//! pingora's own loop keeps a request future of some 37 KB and a read buffer for every idle keep-alive
//! connection; here an idle connection costs what its socket and a small buffer do. The door is also
//! where the deadline of a head, the strict reading of it and the cap on connections are.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::BytesMut;
use pingora_core::apps::{HttpPersistentSettings, HttpServerApp, ServerApp};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::{ALPN, Stream};
use pingora_core::server::ShutdownWatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing::debug;

use super::chunks::Chunks;
use super::head::{self, Beginning};
use super::http2::Http2;
use super::watched::Watched;
use crate::identity::forwarded::new_request_id;
use crate::lifecycle::in_flight::InFlight;
use crate::lifecycle::stopping::Stopping;
use crate::policy::limits::{LINGER, Limits};
use crate::refusal::Refusal;

/// Holds connections for a handler of requests.
#[derive(Debug)]
pub struct Door<A> {
    handler: Arc<A>,
    /// As they are when a connection or a request begins.
    limits: Arc<ArcSwap<Limits>>,
    h2c: bool,
    stopping: Stopping,
    requests: InFlight,
    connections: InFlight,
}

impl<A: HttpServerApp + Send + Sync + 'static> Door<A> {
    /// A door to this handler. `requests` counts those under way, `connections` those held.
    pub fn new(
        handler: Arc<A>,
        limits: Arc<ArcSwap<Limits>>,
        h2c: bool,
        stopping: Stopping,
        requests: InFlight,
        connections: InFlight,
    ) -> Self {
        Self { handler, limits, h2c, stopping, requests, connections }
    }

    /// Serves the streams of one HTTP/2 connection. Its client hears that the gateway is about to stop
    /// when that begins, and not only when the listener closes: what it has begun ends here, and its
    /// next connection goes elsewhere (GOAWAY, RFC 9113, 6.8).
    async fn serve_http2(&self, read: BytesMut, stream: Stream) {
        let (handler, requests) = (self.handler.clone(), self.requests.clone());
        let http2 = Arc::new(Http2::new(handler, &self.limits.load(), requests));
        http2.serve(read, stream, &self.stopping.watch()).await;
    }

    /// Serves the requests of one HTTP/1 connection, or turns to HTTP/2 where its preface comes.
    async fn serve(&self, stream: Stream, shutdown: &ShutdownWatch) {
        let plain = stream.get_ssl_digest().is_none();
        let mut connection = Connection { stream, settings: None, http2: self.h2c && plain };
        let mut stopping = shutdown.clone();
        // A new connection has as long for its first byte as for the rest of the head.
        let mut silence = self.limits.load().header_timeout;
        loop {
            let first = tokio::select! {
                biased;
                first = head::first_bytes(&mut connection.stream, silence) => first,
                _ = stopping.wait_for(|stop| *stop) => return,
            };
            let Some(first) = first else { return };
            // In a box of its own, which is gone while the connection waits.
            let request = Box::pin(self.request(connection, first, shutdown));
            let Some(reused) = request.await else { return };
            connection = reused;
            silence = self.limits.load().keepalive;
        }
    }

    /// Serves one request; gives the connection back where it goes on.
    async fn request(
        &self,
        connection: Connection,
        first: BytesMut,
        shutdown: &ShutdownWatch,
    ) -> Option<Connection> {
        let Connection { mut stream, settings, http2 } = connection;
        let _request = self.requests.enter();
        let limits = self.limits.load_full();
        let (bytes, chunks) = match head::next(&mut stream, &limits, first, http2).await {
            Beginning::Http1(bytes, chunks) => (bytes, chunks),
            Beginning::Http2(bytes) => {
                self.serve_http2(bytes, stream).await;
                return None;
            }
            Beginning::Nothing => return None,
            Beginning::Refused(refusal) => {
                refuse(stream, &refusal).await;
                return None;
            }
        };
        let chunked = chunks.is_some();
        if let Some(chunks) = chunks {
            stream = Box::new(Watched::new(stream, chunks));
        }
        let mut session = ServerSession::new_http1(stream);
        if let Some(settings) = settings {
            settings.apply_to_session(&mut session);
        }
        session.set_keepalive(Some(limits.keepalive.as_secs()));
        session.set_pipelined_prefix(bytes);
        let reused = self.handler.process_new_http(session, shutdown).await?;
        let (mut stream, settings) = reused.consume();
        if chunked {
            stream = Watched::<Chunks>::unwatched(stream)?;
        }
        Some(Connection { stream, settings, http2: false })
    }
}

/// A connection between its requests.
struct Connection {
    stream: Stream,
    settings: Option<HttpPersistentSettings>,
    /// Whether the preface of HTTP/2 may come.
    http2: bool,
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> ServerApp for Door<A> {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let most = self.limits.load().connections;
        let Some(held) = self.connections.enter_below(most) else {
            debug!("a connection over the limit of [limits] connections was closed");
            return None;
        };
        let (door, shutdown) = (self.clone(), shutdown.clone());
        // A task of its own: pingora's has room for a TLS handshake, which is over, and ends here.
        tokio::spawn(async move {
            match stream.selected_alpn_proto() {
                Some(ALPN::H2) => Box::pin(door.serve_http2(BytesMut::new(), stream)).await,
                _ => door.serve(stream, &shutdown).await,
            }
            drop(held);
        });
        None
    }

    async fn cleanup(&self) {
        self.handler.http_cleanup().await;
    }
}

/// Answers a head that is not handed on, and closes the connection.
async fn refuse(mut stream: Stream, refusal: &Refusal) {
    debug!("a request was refused at the door: {refusal}");
    let request_id = new_request_id();
    let request_id = request_id.to_str().unwrap_or_default();
    let body = refusal.body(request_id);
    let status = http::StatusCode::from_u16(refusal.status()).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nX-Request-Id: {}\r\nConnection: close\r\n\r\n{body}",
        status.as_str(),
        status.canonical_reason().unwrap_or_default(),
        body.len(),
        request_id,
    );
    // A client that is gone is not told.
    if stream.write_all(answer.as_bytes()).await.is_ok() {
        let _ = AsyncWriteExt::shutdown(&mut stream).await;
        // Closing on bytes that nobody read is a reset, which can overtake the answer.
        let mut unread = [0; 4 << 10];
        let rest = async { while matches!(stream.read(&mut unread).await, Ok(1..)) {} };
        let _ = tokio::time::timeout(LINGER, rest).await;
    }
}
