//! How much of a body came, and how fast.

use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use pingora_core::protocols::http::ServerSession;

use super::Context;
use crate::refusal::{Reason, Refusal};

/// Counts a part of the client's body. A client that sends a byte now and then holds a server of the
/// upstream for as long as it likes, whatever `body_idle` says (slowhttptest, -B): a body has to come
/// at some pace over all. A tunnel has no body.
pub(super) fn count(
    session: &ServerSession,
    part: &Bytes,
    ctx: &mut Context,
) -> Result<(), Refusal> {
    if session.was_upgraded() {
        return Ok(());
    }
    let began = *ctx.body_began.get_or_insert_with(Instant::now);
    ctx.body_received += part.len() as u64;
    if ctx.body_received > ctx.body_limit {
        return Err(Reason::BodyTooLarge.into());
    }
    let time = ctx.state.limits.time_for_body(ctx.body_received);
    if began.elapsed() > time && !is_a_conversation(session) {
        return Err(Reason::RequestTimeout.into());
    }
    Ok(())
}

/// A stream of messages over HTTP/2, as of gRPC, may take hours.
fn is_a_conversation(session: &ServerSession) -> bool {
    session.is_http2() && !session.req_header().headers.contains_key(CONTENT_LENGTH)
}
