//! What a try came to: what it tells of the server, and whether there is another one.

use http::StatusCode;
use pingora_core::protocols::http::ServerSession;

use super::failure::Failure;
use super::upstream_connection::Fault;
use super::{Context, spans};
use crate::upstream::Outcome;

/// A try failed. Tells whether there may be another one: where no connection came about, so that even a POST
/// may go to another server; else only where the upstream cannot have begun to answer, and only where it
/// would do no harm if it had begun to work (RFC 9110, 9.2.2; RFC 9112, 9.3.1).
pub(super) fn failed(failure: &Failure, session: &mut ServerSession, ctx: &Context) -> bool {
    let Failure::Server(fault) = failure else { return false };
    let is_silent = ctx.upstream_status.is_none() && session.response_written().is_none();
    let is_unheard = fault.is_unheard(ctx.connection_was_used) && is_silent;
    match fault {
        Fault::NotConnected(_) => report(ctx, Outcome::NotConnected),
        // It waited for a client that was slow, or meant to have its server left out.
        Fault::Late if !session.is_body_done() => {}
        Fault::Late | Fault::TakesNothing => report(ctx, Outcome::TimedOut),
        // A server may close an idle connection in the moment that it is used again.
        _ if is_unheard && ctx.connection_was_used => {}
        _ => report(ctx, Outcome::Broken),
    }
    let does_no_harm = matches!(fault, Fault::NotConnected(_)) || is_idempotent(session, ctx);
    is_unheard && does_no_harm && may_try_again(ctx)
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

fn is_idempotent(session: &ServerSession, ctx: &Context) -> bool {
    let method_is = session.req_header().method.is_idempotent();
    match &ctx.replacement {
        // What an action makes of a GET goes on as a POST.
        Some(replacement) => method_is && replacement.taken.is_none(),
        None => method_is && !session.retry_buffer_truncated(),
    }
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
