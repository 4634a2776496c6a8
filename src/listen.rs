//! The data listeners: sockets, and the door that holds a connection between its requests.

mod door;
mod head;
mod observer;
mod sockets;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

pub use door::Door;
pub use observer::{Observer, RefusedHead};
pub use sockets::{Listening, NotBound, listen};

/// The `[server]` table.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; never empty.
    pub listeners: Vec<Listener>,
    /// Threads of the data plane; one or more.
    pub workers: usize,
    /// Peers whose `X-Forwarded-*` and `X-Request-Id` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// HTTP/2 by its preface on plain listeners.
    pub h2c: bool,
    /// After SIGTERM: not ready, still accepting.
    pub lame_duck: Duration,
    /// Then: no new connections, what is in flight ends.
    pub drain: Duration,
}

/// One address to listen on.
#[derive(Clone, Debug)]
pub struct Listener {
    /// The address; port 0 takes a free one.
    pub address: Address,
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
