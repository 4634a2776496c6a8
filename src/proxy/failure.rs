//! What went wrong inside pingora, as a refusal.

use std::io::ErrorKind;

use pingora_error::{Error, ErrorSource, ErrorType};
use pingora_proxy::Session;

use super::Context;
use super::upstream_connection::Malformed;
use crate::listen::closer_of;
use crate::refusal::{Reason, Refusal};

const REFUSED: &str = "refused by the gateway";

/// A refusal on its way through pingora, as an error of the client's: any other one in the body of a request
/// to an HTTP/2 upstream is logged and passed over, and the client waits for an answer that never comes.
pub(super) fn refused(refusal: Refusal) -> Box<Error> {
    Error::because(ErrorType::new(REFUSED), "", refusal).into_down()
}

/// The refusal for a 101 to a request that asked for no other protocol: what follows would be read as
/// HTTP by one side and not by the other (CVE-2026-2833 and its like).
pub(super) fn unasked_tunnel(ctx: &Context) -> Refusal {
    bad_answer("it switched protocols and nobody had asked", ctx)
}

/// The refusal for an answer that is none in one reading.
pub(super) fn bad_answer(what: &str, ctx: &Context) -> Refusal {
    blame_upstream(Reason::UpstreamError, what, ctx)
}

/// The refusal that an error comes to; none where the client is gone.
///
/// While the client's body is not done, whoever waits for the upstream waits for the client.
pub(super) fn refusal(error: &Error, ctx: &Context, body_done: bool) -> Option<Refusal> {
    if let Some(refusal) = error.root_cause().downcast_ref::<Refusal>() {
        return Some(refusal.clone());
    }
    match error.esource() {
        ErrorSource::Downstream => of_downstream(error),
        _ if !body_done && is_late(error) => Some(Reason::RequestTimeout.into()),
        _ => Some(of_upstream(error, ctx)),
    }
}

/// Closes the connection of a client that takes nothing at once: to end it in order is to wait for the
/// client to take what is left.
pub(super) fn leave_behind(error: &Error, session: &Session) {
    let took_nothing = *error.esource() == ErrorSource::Downstream
        && (*error.etype() == ErrorType::WriteTimedout
            || io_kind(error) == Some(ErrorKind::TimedOut));
    if took_nothing && let Some(closer) = closer_of(session.as_downstream().stream()) {
        closer.close();
    }
}

fn of_downstream(error: &Error) -> Option<Refusal> {
    match error.etype() {
        ErrorType::ReadError if is_malformed(error) => {
            Some(Refusal::new(Reason::BadRequest, "a chunked body that is malformed"))
        }
        ErrorType::ReadTimedout => Some(Reason::RequestTimeout.into()),
        ErrorType::WriteTimedout
        | ErrorType::WriteError
        | ErrorType::ReadError
        | ErrorType::ConnectionClosed => None,
        _ => Some(Refusal::new(Reason::BadRequest, "a body that is malformed on the wire")),
    }
}

/// Whether the door refused what the client sent (`listen::watched`).
fn is_malformed(error: &Error) -> bool {
    io_kind(error) == Some(ErrorKind::InvalidData)
}

/// Whether an answer did not come in time, by pingora's timer or by that of a connection of our own.
pub(super) fn is_late(error: &Error) -> bool {
    match error.etype() {
        ErrorType::ReadTimedout => true,
        ErrorType::ReadError => io_kind(error) == Some(ErrorKind::TimedOut),
        _ => false,
    }
}

fn io_kind(error: &Error) -> Option<ErrorKind> {
    error.root_cause().downcast_ref::<std::io::Error>().map(std::io::Error::kind)
}

/// Why an answer is none, where it was refused before pingora saw it (`proxy::upstream_connection`).
fn malformed_answer(error: &Error) -> Option<String> {
    let cause = error.root_cause().downcast_ref::<std::io::Error>()?;
    let malformed = cause.get_ref()?.downcast_ref::<Malformed>()?;
    Some(format!("its answer is malformed: {malformed}"))
}

fn of_upstream(error: &Error, ctx: &Context) -> Refusal {
    if let Some(what) = malformed_answer(error) {
        return blame_upstream(Reason::UpstreamError, &what, ctx);
    }
    let (reason, what) = match error.etype() {
        ErrorType::ConnectTimedout => (Reason::UpstreamUnavailable, "no connection in time"),
        ErrorType::ConnectRefused => (Reason::UpstreamUnavailable, "the connection is refused"),
        ErrorType::ConnectNoRoute => (Reason::UpstreamUnavailable, "no way to its address"),
        ErrorType::ConnectError | ErrorType::SocketError | ErrorType::BindError => {
            (Reason::UpstreamUnavailable, "it cannot be connected to")
        }
        ErrorType::TLSHandshakeFailure
        | ErrorType::TLSHandshakeTimedout
        | ErrorType::HandshakeError => (Reason::UpstreamUnavailable, "the TLS handshake failed"),
        ErrorType::InvalidCert => (Reason::UpstreamUnavailable, "its certificate is not trusted"),
        _ if is_late(error) => (Reason::UpstreamTimeout, "no answer in time"),
        ErrorType::WriteTimedout => (Reason::UpstreamTimeout, "it takes no request body"),
        ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError => {
            (Reason::UpstreamError, "the connection broke before the answer was whole")
        }
        _ => (Reason::UpstreamError, "it answered in a way that is not HTTP"),
    };
    blame_upstream(reason, what, ctx)
}

fn blame_upstream(reason: Reason, what: &str, ctx: &Context) -> Refusal {
    let upstream = ctx.upstream.as_ref();
    let upstream = upstream.map_or("-", |backend| backend.upstream.settings.name.as_str());
    let address =
        ctx.lease.as_ref().map_or_else(String::new, |target| format!(" at {}", target.address));
    Refusal::new(reason, format!("upstream {upstream}{address}: {what}"))
}
