//! The pingora adapter: one request of a client, from its head to the line in the log.

mod access_line;
mod action_body;
mod admission;
mod answer;
mod attempt;
mod avatar_later;
mod backend;
mod body_pace;
mod context;
mod cookie_crumbs;
mod cors;
mod endless;
pub mod explain;
mod failure;
mod forward;
mod hop_by_hop;
mod http10;
mod login_answer;
mod metrics;
mod outgoing;
mod peer;
mod read_ahead;
mod respond;
mod run_action;
mod spans;
mod state;
mod tunnel;
mod upstream_connection;
mod upstream_request;
mod without_http2;

use std::pin::pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use pingora_core::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream};
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::ShutdownWatch;
use pingora_error::ErrorType;
use tracing::debug;

pub use backend::Backend;
pub use context::Context;
pub use metrics::RequestMetrics;
pub use spans::begin as begin_span;
pub use state::State;

use self::admission::Admitted;
use self::context::Refused;
use self::failure::Failure;
use self::metrics::Ended;
use crate::policy::route::Action;
use crate::telemetry::traces::within;

/// The data plane's handler of requests.
#[derive(Debug)]
pub struct Gateway {
    state: Arc<ArcSwap<State>>,
}

impl Gateway {
    /// A handler with the state that is there when a request begins: it keeps that to its end.
    pub fn new(state: Arc<ArcSwap<State>>) -> Self {
        Self { state }
    }
}

#[async_trait]
impl HttpServerApp for Gateway {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if !read_head(&mut session).await {
            return None;
        }
        let mut ctx = Context::new(self.state.load_full());
        begin(&mut session, &ctx, *shutdown.borrow());
        let outcome = serve(&mut session, &mut ctx).await;
        let goes_on = match &outcome {
            Ok(goes_on) => *goes_on,
            Err(failure) => {
                give_up(&mut session, &mut ctx, failure).await;
                false
            }
        };
        end(&session, &mut ctx, outcome.is_ok());
        if !goes_on {
            return None;
        }
        let settings = HttpPersistentSettings::for_session(&session);
        let stream = session.finish().await.ok().flatten()?;
        Some(ReusedHttpStream::from_reusable_stream(stream, settings))
    }
}

/// Reads the head, which the door has seen whole.
async fn read_head(session: &mut ServerSession) -> bool {
    match session.read_request().await {
        Ok(is_there) => is_there,
        Err(error) => {
            debug!("a head that pingora does not read: {error}");
            if *error.etype() == ErrorType::InvalidHTTPHeader {
                // A client that is gone is not told.
                let _ = session.respond_error(400).await;
            }
            session.shutdown().await;
            false
        }
    }
}

fn begin(session: &mut ServerSession, ctx: &Context, closing: bool) {
    let limits = &ctx.state.limits;
    let stopping = closing || ctx.state.stopping.has_begun();
    session.set_keepalive((!stopping).then_some(limits.keepalive.as_secs()));
    http10::prepare(session);
    session.set_read_timeout(Some(limits.body_idle));
    session.set_write_timeout(Some(limits.body_idle));
}

/// Answers a request, or has it answered. Tells whether the client's connection goes on.
async fn serve(session: &mut ServerSession, ctx: &mut Context) -> Result<bool, Failure> {
    cookie_crumbs::join(session.req_header_mut());
    let outcome = match admission::admit(session, ctx).await {
        Ok(Admitted::Preflight) => {
            cors::answer_preflight(session, ctx).await.map_err(Failure::Client)?;
            return Ok(true);
        }
        Ok(Admitted::Request) if ctx.action() == Action::Proxy => {
            read_ahead::empty_body(session, ctx).await.map(|()| None)
        }
        Ok(Admitted::Request) => within(ctx.span.here(), pin!(run_action::run(session, ctx))).await,
        Err(refusal) => Err(refusal),
    };
    let answered = match outcome {
        Ok(None) => return forward::forward(session, ctx).await,
        Ok(Some(answer)) => respond::answer(session, ctx, answer).await,
        Err(refusal) => respond::refusal(session, ctx, refusal).await,
    };
    answered.map(|()| true).map_err(Failure::Client)
}

/// Tells the client what its request came to, where that can still be told.
async fn give_up(session: &mut ServerSession, ctx: &mut Context, failure: &Failure) {
    within(ctx.span.here(), pin!(login_answer::give_up(ctx))).await;
    failure::leave_behind(failure, session);
    match failure.refusal(ctx, session.is_body_done()) {
        Some(refusal) if !respond::has_begun(session) => {
            session.set_keepalive(None);
            // A client that is gone is not told.
            let _ = respond::refusal(session, ctx, refusal).await;
        }
        // Half an answer went out: closing is the only way to say that it is half of one.
        refusal => ctx.refusal = ctx.refusal.or_else(|| refusal.as_ref().map(Refused::from)),
    }
}

/// A request has ended: counted, and written to the log.
fn end(session: &ServerSession, ctx: &mut Context, is_whole: bool) {
    if is_whole {
        attempt::ended(ctx);
    }
    let status = session.response_written().map_or(0, |response| response.status.as_u16());
    let ended = Ended {
        route: ctx.route.as_ref().map(|route| route.position),
        method: &session.req_header().method,
        status,
        took: ctx.begun.elapsed(),
        request_bytes: session.body_bytes_read() as u64,
        response_bytes: session.body_bytes_sent() as u64,
    };
    ctx.state.metrics.ended(ended);
    if let Some(log) = &ctx.state.access_log {
        access_line::write(log, session, ctx, &ended);
    }
    spans::end(session, ctx);
}
