//! The admin listener: health, never on the data listener.

use std::net::SocketAddr;

use crate::secret::Secret;

/// The `[admin]` table.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; loopback by default.
    pub listen: SocketAddr,
    /// What a call that changes state must show.
    pub token: Option<Secret>,
}
