//! HTTP/2 connections: pingora's own loop over h2, with bounds on what one may cost.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use parking_lot::Mutex;
use pingora_core::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora_core::server::ShutdownWatch;

use super::frames::Frames;
use super::watched::Watched;
use crate::lifecycle::in_flight::{Guard, InFlight};
use crate::policy::limits::Limits;

/// Requests at once on one connection (RFC 9113, 6.5.2, recommends no fewer).
const STREAMS: u32 = 100;
/// What a client may send of one body before it is read.
const STREAM_WINDOW: u32 = 64 << 10;
/// The same for all bodies of a connection.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// What is held of one answer that the client does not take.
const SEND_BUFFER: usize = 64 << 10;
/// Streams that the gateway had to reset for what the client did, in the life of a connection
/// (CVE-2025-8671).
const PROVOKED_RESETS: usize = 64;
/// What HPACK counts for a field besides its name and value (RFC 7541, 4.1).
const FIELD_OVERHEAD: usize = 32;

/// A handler for the streams of HTTP/2 connections.
pub(super) struct Http2<A> {
    handler: Arc<A>,
    options: HttpServerOptions,
    bounds: H2Options,
    header_timeout: Duration,
    requests: InFlight,
    /// Until the first request.
    arrival: Mutex<Option<Guard>>,
}

impl<A> fmt::Debug for Http2<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2").finish_non_exhaustive()
    }
}

impl<A: HttpServerApp + Send + Sync + 'static> Http2<A> {
    /// For a connection that counts as one that has just come until its first request.
    pub(super) fn new(
        handler: Arc<A>,
        limits: &Limits,
        requests: InFlight,
        arrival: Guard,
    ) -> Self {
        let mut options = HttpServerOptions::default();
        options.h2c = true;
        options.h2_idle_timeout = Some(limits.keepalive);
        let header_timeout = limits.header_timeout;
        let arrival = Mutex::new(Some(arrival));
        Self { handler, options, bounds: bounds(limits), header_timeout, requests, arrival }
    }

    /// Serves a connection of which so much was read: at most the preface.
    pub(super) async fn serve(
        self: &Arc<Self>,
        read: BytesMut,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) {
        let watched = Watched::after(read, stream, Frames::new(self.header_timeout));
        drop(self.process_new(Box::new(watched), shutdown).await);
    }
}

fn bounds(limits: &Limits) -> H2Options {
    let mut bounds = default_h2_options();
    // A little more than the limit, so that the guard answers in its own words.
    let overhead = FIELD_OVERHEAD * (limits.header_count + 8);
    let header_list = 2 * limits.header_size + limits.uri_length + overhead;
    bounds
        .max_header_list_size(u32::try_from(header_list).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS)
        .max_local_error_reset_streams(Some(PROVOKED_RESETS))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER);
    bounds
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
        // Only now: at no time is it neither.
        drop(self.arrival.lock().take());
        self.handler.process_new_http(session, shutdown).await
    }

    fn h2_options(&self) -> Option<H2Options> {
        Some(self.bounds.clone())
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }
}
