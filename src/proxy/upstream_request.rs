//! The request as the upstream gets it: what is the gateway's to say is taken off, then set.

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST,
    TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pingora_error::{OrErr, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use super::Context;
use crate::policy::route::HeaderChanges;
use crate::session::TokenSource;
use crate::session::bearer::{cookies_without, query_without};

/// The headers that are set, at most, so that the map grows once.
const ADDED_HEADERS: usize = 16;

/// Rewrites the request. It runs after pingora's hop-by-hop processing, so that no `Connection:` of a
/// client names away what is set here (CVE-2026-105299).
pub(super) fn rewrite(session: &Session, request: &mut RequestHeader, ctx: &Context) -> Result<()> {
    rewrite_target(session.req_header(), request, ctx)?;
    // Without pingora's second map, which keeps the case of names: every change would be made twice.
    let empty = RequestHeader::from(http::Request::new(()).into_parts().0);
    let mut parts = Parts::from(std::mem::replace(request, empty));
    let headers = &mut parts.headers;
    remove_untrusted(headers, ctx);
    if !ctx.state.identity.forwards_token() {
        remove_tokens(headers, ctx);
    }
    headers.reserve(ADDED_HEADERS);
    set_host(headers, ctx);
    if let Some(route) = &ctx.route {
        change_headers(headers, &route.request_headers);
    }
    set_origin(session, headers, ctx);
    if let Some(live) = &ctx.live {
        ctx.state.identity.write(live, &ctx.request_id, headers);
    }
    set_body(&mut parts, ctx);
    *request = parts.into();
    Ok(())
}

fn remove_untrusted(headers: &mut HeaderMap, ctx: &Context) {
    let passed = ctx.upstream.as_ref();
    let passed = passed.map(|backend| backend.upstream.settings.pass_headers.as_slice());
    let passed = passed.unwrap_or_default();
    let rules = &ctx.state.header_rules;
    let removed = |name: &&HeaderName| rules.removes(name, passed);
    let names: Vec<_> = headers.keys().filter(removed).cloned().collect();
    for name in names {
        headers.remove(&name);
    }
}

fn remove_tokens(headers: &mut HeaderMap, ctx: &Context) {
    for source in &ctx.tokens_at {
        match source {
            TokenSource::Authorization => drop(headers.remove(AUTHORIZATION)),
            TokenSource::Header(name) => drop(headers.remove(name)),
            TokenSource::Cookie(name) => remove_cookie(headers, name),
            // A parameter of the query goes with the target.
            TokenSource::Query(_) => {}
        }
    }
}

fn remove_cookie(headers: &mut HeaderMap, name: &str) {
    let without = |line: &HeaderValue| {
        HeaderValue::try_from(cookies_without(line.to_str().ok()?, name)?).ok()
    };
    let lines: Vec<_> = headers.get_all(COOKIE).iter().filter_map(without).collect();
    headers.remove(COOKIE);
    for line in lines {
        headers.append(COOKIE, line);
    }
}

/// The canonical path, and the query without tokens and without what an action has taken from it.
fn rewrite_target(
    client_request: &RequestHeader,
    request: &mut RequestHeader,
    ctx: &Context,
) -> Result<()> {
    let target = client_request.raw_path();
    let mut parts = target.splitn(2, |byte| *byte == b'?');
    let path = parts.next().unwrap_or_default();
    let query = parts.next();
    let taken = ctx.replacement.as_ref().and_then(|replacement| replacement.taken);
    let mut removed = ctx.tokens_in_query().chain(taken.into_iter().flatten().copied()).peekable();
    if ctx.rewritten_path.is_none() && removed.peek().is_none() {
        return Ok(());
    }
    let mut target = ctx.rewritten_path.as_ref().map_or(path, |path| path.as_bytes()).to_vec();
    let mut query = query.map(<[u8]>::to_vec);
    for name in removed {
        query = query.and_then(|query| {
            query_without(&String::from_utf8_lossy(&query), name).map(String::into_bytes)
        });
    }
    if let Some(query) = query {
        target.push(b'?');
        target.extend_from_slice(&query);
    }
    request.set_raw_path(&target).or_err(pingora_error::ErrorType::InternalError, "the target")
}

/// The host of the server's URL, where the upstream does not get the client's. It has that in
/// `X-Forwarded-Host` all the same.
fn set_host(headers: &mut HeaderMap, ctx: &Context) {
    let Some(backend) = &ctx.upstream else { return };
    let authority = ctx.lease.as_ref().and_then(|target| target.authority.as_ref());
    if let Some(authority) = authority.filter(|_| !backend.upstream.settings.preserve_host) {
        headers.insert(HOST, authority.clone());
    }
}

fn change_headers(headers: &mut HeaderMap, changes: &HeaderChanges) {
    for name in &changes.remove {
        headers.remove(name);
    }
    for (name, value) in &changes.set {
        headers.insert(name, value.clone());
    }
}

fn set_origin(session: &Session, headers: &mut HeaderMap, ctx: &Context) {
    let client_request = session.req_header();
    let peer = session.client_addr().and_then(|address| address.as_inet()).map(|inet| inet.ip());
    let tls = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
    let host = client_request.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| client_request.uri.authority().map(http::uri::Authority::as_str));
    let proxies = &ctx.state.trusted_proxies;
    let origin = proxies.origin(peer, tls, host.unwrap_or_default(), &client_request.headers);
    origin.write(ctx.client, &ctx.request_id, headers);
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
