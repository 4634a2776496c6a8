//! Where WeChat is, and how long it may take.

use std::fmt;
use std::time::Duration;

use http::Uri;

/// The `[wechat]` table.
#[derive(Clone, PartialEq, Eq)]
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

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: Uri::from_static("https://api.weixin.qq.com"),
            fallback_url: Some(Uri::from_static("https://api2.weixin.qq.com")),
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(3),
            proxy: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("base_url", &self.base_url)
            .field("fallback_url", &self.fallback_url)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("proxy", &self.proxy.as_ref().map(without_user))
            .finish()
    }
}

/// A forward proxy's URL may hold its password.
fn without_user(proxy: &Uri) -> String {
    let host =
        proxy.authority().map_or("", |authority| match authority.as_str().rsplit_once('@') {
            Some((_, host)) => host,
            None => authority.as_str(),
        });
    format!("{}://{host}", proxy.scheme_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_the_proxy_does_not_print() {
        let proxy = Uri::from_static("http://gate:hunter2@egress:3128");
        let shown = format!("{:?}", Settings { proxy: Some(proxy), ..Settings::default() });
        assert!(shown.contains("http://egress:3128"), "{shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("gate"), "{shown}");
    }
}
