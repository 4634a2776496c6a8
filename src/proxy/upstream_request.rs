//! The request as the upstream gets it: what is the gateway's to say is taken off, then set.

use http::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{HeaderValue, Method};
use pingora_error::{OrErr, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use super::outgoing::{self, Outgoing};
use super::{Context, spans};
use crate::identity::forwarded::Origin;
use crate::identity::{Call, Subject};

/// Rewrites the request. It runs after pingora's hop-by-hop processing, so that no `Connection:` of a
/// client names away what is set here (CVE-2026-105299).
pub(super) fn rewrite(session: &Session, request: &mut RequestHeader, ctx: &Context) -> Result<()> {
    rewrite_target(session.req_header(), request, ctx)?;
    // Without pingora's second map, which keeps the case of names: every change would be made twice.
    let empty = RequestHeader::from(http::Request::new(()).into_parts().0);
    let mut parts = Parts::from(std::mem::replace(request, empty));
    let backend = ctx.upstream.as_ref().map(|backend| &backend.upstream.settings);
    let authority = ctx.lease.as_ref().and_then(|target| target.authority.as_ref());
    Outgoing {
        rules: &ctx.state.header_rules,
        identity: &ctx.state.identity,
        passed: backend.map(|settings| settings.pass_headers.as_slice()).unwrap_or_default(),
        tokens_at: &ctx.tokens_at,
        host: authority.filter(|_| backend.is_some_and(|settings| !settings.preserve_host)),
        changes: ctx.route.as_ref().map(|route| &route.request_headers),
        origin: origin(session, ctx),
        client: ctx.client,
        call: Call {
            request_id: &ctx.request_id,
            audience: backend.map(|settings| settings.name.as_str()),
            clock: &ctx.state.clock,
            assertion: &ctx.assertion,
        },
        trace: spans::told(ctx).as_ref(),
        subject: ctx.live.as_ref().map(Subject::from),
    }
    .write(&mut parts.headers);
    set_body(&mut parts, ctx);
    *request = parts.into();
    Ok(())
}

/// The canonical path, and the query without tokens and without what an action has taken from it.
fn rewrite_target(
    client_request: &RequestHeader,
    request: &mut RequestHeader,
    ctx: &Context,
) -> Result<()> {
    let taken = ctx.replacement.as_ref().and_then(|replacement| replacement.taken);
    let removed = ctx.tokens_in_query().chain(taken.into_iter().flatten().copied());
    let target =
        outgoing::target(client_request.raw_path(), ctx.rewritten_path.as_deref(), removed);
    match target {
        Some(target) => request
            .set_raw_path(&target)
            .or_err(pingora_error::ErrorType::InternalError, "the target"),
        None => Ok(()),
    }
}

fn origin<'a>(session: &'a Session, ctx: &'a Context) -> Origin<'a> {
    let client_request = session.req_header();
    let peer = session.client_addr().and_then(|address| address.as_inet()).map(|inet| inet.ip());
    let tls = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
    let host = client_request.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| client_request.uri.authority().map(http::uri::Authority::as_str));
    let proxies = &ctx.state.trusted_proxies;
    proxies.origin(peer, tls, host.unwrap_or_default(), &client_request.headers)
}

/// The body that the gateway sends in place of the client's.
fn set_body(parts: &mut Parts, ctx: &Context) {
    let headers = &mut parts.headers;
    if let Some(replacement) = &ctx.replacement {
        headers.remove(TRANSFER_ENCODING);
        // The body is here, and the client was told to go on.
        headers.remove(EXPECT);
        headers.insert(CONTENT_LENGTH, replacement.body.len().into());
        if replacement.taken.is_some() {
            parts.method = Method::POST;
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
    }
    if ctx.login.as_ref().is_some_and(|login| login.rewrites_body()) {
        // A compressed answer could not be written into.
        headers.remove(ACCEPT_ENCODING);
    }
}
