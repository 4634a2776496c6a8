//! Small bodies are read before their upstream is asked.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, EXPECT};
use pingora_error::ErrorType;
use pingora_proxy::Session;
use tokio::time::timeout;

use super::{Context, peer};
use crate::refusal::{Reason, Refusal};

/// What pingora keeps for a second try, and sends on from there.
const RETRY_BUFFER: u64 = 64 << 10;

/// Reads a small body to its end where the client may pause for longer than the upstream may take for its
/// answer. pingora has one timer for both: the upstream's can run only once the body is here. And one of
/// no length over HTTP/2, whose data may say otherwise (RFC 9113, 8.1.1) when its request is whole.
pub(super) async fn small_body(session: &mut Session, ctx: &Context) -> Result<(), Refusal> {
    let idle = ctx.state.limits.body_idle;
    let Some(backend) = &ctx.upstream else { return Ok(()) };
    let Some(length) = declared_length(session).filter(|length| *length <= RETRY_BUFFER) else {
        return Ok(());
    };
    let (_, upstream_timeout) = peer::timeouts(ctx.route.as_deref(), &backend.upstream.settings);
    let may_pause = upstream_timeout < idle;
    // pingora takes the word of a length of nothing for the end.
    let done = if length == 0 { !session.is_http2() } else { session.is_body_done() };
    if done || !(may_pause || length == 0) {
        return Ok(());
    }
    session.enable_retry_buffering();
    let time = ctx.state.limits.time_for_body(length);
    let read = timeout(time, read_to_end(session, idle)).await;
    let read = read.unwrap_or_else(|_| Err(Reason::RequestTimeout.into()));
    if read.is_err() {
        // Nobody can say where the next request would begin.
        session.set_keepalive(None);
    }
    read
}

async fn read_to_end(session: &mut Session, idle: Duration) -> Result<(), Refusal> {
    loop {
        match timeout(idle, session.read_request_body()).await {
            Ok(Ok(Some(_))) => {}
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) if *error.etype() != ErrorType::ReadTimedout => {
                return Err(Refusal::new(Reason::BadRequest, "a body that breaks off"));
            }
            _ => return Err(Reason::RequestTimeout.into()),
        }
    }
}

/// How large the body is by the client's word; none where it waits for the upstream's to send it.
fn declared_length(session: &Session) -> Option<u64> {
    let headers = &session.req_header().headers;
    let length = headers.get(CONTENT_LENGTH).filter(|_| !headers.contains_key(EXPECT));
    length?.to_str().ok()?.parse().ok()
}
