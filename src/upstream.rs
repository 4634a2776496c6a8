//! The services behind the gateway: their servers, and which of them gets a request.

mod balance;
mod budget;
mod connect;
mod hash;
mod health;
mod metrics;
mod pool;
mod resolve;
mod server;
mod standing;
mod target;
mod tls;

use std::time::Duration;

use http::HeaderName;

pub use balance::Balance;
pub use hash::key;
pub use health::Health;
pub use metrics::UpstreamMetrics;
pub use pool::{Unavailable, Upstream};
pub use server::{Protocol, Server};
pub use standing::{Eject, Outcome, ServerState};
pub use target::{Address, Lease, Target};
pub use tls::{ClientCertificate, ServerName, Tls};

/// One `[upstreams.NAME]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name that the configuration gives it.
    pub name: String,
    /// Its servers; never empty.
    pub servers: Vec<Server>,
    /// What a server of `https` must prove, and what it is shown.
    pub tls: Tls,
    /// HTTP/2 with the servers of `https` that have it.
    pub http2: bool,
    /// Which server gets a request.
    pub balance: Balance,
    /// To set up a connection.
    pub connect_timeout: Duration,
    /// To the first byte of the answer, and between bytes.
    pub timeout: Duration,
    /// Idle connections kept for each gateway.
    pub keepalive: usize,
    /// Tries after the first, for an idempotent request on a connection that gave nothing back.
    pub retries: usize,
    /// How a server is asked whether it is well; it is not asked where there is none.
    pub health: Option<Health>,
    /// When a server that fails is left out.
    pub eject: Eject,
    /// Whether it gets the client's `Host`; else the host of the server's URL.
    pub preserve_host: bool,
    /// Headers with `_` or `.` in their name that it may get all the same.
    pub pass_headers: Vec<HeaderName>,
}
