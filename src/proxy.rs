//! The pingora adapter: one short method for each hook, and no decisions of its own.

mod access_line;
mod action_body;
mod admission;
mod attempt;
mod avatar_later;
mod backend;
mod context;
mod failure;
mod login_answer;
mod metrics;
mod peer;
mod respond;
mod run_action;
mod state;
mod tunnel;
mod upstream_request;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

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
pub use state::State;

use self::context::Refused;
use self::metrics::Ended;
use crate::policy::route::Action;
use crate::refusal::Reason;

/// The data plane's handler of requests.
#[derive(Debug)]
pub struct Gateway {
    state: Arc<State>,
}

impl Gateway {
    /// A handler with this state.
    pub fn new(state: Arc<State>) -> Self {
        Self { state }
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context::new(self.state.clone())
    }

    /// No modules: pingora's own would look at every answer for compression that is never on.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn early_request_filter(&self, session: &mut Session, _: &mut Context) -> Result<()> {
        let limits = &self.state.limits;
        let stopping = self.state.stopping.load(Ordering::Relaxed);
        session.set_keepalive((!stopping).then_some(limits.keepalive.as_secs()));
        session.set_read_timeout(Some(limits.body_idle));
        session.set_write_timeout(Some(limits.body_idle));
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Context) -> Result<bool> {
        let outcome = match admission::admit(session, ctx).await {
            Ok(()) if ctx.action() == Action::Proxy => return Ok(false),
            Ok(()) => run_action::run(session, ctx).await,
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
        ctx: &mut Context,
    ) -> Result<Box<HttpPeer>> {
        peer::next(ctx, tunnel::is_asked_for(session.req_header().as_ref()))
            .map_err(failure::refused)
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        upstream_request::rewrite(session, request, ctx)
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut Context,
    ) -> Result<()> {
        if let Some(replacement) = &ctx.replacement {
            *body = end_of_stream.then(|| replacement.body.clone());
            return Ok(());
        }
        ctx.body_received += body.as_ref().map_or(0, |chunk| chunk.len() as u64);
        // A tunnel has no body.
        if ctx.body_received > ctx.body_limit && !session.was_upgraded() {
            return Err(failure::refused(Reason::BodyTooLarge.into()));
        }
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        ctx.upstream_status = Some(response.status);
        attempt::answered(ctx, response.status);
        if response.status == StatusCode::SWITCHING_PROTOCOLS {
            if !tunnel::is_asked_for(session.req_header().as_ref()) {
                return Err(failure::refused(failure::unasked_tunnel(ctx)));
            }
            session.set_read_timeout(None);
            session.set_write_timeout(None);
            ctx.tunnel = Some(ctx.state.tunnels.enter());
        }
        if !response.status.is_informational() {
            login_answer::conclude(response, session.req_header().version, ctx).await?;
            avatar_later::conclude(response, ctx);
            respond::clean_upstream_answer(response, ctx)?;
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut Context,
    ) -> Result<Option<Duration>> {
        if let Some(login) = &mut ctx.login {
            login.rewrite_body(body, end_of_stream);
        }
        Ok(None)
    }

    fn fail_to_connect(
        &self,
        _: &mut Session,
        _: &HttpPeer,
        ctx: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        error.set_retry(attempt::not_connected(ctx));
        error
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        ctx: &mut Context,
        client_reused: bool,
    ) -> Box<Error> {
        error.set_retry(attempt::broke_off(&error, session, ctx, client_reused));
        error
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Context,
    ) -> FailToProxy {
        login_answer::give_up(ctx).await;
        let error_code = match failure::refusal(error, ctx) {
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

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Context) {
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
    }

    /// pingora's lines hold the request target, and with it codes and tokens; ours are written instead.
    fn suppress_error_log(&self, _: &Session, _: &Context, _: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _: &Session,
        _: &Context,
        _: &Error,
        _: ProxyWarnLogContext,
    ) -> bool {
        true
    }

    fn request_summary(&self, _: &Session, ctx: &Context) -> String {
        ctx.route_name()
    }
}
