//! What a client may send, and how slowly.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::rate::LoginRate;

/// The `[limits]` table. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte of a request to the end of its headers, in all.
    pub header_timeout: Duration,
    /// The whole header section, request line included.
    pub header_size: usize,
    /// Header fields in one request.
    pub header_count: usize,
    /// The request target.
    pub uri_length: usize,
    /// A request body, declared or streamed; a route may say otherwise.
    pub body_size: u64,
    /// Between two reads of a request body.
    pub body_idle: Duration,
    /// A connection without a request.
    pub keepalive: Duration,
    /// Connections at one time, over all listeners.
    pub connections: usize,
    /// Connections of one address at one time, where that is limited.
    pub connections_per_address: Option<NonZeroUsize>,
    /// How many logins may reach WeChat.
    pub login_rate: LoginRate,
}

/// Bytes a second of a body, over all of it, whose client is not stalling.
const SLOWEST_BODY: u64 = 1 << 10;

impl Limits {
    /// How long a body may take of which so many bytes came.
    pub fn time_for_body(&self, received: u64) -> Duration {
        self.body_idle + Duration::from_millis(received.saturating_mul(1000) / SLOWEST_BODY)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            header_size: 32 << 10,
            header_count: 100,
            uri_length: 8 << 10,
            body_size: 10 << 20,
            body_idle: Duration::from_secs(30),
            keepalive: Duration::from_secs(75),
            connections: 10_000,
            connections_per_address: None,
            login_rate: LoginRate::default(),
        }
    }
}

/// The body of a request to one of the gateway's own actions: a code or a few KiB of encryptedData.
pub const ACTION_BODY_SIZE: u64 = 64 << 10;

/// For how long a client may go on sending what is no longer read, so that it comes to read its answer.
pub const LINGER: Duration = Duration::from_secs(1);
