//! The data listeners: sockets, the way in, and the door that holds a connection between its requests.

mod chunked_body;
mod chunks;
mod connection;
mod door;
mod entrance;
mod frames;
pub mod head;
mod http2;
mod observer;
mod passed;
mod per_address;
mod proxy_protocol;
mod sockets;
mod stall;
mod tls;
mod watched;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::identity::trace_context::Traces;

pub(crate) use chunks::Chunks;
pub use connection::closer_of;
pub use head::check_whole;
pub(crate) use head::{check_field, has_control, is_token};
pub use observer::{Observer, RefusedHead};
pub use passed::{NotPassed, SocketName, take_over};
pub use sockets::{Listening, NotListening, SOCKET_MODE, Shared, UnixPath, bind_unix, listen};
pub use tls::{Part, Tls, Unusable};

/// The `[server]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen; never empty.
    pub listeners: Vec<Listener>,
    /// Threads of the data plane; one or more.
    pub workers: usize,
    /// Peers whose `X-Forwarded-*`, `X-Request-Id` and PROXY headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// What is done with traces.
    pub traces: Traces,
    /// After SIGTERM: not ready, still accepting.
    pub lame_duck: Duration,
    /// Then: no new connections, what is in flight ends.
    pub drain: Duration,
}

/// What to listen on, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Where.
    pub place: Place,
    /// TLS, with this certificate.
    pub tls: Option<Tls>,
    /// Whether every connection begins with a PROXY header, from a trusted proxy.
    pub proxy_protocol: bool,
    /// HTTP/2 by its preface, where there is no TLS.
    pub h2c: bool,
}

/// Where a listener has its socket from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It binds this address; port 0 takes a free one.
    Own(Address),
    /// The service manager has bound it, or several of this name.
    Passed(SocketName),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(address) => address.fmt(f),
            Self::Passed(name) => write!(f, "systemd:{name}"),
        }
    }
}

/// A TCP address or the path of a unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// A path in the file system.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
