//! What goes wrong with a server, or on the way to it.

use std::fmt;

use pingora_error::{Error, ErrorType, RetryType};

use super::Malformed;

/// Why a try came to no answer.
#[derive(Debug)]
pub(in crate::proxy) enum Fault {
    /// No connection came about.
    NotConnected(Box<Error>),
    /// The answer, or more of it, did not come in time.
    Late,
    /// The request, or more of it, was not taken in time.
    TakesNothing,
    /// The connection broke before the answer was whole.
    Broken {
        /// Whether anything of an answer had come.
        heard: bool,
    },
    /// What came is no answer.
    Malformed(Malformed),
    /// HTTP/2 says what.
    Http2(Box<Error>),
}

impl Fault {
    /// Whether nothing of an answer came, for a reason that lies in the connection. One that had served
    /// before may have been closed in the moment that it was used again.
    pub(in crate::proxy) fn is_unheard(&self, was_used: bool) -> bool {
        match self {
            Self::NotConnected(_) => true,
            Self::Broken { heard } => was_used && !heard,
            Self::Http2(error) => match error.retry {
                // Refused streams, and connections that servers take leave of.
                RetryType::Decided(true) => true,
                RetryType::ReusedOnly => was_used,
                RetryType::Decided(false) => was_used && *error.etype() == ErrorType::WriteError,
            },
            Self::Late | Self::TakesNothing | Self::Malformed(_) => false,
        }
    }

    /// Whether the server wants HTTP/1.1 (RFC 9113, 7), or what it speaks is no HTTP/2.
    pub(in crate::proxy) fn is_downgrade(&self) -> bool {
        let is =
            |error: &Error| matches!(error.etype(), ErrorType::H2Downgrade | ErrorType::InvalidH2);
        matches!(self, Self::Http2(error) if is(error))
    }

    /// A name for spans.
    pub(in crate::proxy) fn name(&self) -> &str {
        match self {
            Self::NotConnected(error) | Self::Http2(error) => error.etype().as_str(),
            Self::Late => ErrorType::ReadTimedout.as_str(),
            Self::TakesNothing => ErrorType::WriteTimedout.as_str(),
            Self::Broken { .. } => ErrorType::ConnectionClosed.as_str(),
            Self::Malformed(_) => ErrorType::InvalidHTTPHeader.as_str(),
        }
    }
}

/// What the operator reads.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::NotConnected(error) => not_connected(error),
            Self::Late => "no answer in time",
            Self::TakesNothing => "it takes no request body",
            Self::Broken { .. } => "the connection broke before the answer was whole",
            Self::Malformed(malformed) => {
                return write!(f, "its answer is malformed: {malformed}");
            }
            Self::Http2(error) => match error.etype() {
                ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError => {
                    "the connection broke before the answer was whole"
                }
                _ => "it answered in a way that is not HTTP",
            },
        };
        f.write_str(what)
    }
}

fn not_connected(error: &Error) -> &'static str {
    match error.etype() {
        ErrorType::ConnectTimedout => "no connection in time",
        ErrorType::ConnectRefused => "the connection is refused",
        ErrorType::ConnectNoRoute => "no way to its address",
        ErrorType::TLSHandshakeFailure
        | ErrorType::TLSHandshakeTimedout
        | ErrorType::HandshakeError => "the TLS handshake failed",
        ErrorType::InvalidCert => "its certificate is not trusted",
        _ => "it cannot be connected to",
    }
}
