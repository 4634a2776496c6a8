//! The pingora adapter: one short method for each hook, and no decisions of its own.

mod access_line;
mod action_body;
mod admission;
mod answer_framing;
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

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use pingora_core::modules::http::HttpModules;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};

pub use backend::Backend;
pub use context::Context;
pub use metrics::RequestMetrics;
pub use spans::begin as begin_span;
pub use state::State;

use self::admission::Admitted;
use self::context::Refused;
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
impl ProxyHttp for Gateway {
    /// In a box: pingora moves it from future to future.
    type CTX = Box<Context>;

    fn new_ctx(&self) -> Box<Context> {
        Box::new(Context::new(self.state.load_full()))
    }

    /// No modules: pingora's own would look at every answer for compression that is never on.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn early_request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<()> {
        let limits = &ctx.state.limits;
        let stopping = ctx.state.stopping.has_begun();
        session.set_keepalive((!stopping).then_some(limits.keepalive.as_secs()));
        session.set_read_timeout(Some(limits.body_idle));
        session.set_write_timeout(Some(limits.body_idle));
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<bool> {
        cookie_crumbs::join(session.req_header_mut());
        let outcome = match admission::admit(session, ctx).await {
            Ok(Admitted::Preflight) => {
                cors::answer_preflight(session, ctx).await?;
                return Ok(true);
            }
            Ok(Admitted::Request) if ctx.action() == Action::Proxy => {
                read_ahead::small_body(session, ctx).await.map(|()| None)
            }
            Ok(Admitted::Request) => {
                within(ctx.span.here(), pin!(run_action::run(session, ctx))).await
            }
            Err(refusal) => Err(refusal),
        };
        match outcome {
            Ok(Some(answer)) => respond::answer(session, ctx, answer).await?,
            Ok(None) => return Ok(false),
            Err(refusal) => respond::refusal(session, ctx, refusal).await?,
        }
        Ok(true)
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        ctx: &mut Self::CTX,
    ) -> Result<Box<HttpPeer>> {
        // A try that begins sends what was received so far again.
        (ctx.body_received, ctx.body_began) = (0, None);
        let tunnel = tunnel::is_asked_for(session.req_header().as_ref());
        let peer = peer::next(ctx, tunnel, || session.is_body_done()).map_err(failure::refused)?;
        spans::begin_try(&session.req_header().method, ctx);
        Ok(peer)
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        upstream_request::rewrite(session, request, ctx)
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        endless::check(ctx)?;
        if let Some(replacement) = &ctx.replacement {
            *body = end_of_stream.then(|| replacement.body.clone());
            return Ok(());
        }
        match body {
            Some(part) => body_pace::count(session, part, ctx).map_err(failure::refused),
            None => Ok(()),
        }
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        ctx.upstream_status = Some(response.status);
        attempt::answered(ctx, response.status);
        if let Some(backend) = &ctx.upstream {
            backend.answered_in(response.version, ctx.connector.is_some());
        }
        if response.status == StatusCode::SWITCHING_PROTOCOLS {
            if !tunnel::is_asked_for(session.req_header().as_ref()) {
                return Err(failure::refused(failure::unasked_tunnel(ctx)));
            }
            session.set_read_timeout(None);
            session.set_write_timeout(None);
            ctx.tunnel = Some(ctx.state.tunnels.enter());
        }
        answer_framing::check(response)
            .map_err(|fault| failure::refused(failure::bad_answer(fault, ctx)))?;
        if !response.status.is_informational() {
            let (here, version) = (ctx.span.here(), session.req_header().version);
            within(here, pin!(login_answer::conclude(response, version, ctx))).await?;
            avatar_later::conclude(response, ctx);
            respond::clean_upstream_answer(response, ctx)?;
        }
        endless::attach(session, response, ctx);
        Ok(())
    }

    fn response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<Duration>> {
        endless::check(ctx)?;
        if let Some(login) = &mut ctx.login {
            login.rewrite_body(body, end_of_stream);
        }
        Ok(None)
    }

    fn fail_to_connect(
        &self,
        _: &mut Session,
        _: &HttpPeer,
        ctx: &mut Self::CTX,
        mut error: Box<Error>,
    ) -> Box<Error> {
        spans::try_failed(ctx, &error);
        error.set_retry(attempt::not_connected(ctx));
        error
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        ctx: &mut Self::CTX,
        client_reused: bool,
    ) -> Box<Error> {
        spans::try_failed(ctx, &error);
        error.set_retry(attempt::broke_off(&error, session, ctx, client_reused));
        error
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Self::CTX,
    ) -> FailToProxy {
        within(ctx.span.here(), pin!(login_answer::give_up(ctx))).await;
        failure::leave_behind(error, session);
        let error_code = match failure::refusal(error, ctx, session.is_body_done()) {
            Some(refusal) if !respond::has_begun(session) => {
                let status = refusal.status();
                session.set_keepalive(None);
                match respond::refusal(session, ctx, refusal).await {
                    Ok(()) => status,
                    Err(_) => 0,
                }
            }
            // Half an answer went out: closing is the only way to say that it is half of one.
            refusal => {
                ctx.refusal = ctx.refusal.or_else(|| refusal.as_ref().map(Refused::from));
                0
            }
        };
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Self::CTX) {
        if error.is_none() {
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

    /// pingora's lines hold the request target, and with it codes and tokens; ours are written instead.
    fn suppress_error_log(&self, _: &Session, _: &Self::CTX, _: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _: &Session,
        _: &Self::CTX,
        _: &Error,
        _: ProxyWarnLogContext,
    ) -> bool {
        true
    }

    fn request_summary(&self, _: &Session, ctx: &Self::CTX) -> String {
        ctx.route_name()
    }
}
