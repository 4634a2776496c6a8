//! The door: it holds a connection between its requests without the future of a request.
//!
//! pingora's own loop keeps a request future of some 37 KB and a read buffer for every idle keep-alive
//! connection; here an idle connection costs what its socket and a small buffer do. The door is also
//! where the deadline of a head, the strict reading of it and the cap on connections are.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::BytesMut;
use pingora_core::apps::{HttpPersistentSettings, HttpServerApp, ServerApp};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::{ALPN, Stream};
use pingora_core::server::ShutdownWatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep_until;
use tracing::debug;

use super::chunked_body::ChunkedBody;
use super::connection::peer_of;
use super::entrance::{Entered, Entrance};
use super::head::{self, Beginning};
use super::http2::Http2;
use super::observer::RefusedHead;
use super::sockets::Shared;
use super::watched::Watched;
use crate::identity::forwarded::new_request_id;
use crate::lifecycle::closer::{Closer, Closers};
use crate::lifecycle::in_flight::{Guard, InFlight};
use crate::lifecycle::patience::Patience;
use crate::policy::limits::LINGER;
use crate::refusal::Refusal;

/// So long a connection that has just come is waited for when the listener closes: its client began before, and
/// takes a connection that ends without an answer for a failure.
pub(super) const JUST_COME: Duration = Duration::from_secs(1);

/// Holds the connections of one listener for a handler of requests.
#[derive(Debug)]
pub(super) struct Door<A> {
    hall: Hall<A>,
    entrance: Entrance,
    h2c: bool,
}

/// What the doors of all listeners have in common.
#[derive(Debug)]
pub(super) struct Hall<A> {
    pub(super) handler: Arc<A>,
    pub(super) shared: Shared,
    /// Counts the connections that have not sent their first request.
    pub(super) arrivals: InFlight,
    /// Counts the connections of HTTP/2.
    pub(super) multiplexed: InFlight,
    /// Says when idle connections are closed.
    pub(super) closing: ShutdownWatch,
    /// The connections that are open: reads and writes on all of them can be made to fail, so that
    /// requests come to their end and to the log.
    pub(super) open: Closers,
}

impl<A> Clone for Hall<A> {
    fn clone(&self) -> Self {
        Self {
            handler: self.handler.clone(),
            shared: self.shared.clone(),
            arrivals: self.arrivals.clone(),
            multiplexed: self.multiplexed.clone(),
            closing: self.closing.clone(),
            open: self.open.clone(),
        }
    }
}

