//! The request as the upstream gets it: what is the gateway's to say is taken off, then set.

use http::HeaderName;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, TRANSFER_ENCODING,
};
use pingora_error::Result;
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use super::Context;
use crate::identity::forwarded::X_REQUEST_ID;
use crate::session::TokenSource;
use crate::session::bearer::{cookies_without, query_without};

/// Rewrites the request. It runs after pingora's hop-by-hop processing, so that no `Connection:` of a
/// client names away what is set here (CVE-2026-105299).
pub(super) fn rewrite(session: &Session, request: &mut RequestHeader, ctx: &Context) -> Result<()> {
    let client_request = session.req_header();
    remove_untrusted(request, ctx);
    if !ctx.state.identity.forwards_token() {
        remove_token(request, ctx)?;
    }
    rewrite_target(client_request, request, ctx)?;
    set_origin(session, request, ctx)?;
    if let Some(live) = &ctx.live {
        ctx.state
            .identity
            .write(live, &ctx.request_id, |name, value| request.insert_header(name, value))?;
    }
    if let Some(replacement) = &ctx.replacement {
        request.remove_header(&TRANSFER_ENCODING);
        request.insert_header(CONTENT_LENGTH, replacement.body.len())?;
        if replacement.json {
            request.set_method(http::Method::POST);
            request.insert_header(CONTENT_TYPE, "application/json")?;
        }
    }
    if ctx.login.as_ref().is_some_and(|login| login.rewrites_body()) {
        // A compressed answer could not be written into.
        request.remove_header(&ACCEPT_ENCODING);
    }
    Ok(())
}

fn remove_untrusted(request: &mut RequestHeader, ctx: &Context) {
    let passed = ctx.upstream.as_ref().map(|upstream| upstream.settings.pass_headers.as_slice());
    let passed = passed.unwrap_or_default();
    let rules = &ctx.state.header_rules;
    let removed = |name: &&HeaderName| rules.removes(name, passed);
    let names: Vec<_> = request.headers.keys().filter(removed).cloned().collect();
    for name in names {
        request.remove_header(&name);
    }
}

fn remove_token(request: &mut RequestHeader, ctx: &Context) -> Result<()> {
    match &ctx.token_at {
        Some(TokenSource::Authorization) => drop(request.remove_header(&AUTHORIZATION)),
        Some(TokenSource::Header(name)) => drop(request.remove_header(name)),
        Some(TokenSource::Cookie(name)) => {
            let lines = request.headers.get_all(COOKIE).iter();
            let lines: Vec<_> =
                lines.filter_map(|line| cookies_without(line.to_str().ok()?, name)).collect();
            request.remove_header(&COOKIE);
            for line in lines {
                request.append_header(COOKIE, line)?;
            }
        }
        Some(TokenSource::Query(_)) | None => {}
    }
    Ok(())
}

/// The canonical path, and the query without the token.
fn rewrite_target(
    client_request: &RequestHeader,
    request: &mut RequestHeader,
    ctx: &Context,
) -> Result<()> {
    let target = client_request.raw_path();
    let mut parts = target.splitn(2, |byte| *byte == b'?');
    let path = parts.next().unwrap_or_default();
    let query = parts.next();
    let token_parameter = match &ctx.token_at {
        Some(TokenSource::Query(name)) if !ctx.state.identity.forwards_token() => Some(name),
        _ => None,
    };
    if ctx.rewritten_path.is_none() && token_parameter.is_none() {
        return Ok(());
    }
    let mut target = ctx.rewritten_path.as_ref().map_or(path, |path| path.as_bytes()).to_vec();
    let query = match (query, token_parameter) {
        (Some(query), Some(name)) => {
            query_without(&String::from_utf8_lossy(query), name).map(String::into_bytes)
        }
        (query, _) => query.map(<[u8]>::to_vec),
    };
    if let Some(query) = query {
        target.push(b'?');
        target.extend_from_slice(&query);
    }
    request.set_raw_path(&target)
}

fn set_origin(session: &Session, request: &mut RequestHeader, ctx: &Context) -> Result<()> {
    let head = session.req_header();
    let peer = session.client_addr().and_then(|address| address.as_inet()).map(|inet| inet.ip());
    let tls = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
    let host = head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| head.uri.authority().map(http::uri::Authority::as_str));
    let proxies = &ctx.state.trusted_proxies;
    let origin = proxies.origin(peer, tls, host.unwrap_or_default(), &head.headers);
    origin.write(ctx.client, |name, value| request.insert_header(name, value))?;
    request.insert_header(X_REQUEST_ID, ctx.request_id.clone())
}
