//! What has no end of its own, and so ends with the session that it was let in for: a tunnel, a stream
//! of events, the streams of gRPC. Any other answer was decided on when its request was.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use pingora_core::protocols::http::ServerSession;
use pingora_http::ResponseHeader;

use super::Context;
use crate::listen::closer_of;
use crate::refusal::{Reason, Refusal};

/// Attaches a request to its session, where its answer says that it has no end. A connection that it has
/// for itself is closed as soon as the session has ended; a stream of HTTP/2 with the next data on it.
pub(super) fn attach(session: &ServerSession, response: &ResponseHeader, ctx: &mut Context) {
    let Some(live) = ctx.live.as_ref().filter(|_| is_endless(response)) else { return };
    let closer = closer_of(session.stream()).unwrap_or_default();
    ctx.attached = Some(ctx.state.sessions.attach(live.live.clone(), closer));
}

/// Fails once the session has ended.
pub(super) fn check(ctx: &Context) -> Result<(), Refusal> {
    match ctx.attached.as_ref().is_some_and(|attached| attached.has_ended()) {
        true => Err(Refusal::new(Reason::TokenInvalid, "the session has ended")),
        false => Ok(()),
    }
}

fn is_endless(response: &ResponseHeader) -> bool {
    if response.status == StatusCode::SWITCHING_PROTOCOLS {
        return true;
    }
    let kind = response.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().trim_start();
    let is = |name: &str| kind.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name));
    is("text/event-stream") || is("application/grpc")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, kind: &str) -> ResponseHeader {
        let mut answer = ResponseHeader::build(status, None).unwrap();
        answer.insert_header(CONTENT_TYPE, kind).unwrap();
        answer
    }

    #[test]
    fn tunnels_events_and_grpc_have_no_end() {
        assert!(is_endless(&ResponseHeader::build(101, None).unwrap()));
        for kind in ["text/event-stream", "Text/Event-Stream; charset=utf-8", "application/grpc+x"]
        {
            assert!(is_endless(&answer(200, kind)), "{kind}");
        }
        for kind in ["application/json", "video/mp4", ""] {
            assert!(!is_endless(&answer(200, kind)), "{kind}");
        }
    }
}