impl<A: HttpServerApp + Send + Sync + 'static> Door<A> {
    /// A door to the hall. `h2c` lets HTTP/2 in by its preface where no TLS is spoken.
    pub(super) fn new(hall: Hall<A>, entrance: Entrance, h2c: bool) -> Self {
        Self { hall, entrance, h2c }
    }

    /// Serves a connection until it ends, or all are cut off.
    async fn hold(&self, stream: Stream, shutdown: &ShutdownWatch, arrival: Guard) {
        let closer = Closer::default();
        let _open = self.hall.open.enter(&closer);
        // In a box: the future of a handshake is large, and gone with it.
        let entered = Box::pin(self.entrance.pass(stream, &closer)).await;
        let Some(Entered { connection, _held }) = entered else { return };
        let stream: Stream = Box::new(connection);
        match stream.selected_alpn_proto() {
            Some(ALPN::H2) => {
                Box::pin(self.serve_http2(BytesMut::new(), stream, arrival)).await;
            }
            _ => self.serve(stream, shutdown, arrival).await,
        }
    }

    /// Serves the streams of one HTTP/2 connection. Its client hears that the gateway is about to stop
    /// when that begins, and not only when the listener closes: what it has begun ends here, and its
    /// next connection goes elsewhere (GOAWAY, RFC 9113, 6.8).
    async fn serve_http2(&self, read: BytesMut, stream: Stream, arrival: Guard) {
        let _open = self.hall.multiplexed.enter();
        let (handler, shared) = (self.hall.handler.clone(), &self.hall.shared);
        let http2 = Http2::new(handler, &shared.limits.load(), shared.requests.clone(), arrival);
        Arc::new(http2).serve(read, stream, &shared.stopping.watch()).await;
    }

    /// Serves the requests of one HTTP/1 connection, or turns to HTTP/2 where its preface comes.
    async fn serve(&self, stream: Stream, shutdown: &ShutdownWatch, arrival: Guard) {
        let plain = stream.get_ssl_digest().is_none();
        let mut connection = Connection { stream, settings: None, http2: self.h2c && plain };
        let mut stopping = shutdown.clone();
        let mut leaving = pin!(leave(&mut stopping, Instant::now() + JUST_COME));
        let mut arrival = Some(arrival);
        // A new connection has as long for its first byte as for the rest of the head.
        let mut silence = Patience::new(self.hall.shared.limits.load().header_timeout);
        loop {
            let first = tokio::select! {
                biased;
                first = head::first_bytes(&mut connection.stream) => first,
                () = silence.is_over() => return,
                () = &mut leaving => return,
            };
            let Some(first) = first else { return };
            let under_way = self.hall.shared.requests.enter();
            // Only now: at no time is it neither.
            drop(arrival.take());
            // In a box of its own, which is gone while the connection waits.
            let request = Box::pin(self.request(connection, first, shutdown, under_way));
            let Some(reused) = request.await else { return };
            connection = reused;
            silence.begin(self.hall.shared.limits.load().keepalive);
        }
    }

    /// Serves one request; gives the connection back where it goes on.
    async fn request(
        &self,
        connection: Connection,
        first: BytesMut,
        shutdown: &ShutdownWatch,
        under_way: Guard,
    ) -> Option<Connection> {
        let begun = Instant::now();
        let Connection { mut stream, settings, http2 } = connection;
        let limits = self.hall.shared.limits.load_full();
        let (bytes, chunks) = match head::next(&mut stream, &limits, first, http2).await {
            Beginning::Http1(bytes, chunks) => (bytes, chunks),
            Beginning::Http2(bytes) => {
                // A connection is no request: it has yet to send its first one.
                let arrival = self.hall.arrivals.enter();
                drop(under_way);
                self.serve_http2(bytes, stream, arrival).await;
                return None;
            }
            Beginning::Nothing => return None,
            Beginning::Refused(refusal) => {
                // In a box: every request's future would have room for it, and be moved with it.
                Box::pin(self.refuse(stream, &refusal, begun)).await;
                return None;
            }
        };
        let chunked = chunks.is_some();
        if let Some(chunks) = chunks {
            stream = Box::new(Watched::new(stream, ChunkedBody::new(chunks)));
        }
        let mut session = ServerSession::new_http1(stream);
        if let Some(settings) = settings {
            settings.apply_to_session(&mut session);
        }
        session.set_keepalive(Some(limits.keepalive.as_secs()));
        session.set_pipelined_prefix(bytes);
        let reused = self.hall.handler.process_new_http(session, shutdown).await?;
        let (mut stream, settings) = reused.consume();
        if chunked {
            stream = Watched::<ChunkedBody>::unwatched(stream)?;
        }
        Some(Connection { stream, settings, http2: false })
    }

    /// Answers a head that is not handed on, and closes the connection.
    async fn refuse(&self, mut stream: Stream, refusal: &Refusal, begun: Instant) {
        debug!("a request was refused at the door: {refusal}");
        let request_id = new_request_id();
        let request_id = request_id.to_str().unwrap_or_default();
        let (peer, took) = (peer_of(&stream), begun.elapsed());
        self.hall.shared.observer.refused(RefusedHead { refusal, request_id, peer, took });
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

/// When a connection that waits for a request is closed: as soon as the listener is, or a little later where
/// it has only just come and its client could not know.
async fn leave(stopping: &mut ShutdownWatch, stays_until: Instant) {
    // An error means that nobody is there any more to say it.
    let _ = stopping.wait_for(|stop| *stop).await;
    // In a box: each idle connection would have room for it.
    Box::pin(sleep_until(stays_until.into())).await;
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
        // Whoever holds one of these has not handed his connection over: see `Listening::stop`.
        _accepting: &ShutdownWatch,
    ) -> Option<Stream> {
        let shared = &self.hall.shared;
        let Some(held) = shared.connections.enter_below(shared.limits.load().connections) else {
            shared.observer.turned_away();
            debug!("a connection over the limit of [limits] connections was closed");
            return None;
        };
        shared.observer.accepted();
        let arrival = self.hall.arrivals.enter();
        let (door, shutdown) = (self.clone(), self.hall.closing.clone());
        // A task of its own: pingora's has room for a TLS handshake of its own, and ends here.
        tokio::spawn(async move {
            door.hold(stream, &shutdown, arrival).await;
            drop(held);
        });
        None
    }

    async fn cleanup(&self) {
        self.hall.handler.http_cleanup().await;
    }
}
