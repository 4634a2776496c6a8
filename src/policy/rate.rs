//! Which requests count together: by the client's address, by the user, by the app.

use std::net::IpAddr;
use std::time::Duration;

use super::route::Route;
use crate::rate::{Exceeded, Quota};
use crate::refusal::{Reason, Refusal};
use crate::session::store::{Key, Kind};
use crate::wechat::app::AppId;
use crate::wechat::user::User;

const MINUTE: Duration = Duration::from_secs(60);

/// The `rate` of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Which of its requests count together.
    pub per: Per,
    /// How many of them are let through.
    pub quota: Quota,
}

/// The `per` of a route's `rate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Those of one address, or of one network of IPv6.
    Ip,
    /// Those of one user; of one address where nobody is logged in.
    OpenId,
    /// Those of one app's users; all others together.
    App,
}

impl Per {
    /// All of them, with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 3] =
        [("ip", Self::Ip), ("openid", Self::OpenId), ("app", Self::App)];
}

/// The `login_rate` of `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginRate {
    /// Of one address.
    pub per_ip: Quota,
    /// Of one app.
    pub per_app: Quota,
}

impl Default for LoginRate {
    fn default() -> Self {
        Self { per_ip: Quota::new(600, MINUTE, 100), per_app: Quota::new(6_000, MINUTE, 6_000) }
    }
}

impl RateLimit {
    /// Where the requests of this client to this route are counted. Routes do not share it, and all
    /// replicas agree on it.
    pub fn key(&self, route: &Route, client: IpAddr, user: Option<&User>) -> Key {
        let path = route.path.to_string();
        let host = route.host.as_deref().unwrap_or_default();
        let methods: Vec<_> = route.methods.iter().map(http::Method::as_str).collect();
        let methods = methods.join(" ");
        let key = |who: &[&[u8]]| {
            let route: [&[u8]; 4] =
                [b"route", path.as_bytes(), host.as_bytes(), methods.as_bytes()];
            Key::new(Kind::Rate, &[&route, who].concat())
        };
        match (self.per, user) {
            (Per::Ip, _) | (Per::OpenId, None) => key(&[b"ip", &network(client)]),
            (Per::OpenId, Some(user)) => {
                key(&[b"openid", user.appid.as_str().as_bytes(), user.openid.as_str().as_bytes()])
            }
            (Per::App, Some(user)) => key(&[b"app", user.appid.as_str().as_bytes()]),
            (Per::App, None) => key(&[b"app"]),
        }
    }
}

/// Where the logins from an address are counted.
pub fn login_key_of_ip(client: IpAddr) -> Key {
    Key::new(Kind::Rate, &[b"login", b"ip", &network(client)])
}

/// Where the logins to an app are counted.
pub fn login_key_of_app(appid: &AppId) -> Key {
    Key::new(Kind::Rate, &[b"login", b"app", appid.as_str().as_bytes()])
}

/// The refusal for a limit that was reached; `whose` says which.
pub fn refused(exceeded: Exceeded, whose: &'static str) -> Refusal {
    let refusal = Refusal::new(Reason::RateLimited, whose);
    Refusal { retry_after: Some(exceeded.wait), ..refusal }
}

/// An address of IPv4, or a network of IPv6: a single customer has at least a /64 of addresses
/// (RFC 6177).
fn network(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().into_iter().take(8).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        let network = |text: &str| network(text.parse().unwrap());
        network(one) == network(other)
    }

    #[test]
    fn a_network_of_version_six_counts_as_one_client() {
        assert!(same("2001:db8::1", "2001:db8::ffff:1:2:3"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
    }
}
