//! Who is logged in: the token outside, the session behind it, and the session keys of the users.

pub mod access_token;
pub mod bearer;
mod caller;
pub mod key_ring;
pub mod memory;
mod metrics;
mod near_cache;
pub mod record;
mod refused;
pub mod seal;
mod sessions;
pub mod store;
pub mod store_watch;
pub mod token;

pub use caller::Caller;
pub use metrics::{AccessTokenMetrics, EndReason, SessionMetrics};
pub use near_cache::Live;
pub use sessions::{Attached, NotAuthenticated, Sessions};

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use ring::rand::{SecureRandom, SystemRandom};

/// No session lives longer, whatever the settings: what is remembered for as long covers all there are.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(3650 * 86_400);

/// The `[session]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a session lives without a request.
    pub idle: Duration,
    /// How long it lives at most; up to [`LONGEST_LIFETIME`].
    pub lifetime: Duration,
    /// The first signs tokens, all verify them. None are given where the gateway makes one that ends
    /// with the process.
    pub signing_keys: Vec<token::SigningKey>,
    /// Whether the session behind a token is looked up.
    pub revocation: Revocation,
    /// What a token is worth while the store does not answer.
    pub on_store_outage: OnStoreOutage,
    /// How old the watermark of open data may be; any age where there is none.
    pub open_data_max_age: Option<Duration>,
    /// Where a token may stand; exactly one of them in a request.
    pub token_from: Vec<TokenSource>,
    /// The cookie that is set at login.
    pub cookie: Option<Cookie>,
}

/// The `revocation` of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The session is looked up, in a local cache that the store invalidates.
    Instant,
    /// The signature is enough.
    None,
}

/// The `on_store_outage` of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStoreOutage {
    /// 503 until the store answers again.
    Deny,
    /// A signed token is enough for this long after the last good answer.
    AllowSigned(Duration),
}

/// One place where a token may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// `Authorization: Bearer TOKEN`.
    Authorization,
    /// The whole value of a header.
    Header(HeaderName),
    /// A cookie.
    Cookie(String),
    /// A parameter of the query.
    Query(String),
}

/// The cookie that is set at login: `Secure`, `HttpOnly`, for the path `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its `SameSite`.
    pub same_site: SameSite,
}

impl Cookie {
    /// The `Set-Cookie` that gives it this token for so many seconds; none at all take it away.
    pub fn set_to(&self, token: &str, seconds: u64) -> Option<HeaderValue> {
        let same_site = match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        };
        let name = &self.name;
        let text = format!(
            "{name}={token}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite={same_site}"
        );
        HeaderValue::try_from(text).ok()
    }
}

/// The `SameSite` of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "RFC 6265bis")]
pub enum SameSite {
    Strict,
    Lax,
    None,
}

/// Bytes from the system's generator.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // ring fails only where the kernel has no random numbers; then nothing safe can be done.
    #[allow(clippy::expect_used, reason = "getrandom(2) does not fail once the system is up")]
    SystemRandom::new().fill(&mut bytes).expect("the system gives random numbers");
    bytes
}
