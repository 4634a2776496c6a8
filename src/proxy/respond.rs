//! Answers that the gateway writes itself, and what it changes of an upstream's.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderName, RETRY_AFTER,
    SET_COOKIE, WWW_AUTHENTICATE,
};
use http::{Method, StatusCode};
use pingora_core::protocols::http::ServerSession;
use pingora_error::Result;
use pingora_http::ResponseHeader;
use tracing::{debug, warn};

use super::context::Refused;
use super::{Context, cors, hop_by_hop};
use crate::actions::answer::Answer;
use crate::policy::limits::{ACTION_BODY_SIZE, LINGER};
use crate::policy::route::HeaderChanges;
use crate::refusal::Refusal;

/// Whether the client has got the head of its answer. A 1xx is none; the bytes of a tunnel come after one.
pub(super) fn has_begun(session: &ServerSession) -> bool {
    session.response_written().is_some_and(|response| {
        !response.status.is_informational() || response.status == StatusCode::SWITCHING_PROTOCOLS
    })
}

/// Writes the answer of an action.
pub(super) async fn answer(
    session: &mut ServerSession,
    ctx: &Context,
    answer: Answer,
) -> Result<()> {
    let mut header = head(answer.status.as_u16(), ctx)?;
    if !answer.body.is_empty() {
        header.insert_header(CONTENT_TYPE, "application/json; charset=utf-8")?;
    }
    if answer.status != StatusCode::NO_CONTENT {
        header.insert_header(CONTENT_LENGTH, answer.body.len())?;
    }
    for (name, value) in &answer.headers {
        header.insert_header(name, value)?;
    }
    if let Some(cookie) = answer.set_cookie {
        header.insert_header(SET_COOKIE, cookie)?;
    }
    write(session, header, answer.body).await
}

/// Writes a refusal, and tells the operator what the client is not told.
pub(super) async fn refusal(
    session: &mut ServerSession,
    ctx: &mut Context,
    refusal: Refusal,
) -> Result<()> {
    report(ctx, &refusal);
    let mut header = head(refusal.status(), ctx)?;
    let body = refusal.body(ctx.request_id.to_str().unwrap_or_default());
    header.insert_header(CONTENT_TYPE, "application/problem+json")?;
    header.insert_header(CONTENT_LENGTH, body.len())?;
    if refusal.status() == StatusCode::UNAUTHORIZED.as_u16() {
        header.insert_header(WWW_AUTHENTICATE, "Bearer")?;
    }
    if let Some(seconds) = refusal.retry_after_seconds() {
        header.insert_header(RETRY_AFTER, seconds)?;
    }
    if let Some(allow) = &refusal.allow {
        header.insert_header(ALLOW, allow.as_str())?;
    }
    write(session, header, body).await
}

/// Tells the operator what the client is not told.
pub(super) fn report(ctx: &mut Context, refusal: &Refusal) {
    ctx.refusal = Some(Refused::from(refusal));
    ctx.state.metrics.refused(refusal.reason);
    let request_id = ctx.request_id.to_str().unwrap_or_default();
    let route = ctx.route_name();
    if refusal.reason.entry().operator && !refusal.said {
        warn!(request_id, route, "{refusal}");
    } else {
        debug!(request_id, route, "{refusal}");
    }
}

fn head(status: u16, ctx: &Context) -> Result<ResponseHeader> {
    let mut header = bare_head(status, ctx)?;
    cors::write(&mut header, ctx)?;
    Ok(header)
}

/// The head of an answer of the gateway's own, which says nothing to pages yet.
pub(super) fn bare_head(status: u16, ctx: &Context) -> Result<ResponseHeader> {
    let mut header = ResponseHeader::build(status, Some(8))?;
    header.insert_header(CACHE_CONTROL, "no-store")?;
    header.insert_header("X-Request-Id", ctx.request_id.clone())?;
    Ok(header)
}

/// Writes an answer of the gateway's own.
pub(super) async fn write(
    session: &mut ServerSession,
    header: ResponseHeader,
    body: String,
) -> Result<()> {
    let closing = settle_unread_body(session);
    let no_body = body.is_empty() || session.req_header().method == Method::HEAD;
    session.write_response_header(Box::new(header)).await?;
    if !no_body {
        session.write_response_body(Bytes::from(body), true).await?;
    }
    if closing {
        hear_out(session).await;
    }
    Ok(())
}

/// Reads for a moment what a client of HTTP/1 is still sending, though it has its answer: closing on bytes that
/// nobody read is a reset, which can overtake the answer.
pub(super) async fn hear_out(session: &mut ServerSession) {
    if session.is_http2() || session.is_body_done() {
        return;
    }
    session.set_keepalive(None);
    let rest = async { while let Ok(Some(_)) = session.read_request_body().await {} };
    let _ = tokio::time::timeout(LINGER, rest).await;
}

/// The client may still be sending a body that nobody reads. A small one is read to its end, so that the
/// connection goes on; whoever has more of it, or says no length, is closed (CVE-2025-4366), a moment
/// later, so that no reset overtakes the answer. Whether it is.
fn settle_unread_body(session: &mut ServerSession) -> bool {
    if session.is_http2() || session.is_body_done() {
        return false;
    }
    let headers = &session.req_header().headers;
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let is_small = length.is_some_and(|length: u64| length <= ACTION_BODY_SIZE);
    if is_small && !headers.contains_key(EXPECT) {
        session.set_total_drain_timeout(Some(LINGER));
        return false;
    }
    session.set_keepalive(None);
    true
}

fn change_headers(response: &mut ResponseHeader, changes: &HeaderChanges) -> Result<()> {
    for name in &changes.remove {
        response.remove_header(name);
    }
    for (name, value) in &changes.set {
        response.insert_header(name, value.clone())?;
    }
    Ok(())
}

/// Takes from a head of an upstream's what only the gateway may say.
pub(super) fn take_off_ours(response: &mut ResponseHeader) {
    let is_ours = |name: &&HeaderName| {
        let name = name.as_str();
        name.starts_with("x-wx-") || name.starts_with("x-session-")
    };
    let ours: Vec<_> = response.headers.keys().filter(is_ours).cloned().collect();
    for name in ours {
        response.remove_header(&name);
    }
}

/// Changes an upstream's answer as its route says, and names the request. What it says of its connection is not
/// the client's (RFC 9110, 7.6.1): pingora adds what is to be said of that.
pub(super) fn clean_upstream_answer(response: &mut ResponseHeader, ctx: &Context) -> Result<()> {
    hop_by_hop::take_off_answer(response);
    take_off_ours(response);
    if let Some(route) = &ctx.route {
        change_headers(response, &route.response_headers)?;
    }
    if let Some(login) = &ctx.login {
        login.write_headers(response)?;
    }
    cors::write(response, ctx)?;
    response.insert_header("X-Request-Id", ctx.request_id.clone())
}
