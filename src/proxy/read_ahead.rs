//! A request over HTTP/2 that says it has no body, and has not ended.

use http::header::CONTENT_LENGTH;
use pingora_core::protocols::http::ServerSession;
use pingora_error::Error;
use tokio::time::timeout;

use super::Context;
use crate::refusal::{Reason, Refusal};

/// Reads it to its end before its upstream is asked: its data may say otherwise (RFC 9113, 8.1.1), and pingora
/// takes the word of a length of nothing.
pub(super) async fn empty_body(session: &mut ServerSession, ctx: &Context) -> Result<(), Refusal> {
    let headers = &session.req_header().headers;
    let is_empty = headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
    if !is_empty || !session.is_http2() {
        return Ok(());
    }
    // Data of no bytes may come before the end.
    let end = async {
        while session.read_request_body().await?.is_some() {}
        Ok::<_, Box<Error>>(())
    };
    match timeout(ctx.state.limits.time_for_body(0), end).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Refusal::new(Reason::BadRequest, "a body that breaks off")),
        Err(_) => Err(Reason::RequestTimeout.into()),
    }
}
