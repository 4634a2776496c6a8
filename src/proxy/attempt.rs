//! What a try came to: what it tells of the server, and whether there is another one.

use http::StatusCode;
use pingora_error::{Error, ErrorSource, ErrorType, RetryType};
use pingora_proxy::Session;

use super::{Context, failure, spans};
use crate::upstream::Outcome;

/// pingora says so in the context of an error, and nowhere else.
const READ: &str = "bytes already read: ";
const NOTHING_READ: &str = "bytes already read: 0";

/// No connection came about. No byte was sent, so that even a POST may go to another server.
pub(super) fn not_connected(ctx: &Context) -> bool {
    report(ctx, Outcome::NotConnected);
    may_try_again(ctx)
}

/// A request broke off on a connection. Tells whether it may be tried again: only where the upstream
/// cannot have begun to answer, and only where it would do no harm if it had begun to work
/// (RFC 9110, 9.2.2; RFC 9112, 9.3.1).
pub(super) fn broke_off(error: &Error, session: &mut Session, ctx: &Context, reused: bool) -> bool {
    let reused = reused || ctx.connector.as_ref().is_some_and(|connector| connector.was_used());
    let unheard = is_unheard(error, session, ctx, reused);
    let late = failure::is_late(error);
    if *error.esource() == ErrorSource::Upstream {
        match error.etype() {
            // It waited for a client that was slow, or meant to have its server left out.
            _ if late && !session.is_body_done() => {}
            ErrorType::WriteTimedout => report(ctx, Outcome::TimedOut),
            _ if late => report(ctx, Outcome::TimedOut),
            // A server may close an idle connection in the moment that it is used again.
            _ if unheard && reused => {}
            _ => report(ctx, Outcome::Broken),
        }
    }
    unheard && is_idempotent(session, ctx) && may_try_again(ctx)
}

/// The head of an answer came; what only says that more will come is none.
pub(super) fn answered(ctx: &mut Context, status: StatusCode) {
    spans::answered(ctx, status);
    let is_answer = !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS;
    let (true, Some(begun), Some(backend)) = (is_answer, ctx.attempt_begun, &ctx.upstream) else {
        return;
    };
    let took = begun.elapsed();
    backend.upstream.metrics.answered(status, took);
    ctx.upstream_took = Some(took);
}

/// A request went through to its end.
pub(super) fn ended(ctx: &Context) {
    if let Some(status) = ctx.upstream_status {
        let failed = status.is_server_error();
        report(ctx, if failed { Outcome::ServerError } else { Outcome::Answered });
    }
}

/// Whether the connection gave nothing back, for a reason that lies in the connection.
fn is_unheard(error: &Error, session: &Session, ctx: &Context, reused: bool) -> bool {
    let is_upstreams = *error.esource() == ErrorSource::Upstream;
    if !is_upstreams || ctx.upstream_status.is_some() || session.response_written().is_some() {
        return false;
    }
    let context = error.context.as_ref().map_or("", |context| context.as_str());
    let after_part_of_a_head = context.contains(READ) && !context.contains(NOTHING_READ);
    match error.retry {
        // Refused streams and connections that HTTP/2 servers take leave of.
        RetryType::Decided(true) => true,
        RetryType::ReusedOnly => reused && !after_part_of_a_head,
        RetryType::Decided(false) => reused && *error.etype() == ErrorType::WriteError,
    }
}

fn is_idempotent(session: &Session, ctx: &Context) -> bool {
    let method_is = session.req_header().method.is_idempotent();
    // What an action makes of a GET goes on as a POST; and the end of a body, with which another one goes
    // on, comes once.
    let is_replaced = ctx
        .replacement
        .as_ref()
        .is_some_and(|replacement| replacement.taken.is_some() || !replacement.body.is_empty());
    method_is && !is_replaced && !session.as_ref().retry_buffer_truncated()
}

/// Whether there are tries and budget left; takes from the budget.
fn may_try_again(ctx: &Context) -> bool {
    let Some(backend) = &ctx.upstream else { return false };
    ctx.attempts <= backend.upstream.settings.retries && backend.upstream.may_retry()
}

fn report(ctx: &Context, outcome: Outcome) {
    if let (Some(backend), Some(lease)) = (&ctx.upstream, &ctx.lease) {
        backend.upstream.report(lease, outcome);
    }
}
