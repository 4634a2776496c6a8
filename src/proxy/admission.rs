//! From the head of a request to who may do what: guard, route, authenticate.

use std::pin::pin;
use std::sync::Arc;

use http::request::Parts;
use pingora_core::protocols::http::ServerSession;

use super::{Context, State, spans};
use crate::access::Known;
use crate::identity::trace_context::Trace;
use crate::policy::admission;
use crate::policy::route::{Action, Route};
use crate::refusal::{Reason, Refusal};
use crate::telemetry::traces::within;

/// What was let in.
pub(super) enum Admitted {
    /// A request of the route, by who may make it.
    Request,
    /// A browser's question about a request of the route (CORS), which the gateway answers.
    Preflight,
}

/// Admits a request to its route, or refuses it. What was found out is left in the context.
pub(super) async fn admit(
    session: &mut ServerSession,
    ctx: &mut Context,
) -> Result<Admitted, Refusal> {
    let state = ctx.state.clone();
    let admitted = check_head(session, ctx, &state);
    if admitted.as_ref().is_err_and(|refusal| refusal.reason == Reason::BadRequest) {
        // Whoever sends what can be read in two ways gets no second request on this connection.
        session.set_keepalive(None);
    }
    if ctx.action() == Action::Authorize && !session.is_body_done() {
        // The gateway that asks may say how long the client's body is without sending it: nobody can say
        // where its next request would begin.
        session.set_keepalive(None);
    }
    let Some(route) = admitted? else { return Ok(Admitted::Preflight) };
    let here = ctx.span.here();
    let admitted = pin!(admit_to(&route, session, ctx, &state));
    within(here, admitted).await?;
    Ok(Admitted::Request)
}

async fn admit_to(
    route: &Route,
    session: &ServerSession,
    ctx: &mut Context,
    state: &State,
) -> Result<(), Refusal> {
    let head: &Parts = session.req_header().as_ref();
    let mut known = Known::default();
    let outcome = state.access().admit(route, head, ctx.client, &mut known).await;
    if let Some(token) = known.token {
        state.metrics.authenticated(token);
    }
    (ctx.live, ctx.tokens_at, ctx.auth_took) = (known.caller, known.tokens_at, known.took);
    outcome
}

/// The route of a request; none for a preflight.
fn check_head(
    session: &ServerSession,
    ctx: &mut Context,
    state: &State,
) -> Result<Option<Arc<Route>>, Refusal> {
    let request = session.req_header();
    let head: &Parts = request.as_ref();
    let peer = session.client_addr().and_then(|address| address.as_inet()).map(|inet| inet.ip());
    let tls = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
    let origin = state.trusted_proxies.origin(peer, tls, "", &head.headers);
    ctx.request_id = origin.request_id();
    ctx.client = state.trusted_proxies.client(&origin);
    let trace = Trace::of(state.traces, origin.believed());
    (ctx.trace, ctx.span) = spans::begin(state, trace);

    let admitted = admission::admit(head, request.raw_path(), &state.limits, &state.routes)?;
    spans::admitted(&mut ctx.span, head, &admitted);
    let route = admitted.route.clone();
    ctx.rewritten_path = admitted.sent_path;
    ctx.body_limit = admitted.body_limit;
    ctx.granted_origin = route.cors.as_ref().and_then(|cors| cors.granted(&head.headers));
    ctx.route = Some(route.clone());
    ctx.upstream = route.upstream.and_then(|position| state.upstreams.get(position).cloned());
    if admitted.preflight {
        return Ok(None);
    }
    admission::check_declared_body(head, &route, ctx.body_limit)?;
    Ok(Some(route))
}
