//! The services behind the gateway: their servers, and which of them gets a request.

mod servers;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;

pub use servers::{Address, Target, Upstream};

/// One `[upstreams.NAME]` table.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name that the configuration gives it.
    pub name: String,
    /// Its servers; never empty.
    pub servers: Vec<Server>,
    /// To set up a connection.
    pub connect_timeout: Duration,
    /// To the first byte of the answer, and between bytes.
    pub timeout: Duration,
    /// Idle connections kept for each gateway.
    pub keepalive: usize,
    /// Tries after the first, for an idempotent request on a connection that gave nothing back.
    pub retries: usize,
    /// Headers with `_` or `.` in their name that it may get all the same.
    pub pass_headers: Vec<HeaderName>,
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// `http://host:port` or `https://host:port`.
    Tcp {
        /// Whether the connection is TLS, verified for `host`.
        tls: bool,
        /// A host name or an IP address.
        host: String,
        /// The port.
        port: u16,
    },
    /// `unix:/path`.
    Unix(PathBuf),
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { tls, host, port } => {
                let scheme = if *tls { "https" } else { "http" };
                let bracketed = host.contains(':');
                let (open, close) = if bracketed { ("[", "]") } else { ("", "") };
                write!(f, "{scheme}://{open}{host}{close}:{port}")
            }
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
