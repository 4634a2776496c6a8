//! From the head of a request to who may do what: guard, route, authenticate.

use std::sync::Arc;
use std::time::Instant;

use http::request::Parts;
use pingora_proxy::Session;

use super::metrics::Authentication;
use super::{Context, State};
use crate::policy::guard::split_port;
use crate::policy::route::{Action, Auth, Outcome, Route};
use crate::policy::{guard, path};
use crate::refusal::{Reason, Refusal};
use crate::session::NotAuthenticated;
use crate::session::bearer::{self, Bearer};

/// Admits a request to its route, or refuses it. What was found out is left in the context.
pub(super) async fn admit(session: &mut Session, ctx: &mut Context) -> Result<(), Refusal> {
    let state = ctx.state.clone();
    let admitted = check_head(session, ctx, &state);
    if admitted.as_ref().is_err_and(|refusal| refusal.reason == Reason::BadRequest) {
        // Whoever sends what can be read in two ways gets no second request on this connection.
        session.set_keepalive(None);
    }
    let route = admitted?;
    let begun = Instant::now();
    let authenticated = authenticate(session, ctx, &state, &route).await;
    if route.auth != Auth::None {
        ctx.auth_took = Some(begun.elapsed());
    }
    ctx.route = Some(route);
    authenticated
}

fn check_head(session: &Session, ctx: &mut Context, state: &State) -> Result<Arc<Route>, Refusal> {
    let request = session.req_header();
    let head: &Parts = request.as_ref();
    let peer = session.client_addr().and_then(|address| address.as_inet()).map(|inet| inet.ip());
    let tls = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
    let origin = state.trusted_proxies.origin(peer, tls, "", &head.headers);
    ctx.request_id = origin.request_id();
    ctx.client = state.trusted_proxies.client(&origin);

    let target = request.raw_path();
    let host = guard::check(head, target, &state.limits)?;
    let raw_path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let path = path::canonical(raw_path)
        .map_err(|error| Refusal::new(Reason::BadRequest, error.to_string()))?;
    let route = match state.routes.find(&path, host_name(host), &head.method) {
        Outcome::Found(route) => route.clone(),
        Outcome::MethodNotAllowed(methods) => {
            let allow = methods.iter().map(http::Method::as_str).collect::<Vec<_>>().join(", ");
            return Err(Refusal { allow: Some(allow), ..Reason::MethodNotAllowed.into() });
        }
        Outcome::NotFound => return Err(Reason::NoRoute.into()),
    };
    if let Some(rewrite) = &route.rewrite {
        ctx.rewritten_path = Some(rewrite.apply(&path));
    } else if *path.as_bytes() != *raw_path {
        ctx.rewritten_path = Some(path.into_owned());
    }
    ctx.upstream = route.upstream.and_then(|position| state.upstreams.get(position).cloned());
    ctx.body_limit = route.body_size.unwrap_or(state.limits.body_size);
    check_declared_body(head, ctx.body_limit)?;
    Ok(route)
}

/// The name in a Host: without its port, and without the dot that says that it is whole.
fn host_name(host: &str) -> &str {
    let (name, _) = split_port(host);
    name.strip_suffix('.').unwrap_or(name)
}

fn check_declared_body(head: &Parts, limit: u64) -> Result<(), Refusal> {
    let declared = head.headers.get(http::header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(Reason::BodyTooLarge.into());
    }
    Ok(())
}

async fn authenticate(
    session: &Session,
    ctx: &mut Context,
    state: &State,
    route: &Route,
) -> Result<(), Refusal> {
    let auth = match route.action {
        Action::Login | Action::Push => Auth::None,
        Action::Proxy => route.auth,
        _ => Auth::Required,
    };
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
