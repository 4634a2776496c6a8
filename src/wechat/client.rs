//! The calls to WeChat.

use std::time::Duration;

use http::Uri;

/// The `[wechat]` table.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where WeChat is, without a path. Plain http only on loopback.
    pub base_url: Uri,
    /// Where to turn when `base_url` cannot be connected to.
    pub fallback_url: Option<Uri>,
    /// To set up a connection.
    pub connect_timeout: Duration,
    /// A whole call.
    pub timeout: Duration,
    /// A forward proxy with a fixed address, for WeChat's IP whitelist.
    pub proxy: Option<Uri>,
}
