//! The door: it holds a connection between its requests without the future of a request.
//!
//! pingora's own loop keeps a request future of some 37 KB and a read buffer for every idle keep-alive
//! connection; here an idle connection costs what its socket and a small buffer do. The door is also
//! where the deadline of a head, the strict reading of it and the cap on connections are.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
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
    async fn serve_http2(&self, stream: Stream) {
        let (handler, requests) = (self.handler.clone(), self.requests.clone());
        let http2 = Arc::new(Http2::new(handler, &self.limits.load(), requests));
        http2.serve(stream, &self.stopping.watch()).await;
    }

    /// Serves the requests of one HTTP/1 connection, or turns to HTTP/2 where its preface comes.
    async fn serve(&self, mut stream: Stream, shutdown: &ShutdownWatch) {
        let mut settings: Option<HttpPersistentSettings> = None;
        let mut stopping = shutdown.clone();
        let mut http2_possible = self.h2c && stream.get_ssl_digest().is_none();
        // A new connection has as long for its first byte as for the rest of the head.
        let mut silence = self.limits.load().header_timeout;
        loop {
            let first = tokio::select! {
                biased;
                first = head::first_byte(&mut stream, silence) => first,
                _ = stopping.wait_for(|stop| *stop) => return,
            };
            let Some(first) = first else { return };
            let request = self.requests.enter();
            let limits = self.limits.load_full();
            let beginning = head::next(&mut stream, &limits, first, http2_possible).await;
            let (bytes, chunks) = match beginning {
                Beginning::Http1(bytes, chunks) => (bytes, chunks),
                Beginning::Http2 => return self.serve_http2(stream).await,
                Beginning::Nothing => return,
                Beginning::Refused(refusal) => return refuse(stream, &refusal).await,
            };
            let chunked = chunks.is_some();
            if let Some(chunks) = chunks {
                stream = Box::new(Watched::new(stream, chunks));
            }
            let mut session = ServerSession::new_http1(stream);
            if let Some(settings) = settings.take() {
                settings.apply_to_session(&mut session);
            }
            session.set_keepalive(Some(limits.keepalive.as_secs()));
            session.set_pipelined_prefix(bytes);
            let Some(reused) = self.handler.process_new_http(session, shutdown).await else {
                return;
            };
            drop(request);
            (stream, settings) = reused.consume();
            if chunked {
                let Some(unwatched) = Watched::<Chunks>::unwatched(stream) else { return };
                stream = unwatched;
            }
            silence = self.limits.load().keepalive;
            http2_possible = false;
        }
    }
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> ServerApp for Door<A> {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let most = self.limits.load().connections;
        let Some(_connection) = self.connections.enter_below(most) else {
            debug!("a connection over the limit of [limits] connections was closed");
            return None;
        };
        match stream.selected_alpn_proto() {
            Some(ALPN::H2) => self.serve_http2(stream).await,
            _ => self.serve(stream, shutdown).await,
        }
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
