//! The body of a request to an action, read within its bounds.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT};
use pingora_core::protocols::http::ServerSession;
use pingora_error::ErrorType;

use super::Context;
use crate::policy::limits::ACTION_BODY_SIZE;
use crate::policy::route::Action;
use crate::refusal::{Reason, Refusal};

/// Bytes a second of a client that is not stalling.
const SLOWEST: u64 = 8 << 10;

/// Reads the whole body within the time that a body may take between two reads.
pub(super) async fn read(session: &mut ServerSession, ctx: &Context) -> Result<Bytes, Refusal> {
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
    let read = read_within(session, limit);
    tokio::time::timeout(time_for(limit, ctx.state.limits.body_idle), read)
        .await
        .unwrap_or_else(|_| Err(Reason::RequestTimeout.into()))
}

/// As long as one pause may be, and longer the more may come: a phone on a slow line sends an avatar too.
fn time_for(limit: u64, body_idle: Duration) -> Duration {
    body_idle + Duration::from_secs(limit / SLOWEST)
}

async fn read_within(session: &mut ServerSession, limit: u64) -> Result<Bytes, Refusal> {
    let mut body = BytesMut::new();
    loop {
        match session.read_request_body().await {
            Ok(Some(part)) if (body.len() + part.len()) as u64 > limit => {
                return Err(Reason::BodyTooLarge.into());
            }
            Ok(Some(part)) => body.extend_from_slice(&part),
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
