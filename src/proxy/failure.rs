//! Why a request came to no answer of its upstream's, and what its client is told.

use std::io::ErrorKind;

use pingora_core::protocols::http::ServerSession;
use pingora_error::{Error, ErrorType};

use super::Context;
use super::upstream_connection::Fault;
use crate::listen::closer_of;
use crate::refusal::{Reason, Refusal};

/// Why it went no further.
#[derive(Debug)]
pub(super) enum Failure {
    /// The gateway refuses.
    Refused(Refusal),
    /// The client is gone, or late, or sends what is none.
    Client(Box<Error>),
    /// The server, or the way to it.
    Server(Fault),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Server(fault)
    }
}

impl Failure {
    /// The refusal that it comes to; none where the client is gone.
    ///
    /// While the client's body is not done, whoever waits for the upstream waits for the client.
    pub(super) fn refusal(&self, ctx: &Context, body_done: bool) -> Option<Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal.clone()),
            Self::Client(error) => of_client(error),
            Self::Server(Fault::Late) if !body_done => Some(Reason::RequestTimeout.into()),
            Self::Server(fault) => Some(of_server(fault, ctx)),
        }
    }

    /// A name for spans.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Refused(refusal) => refusal.reason.entry().code,
            Self::Client(error) => error.etype().as_str(),
            Self::Server(fault) => fault.name(),
        }
    }
}

/// The refusal for a 101 to a request that asked for no other protocol: what follows would be read as
/// HTTP by one side and not by the other (CVE-2026-2833 and its like).
pub(super) fn unasked_tunnel(ctx: &Context) -> Refusal {
    let what = "it switched protocols and nobody had asked";
    blame_upstream(Reason::UpstreamError, what, ctx)
}

/// Closes the connection of a client that takes nothing at once: to end it in order is to wait for the
/// client to take what is left.
pub(super) fn leave_behind(failure: &Failure, session: &ServerSession) {
    let Failure::Client(error) = failure else { return };
    let took_nothing =
        *error.etype() == ErrorType::WriteTimedout || io_kind(error) == Some(ErrorKind::TimedOut);
    if took_nothing && let Some(closer) = closer_of(session.stream()) {
        closer.close();
    }
}

fn of_client(error: &Error) -> Option<Refusal> {
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

fn io_kind(error: &Error) -> Option<ErrorKind> {
    error.root_cause().downcast_ref::<std::io::Error>().map(std::io::Error::kind)
}

fn of_server(fault: &Fault, ctx: &Context) -> Refusal {
    let reason = match fault {
        Fault::NotConnected(_) => Reason::UpstreamUnavailable,
        Fault::Late | Fault::TakesNothing => Reason::UpstreamTimeout,
        Fault::Broken { .. } | Fault::Malformed(_) | Fault::Http2(_) => Reason::UpstreamError,
    };
    blame_upstream(reason, &fault.to_string(), ctx)
}

fn blame_upstream(reason: Reason, what: &str, ctx: &Context) -> Refusal {
    let upstream = ctx.upstream.as_ref();
    let upstream = upstream.map_or("-", |backend| backend.upstream.settings.name.as_str());
    let address =
        ctx.lease.as_ref().map_or_else(String::new, |target| format!(" at {}", target.address));
    Refusal::new(reason, format!("upstream {upstream}{address}: {what}"))
}
