//! A server as the configuration names it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// `http://host:port`, `https://host:port` or `h2c://host:port`.
    Tcp {
        /// What is spoken with it.
        protocol: Protocol,
        /// A host name or an IP address.
        host: String,
        /// The port.
        port: u16,
    },
    /// `unix:/path`, HTTP/1.1.
    Unix(PathBuf),
}

/// What is spoken over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/2 without TLS, by prior knowledge (RFC 9113, 3.3).
    H2c,
    /// HTTP/1.1 without TLS.
    Http,
    /// TLS, with a certificate that is verified.
    Https,
}

impl Protocol {
    /// All of them, with their schemes and default ports.
    pub const SCHEMES: [(&'static str, Self, u16); 3] =
        [("http", Self::Http, 80), ("https", Self::Https, 443), ("h2c", Self::H2c, 80)];

    /// The scheme of a URL.
    pub fn scheme(self) -> &'static str {
        self.entry().map_or("", |(scheme, ..)| scheme)
    }

    /// The port where a URL names none.
    pub fn default_port(self) -> u16 {
        self.entry().map_or(0, |(.., port)| *port)
    }

    fn entry(self) -> Option<&'static (&'static str, Self, u16)> {
        Self::SCHEMES.iter().find(|(_, protocol, _)| *protocol == self)
    }
}

impl Server {
    /// Whether it is named, and its addresses may change.
    pub(super) fn has_name(&self) -> bool {
        matches!(self, Self::Tcp { host, .. } if host.parse::<IpAddr>().is_err())
    }

    /// The host and port of its URL as a `Host` header has them; a unix socket has none.
    pub fn authority(&self) -> Option<String> {
        let Self::Tcp { protocol, host, port } = self else { return None };
        let host = bracketed(host);
        Some(if *port == protocol.default_port() { host } else { format!("{host}:{port}") })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { protocol, host, port } => {
                write!(f, "{}://{}:{port}", protocol.scheme(), bracketed(host))
            }
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An IPv6 address in brackets, as URLs have it.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}
