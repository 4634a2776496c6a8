//! From the head of a request to who may do what: guard, route, authenticate.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use http::request::Parts;
use pingora_proxy::Session;

use super::metrics::Authentication;
use super::{Context, State, rate, spans};
use crate::identity::trace_context::Trace;
use crate::policy::admission;
use crate::policy::route::{Auth, Route};
use crate::refusal::{Reason, Refusal};
use crate::session::NotAuthenticated;
use crate::session::bearer::{self, Bearer};
use crate::telemetry::traces::within;

/// What was let in.
pub(super) enum Admitted {
    /// A request of the route, by who may make it.
    Request,
    /// A browser's question about a request of the route (CORS), which the gateway answers.
    Preflight,
}

/// Admits a request to its route, or refuses it. What was found out is left in the context.
pub(super) async fn admit(session: &mut Session, ctx: &mut Context) -> Result<Admitted, Refusal> {
    let state = ctx.state.clone();
    let admitted = check_head(session, ctx, &state);
    if admitted.as_ref().is_err_and(|refusal| refusal.reason == Reason::BadRequest) {
        // Whoever sends what can be read in two ways gets no second request on this connection.
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
    session: &Session,
    ctx: &mut Context,
    state: &State,
) -> Result<(), Refusal> {
    rate::before_authentication(ctx, route).await?;
    let begun = Instant::now();
    let authenticated = authenticate(session, ctx, state, route).await;
    if route.auth != Auth::None {
        ctx.auth_took = Some(begun.elapsed());
    }
    authenticated?;
    rate::after_authentication(ctx, route).await
}

/// The route of a request; none for a preflight.
fn check_head(
    session: &Session,
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
    admission::check_declared_body(head, ctx.body_limit)?;
    Ok(Some(route))
}

async fn authenticate(
    session: &Session,
    ctx: &mut Context,
    state: &State,
    route: &Route,
) -> Result<(), Refusal> {
    let auth = route.authentication();
    let head: &Parts = session.req_header().as_ref();
    let (sources, query) = (&state.token_from, head.uri.query());
    if auth == Auth::None {
        // Not looked at, but they are not the upstream's either.
        let is_ours = |token: &str| state.sessions.is_like_a_token(token);
        ctx.tokens_at = bearer::places(sources, &head.headers, query, is_ours);
        return Ok(());
    }
    let metrics = &state.metrics;
    let found = bearer::find(sources, &head.headers, query).map_err(|error| {
        metrics.authenticated(Authentication::Malformed);
        Refusal::new(Reason::BadRequest, error.to_string())
    })?;
    let Some(Bearer { token, source }) = found else {
        if auth == Auth::Required {
            metrics.authenticated(Authentication::Missing);
            return Err(Reason::TokenMissing.into());
        }
        metrics.authenticated(Authentication::Anonymous);
        return Ok(());
    };
    let live = state.sessions.authenticate(&token).await.inspect_err(|error| {
        metrics.authenticated(match error {
            NotAuthenticated::Invalid => Authentication::Invalid,
            NotAuthenticated::Unavailable(_) => Authentication::Unavailable,
        });
    })?;
    if !route.apps.contains(&live.app) {
        metrics.authenticated(Authentication::OtherApp);
        return Err(Refusal::new(Reason::TokenInvalid, "the token is of an app of other routes"));
    }
    metrics.authenticated(Authentication::Authenticated);
    ctx.tokens_at.push(source.clone());
    ctx.live = Some(live);
    Ok(())
}
