//! The body of a request to an action, read within its bounds.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT};
use pingora_error::{ErrorType, Result};
use pingora_proxy::Session;

use super::Context;
use crate::listen::{BodyEnd, end_of_body};
use crate::policy::limits::ACTION_BODY_SIZE;
use crate::policy::route::Action;
use crate::refusal::{Reason, Refusal};

/// pingora sends a request whose body was read only where it has the end of that body in its retry
/// buffer, which has this size, or has still to read it (`proofs` of the body's replacement: else the upstream waits for ever).
const RETRY_BUFFER: u64 = 64 << 10;

/// Bytes a second of a client that is not stalling.
const SLOWEST: u64 = 8 << 10;

/// Reads the whole body within the time that a body may take between two reads.
pub(super) async fn read(session: &mut Session, ctx: &Context) -> Result<Bytes, Refusal> {
    let limit = match ctx.action() {
        Action::Profile => ctx.body_limit,
        _ => ctx.body_limit.min(ACTION_BODY_SIZE),
    };
    let headers = &session.req_header().headers;
    let declared = headers.get(CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(Reason::BodyTooLarge.into());
    }
    let expects = headers.get(EXPECT);
    if expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        // A client that is gone shows itself with the next read.
        let _ = session.write_continue_response().await;
    }
    let forwarded = ctx.upstream.is_some();
    let read = read_within(session, limit, declared, forwarded);
    tokio::time::timeout(time_for(limit, ctx.state.limits.body_idle), read)
        .await
        .unwrap_or_else(|_| Err(Reason::RequestTimeout.into()))
}

/// As long as one pause may be, and longer the more may come: a phone on a slow line sends an avatar too.
fn time_for(limit: u64, body_idle: Duration) -> Duration {
    body_idle + Duration::from_secs(limit / SLOWEST)
}

async fn read_within(
    session: &mut Session,
    limit: u64,
    declared: Option<u64>,
    forwarded: bool,
) -> Result<Bytes, Refusal> {
    let end = end_of_body(session.as_downstream().stream()).filter(|_| forwarded);
    let limit = match (declared, &end) {
        // Without a length, and with no end that can be left: a small one is kept by pingora.
        (None, None) if forwarded => limit.min(RETRY_BUFFER),
        _ => limit,
    };
    let mut body = BytesMut::new();
    loop {
        let left = declared.map_or(0, |length| length.saturating_sub(body.len() as u64));
        if forwarded && end.is_none() && left <= RETRY_BUFFER {
            session.enable_retry_buffering();
        }
        match read_part(session, end.as_ref()).await {
            Ok(Some(chunk)) if (body.len() + chunk.len()) as u64 > limit => {
                return Err(Reason::BodyTooLarge.into());
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(error) if *error.etype() == ErrorType::ReadTimedout => {
                return Err(Reason::RequestTimeout.into());
            }
            Err(_) => {
                let note = "a body that breaks off or is malformed";
                return Err(Refusal::new(Reason::BadRequest, note));
            }
        }
    }
}

/// Reads a part of the body; none once all of its data has come. Its end is left to pingora where it can
/// be: that is when the other body is sent.
async fn read_part(session: &mut Session, end: Option<&BodyEnd>) -> Result<Option<Bytes>> {
    let mut reading = pin!(session.read_request_body());
    poll_fn(|cx| match reading.as_mut().poll(cx) {
        Poll::Pending if end.is_some_and(BodyEnd::is_next) => Poll::Ready(Ok(None)),
        read => read,
    })
    .await
}
