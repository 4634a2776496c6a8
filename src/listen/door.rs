//! The door: it holds a connection between its requests without the future of a request.
//!
//! pingora's own loop keeps a request future of some 37 KB and a read buffer for every idle keep-alive
//! connection; here an idle connection costs what its socket and a small buffer do. The door is also
//! where the deadline of a head, the strict reading of it and the cap on connections are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use pingora_core::apps::{
    HttpPersistentSettings, HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp,
};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::{ALPN, Stream};
use pingora_core::server::ShutdownWatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing::debug;

use super::head::{self, Beginning};
use super::{Observer, RefusedHead};
use crate::identity::forwarded::new_request_id;
use crate::lifecycle::in_flight::InFlight;
use crate::policy::limits::{LINGER, Limits};
use crate::refusal::Refusal;

/// Holds connections for a handler of requests.
#[derive(Debug)]
pub struct Door<A> {
    handler: Arc<A>,
    http2: Arc<Http2<A>>,
    limits: Limits,
    h2c: bool,
    requests: InFlight,
    connections: InFlight,
    observer: Arc<dyn Observer>,
}

/// The same handler for the streams of HTTP/2 connections, on pingora's own loop.
#[derive(Debug)]
struct Http2<A> {
    handler: Arc<A>,
    options: HttpServerOptions,
    requests: InFlight,
}

impl<A: HttpServerApp + Send + Sync + 'static> Door<A> {
    /// A door to this handler. `requests` counts those under way, `connections` those held; `observer` is
    /// told of what the handler does not see.
    pub fn new(
        handler: Arc<A>,
        limits: Limits,
        h2c: bool,
        requests: InFlight,
        connections: InFlight,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let mut options = HttpServerOptions::default();
        options.h2c = true;
        options.h2_idle_timeout = Some(limits.keepalive);
        let http2 =
            Arc::new(Http2 { handler: handler.clone(), options, requests: requests.clone() });
        Self { handler, http2, limits, h2c, requests, connections, observer }
    }

    /// Serves the requests of one HTTP/1 connection, or turns to HTTP/2 where its preface comes.
    async fn serve(&self, mut stream: Stream, shutdown: &ShutdownWatch) {
        let mut settings: Option<HttpPersistentSettings> = None;
        let mut stopping = shutdown.clone();
        let mut http2_possible = self.h2c && stream.get_ssl_digest().is_none();
        // A new connection has as long for its first byte as for the rest of the head.
        let mut silence = self.limits.header_timeout;
        loop {
            let first = tokio::select! {
                biased;
                first = head::first_byte(&mut stream, silence) => first,
                _ = stopping.wait_for(|stop| *stop) => return,
            };
            let Some(first) = first else { return };
            let begun = Instant::now();
            let request = self.requests.enter();
            let beginning = head::next(&mut stream, &self.limits, first, http2_possible).await;
            let bytes = match beginning {
                Beginning::Http1(bytes) => bytes,
                Beginning::Http2 => return drop(self.http2.process_new(stream, shutdown).await),
                Beginning::Nothing => return,
                Beginning::Refused(refusal) => {
                    return self.refuse(stream, &refusal, begun).await;
                }
            };
            let mut session = ServerSession::new_http1(stream);
            if let Some(settings) = settings.take() {
                settings.apply_to_session(&mut session);
            }
            session.set_keepalive(Some(self.limits.keepalive.as_secs()));
            session.set_pipelined_prefix(bytes);
            let Some(reused) = self.handler.process_new_http(session, shutdown).await else {
                return;
            };
            drop(request);
            (stream, settings) = reused.consume();
            silence = self.limits.keepalive;
            http2_possible = false;
        }
    }

    /// Answers a head that is not handed on, and closes the connection.
    async fn refuse(&self, mut stream: Stream, refusal: &Refusal, begun: Instant) {
        debug!("a request was refused at the door: {refusal}");
        let request_id = new_request_id();
        let request_id = request_id.to_str().unwrap_or_default();
        let peer = peer(&stream);
        self.observer.refused(RefusedHead { refusal, request_id, peer, took: begun.elapsed() });
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
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> ServerApp for Door<A> {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let Some(_connection) = self.connections.enter_below(self.limits.connections) else {
            self.observer.turned_away();
            debug!("a connection over the limit of [limits] connections was closed");
            return None;
        };
        self.observer.accepted();
        match stream.selected_alpn_proto() {
            Some(ALPN::H2) => drop(self.http2.process_new(stream, shutdown).await),
            _ => self.serve(stream, shutdown).await,
        }
        None
    }

    async fn cleanup(&self) {
        self.handler.http_cleanup().await;
    }
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> HttpServerApp for Http2<A> {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        // HTTP/1 has to come by the door's own loop.
        if !session.is_http2() {
            return None;
        }
        let _request = self.requests.enter();
        self.handler.process_new_http(session, shutdown).await
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }
}

fn peer(stream: &Stream) -> Option<SocketAddr> {
    let digest = stream.get_socket_digest()?;
    digest.peer_addr()?.as_inet().copied()
}
