//! What comes of an upstream's answer, looked at and changed on its way to the client.

use std::pin::pin;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderValue, Method, StatusCode, Version};
use pingora_core::protocols::http::{HttpTask, ServerSession};
use pingora_error::Error;
use pingora_http::ResponseHeader;

use super::failure::{self, Failure};
use super::{Context, attempt, avatar_later, endless, hop_by_hop, login_answer, respond, tunnel};
use crate::telemetry::traces::within;

/// Looks at a part of it.
pub(super) async fn pass(
    session: &mut ServerSession,
    ctx: &mut Context,
    part: &mut HttpTask,
) -> Result<(), Failure> {
    match part {
        HttpTask::Header(head, ends) => pass_head(session, ctx, head, *ends).await,
        HttpTask::Body(data, ends) | HttpTask::UpgradedBody(data, ends) => {
            pass_data(ctx, data, *ends)
        }
        HttpTask::Trailer(_) | HttpTask::Done => pass_end(ctx, part),
        HttpTask::Failed(_) => Ok(()),
    }
}

async fn pass_head(
    session: &mut ServerSession,
    ctx: &mut Context,
    head: &mut ResponseHeader,
    ends: bool,
) -> Result<(), Failure> {
    ctx.upstream_status = Some(head.status);
    attempt::answered(ctx, head.status);
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        if !tunnel::is_asked_for(session.req_header().as_ref()) {
            return Err(failure::unasked_tunnel(ctx).into());
        }
        // Its client may be silent; it has to take what it is sent like any other.
        session.set_read_timeout(None);
        ctx.tunnel = Some(ctx.state.tunnels.enter());
    }
    match head.status {
        StatusCode::SWITCHING_PROTOCOLS => respond::take_off_ours(head),
        status if status.is_informational() => {
            hop_by_hop::take_off_answer(head);
            respond::take_off_ours(head);
        }
        _ => {
            frame(session, head, ends).map_err(Failure::Client)?;
            let (here, version) = (ctx.span.here(), session.req_header().version);
            within(here, pin!(login_answer::conclude(head, version, ctx))).await?;
            avatar_later::conclude(head, ctx);
            respond::clean_upstream_answer(head, ctx).map_err(Failure::Client)?;
        }
    }
    endless::attach(session, head, ctx);
    Ok(())
}

/// Says where the body ends, as the client's protocol does: the version is the gateway's own (RFC 9112, 2.3).
fn frame(
    session: &mut ServerSession,
    head: &mut ResponseHeader,
    ends: bool,
) -> Result<(), Box<Error>> {
    let is_from_http2 = head.version == Version::HTTP_2;
    head.set_version(Version::HTTP_11);
    if session.is_http2() {
        return Ok(());
    }
    if session.req_header().version == Version::HTTP_10 {
        // It knows no chunks: the body ends with the connection.
        head.remove_header(&TRANSFER_ENCODING);
        if !ends && !head.headers.contains_key(CONTENT_LENGTH) {
            session.set_keepalive(None);
        }
        return Ok(());
    }
    let has_none = session.req_header().method == Method::HEAD
        || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let is_framed =
        [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|it| head.headers.contains_key(it));
    if !has_none && !is_framed && (!ends || is_from_http2) {
        head.insert_header(TRANSFER_ENCODING, HeaderValue::from_static("chunked"))?;
    }
    Ok(())
}

fn pass_data(ctx: &mut Context, data: &mut Option<Bytes>, ends: bool) -> Result<(), Failure> {
    endless::check(ctx)?;
    if let Some(login) = &mut ctx.login {
        login.rewrite_body(data, ends);
    }
    Ok(())
}

/// An end without data: what was held back of the body comes before it.
fn pass_end(ctx: &mut Context, part: &mut HttpTask) -> Result<(), Failure> {
    endless::check(ctx)?;
    let mut held = None;
    if let Some(login) = &mut ctx.login {
        login.rewrite_body(&mut held, true);
    }
    if held.is_some() {
        *part = HttpTask::Body(held, true);
    }
    Ok(())
}
