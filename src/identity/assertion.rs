//! The assertion: what the identity headers say, signed, so that an upstream need not believe the network.
//!
//! It is a JWT (RFC 7519) with a type of its own (RFC 8725, 3.11), signed by keys that sign nothing else:
//! no token of a session can pass for one, whatever an upstream forgets to look at.

mod key;
mod key_set;

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::Serialize;
use tracing::error;

pub use key::{AssertionKey, BadKey};
pub use key_set::KeySet;

use super::Call;
use crate::telemetry::seldom::Seldom;

/// The `typ` of an assertion. Tokens of sessions are `JWT`.
pub const TYPE: &str = "wxgate-assertion+jwt";

/// `[identity] assertion`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The header that it goes in.
    pub header: HeaderName,
    /// For how long it is good.
    pub ttl: Duration,
    /// Who says it: `iss`.
    pub issuer: String,
    /// Whom it is for.
    pub audience: Audience,
    /// The first signs, all are published. Empty until the gateway has made one, where none is given.
    pub keys: Vec<AssertionKey>,
}

/// Whom an assertion is for: `aud`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The upstream that gets it, by its name: what one upstream is told is no proof to another.
    Upstream,
    /// All of them alike.
    All(String),
}

/// The assertions of a configuration.
#[derive(Debug)]
pub struct Assertions {
    settings: Settings,
    published: KeySet,
    failures: Seldom,
}

/// What is said of a user.
#[derive(Debug)]
pub(super) struct Said<'a> {
    pub(super) openid: &'a HeaderValue,
    pub(super) appid: Option<&'a HeaderValue>,
    pub(super) unionid: Option<&'a HeaderValue>,
    /// Those that the upstream has in headers too, by their names.
    pub(super) claims: BTreeMap<&'a str, &'a str>,
}

/// The claims, in the order in which they are written.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    appid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unionid: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    claims: &'a BTreeMap<&'a str, &'a str>,
    iat: u64,
    exp: u64,
    jti: &'a str,
}

impl Assertions {
    /// Assertions by these settings.
    pub fn new(settings: Settings) -> Self {
        let published = KeySet::of(&settings.keys);
        Self { settings, published, failures: Seldom::default() }
    }

    /// What they are verified with.
    pub fn published(&self) -> &KeySet {
        &self.published
    }

    pub(super) fn header(&self) -> &HeaderName {
        &self.settings.header
    }

    /// The assertion of a request. It is made once, however often the request is sent: what is tried on
    /// another server is the same request. None where nobody is named whom it is for, or the key cannot
    /// sign, so that the upstream refuses.
    pub(super) fn of(&self, said: &Said<'_>, call: &Call<'_>) -> Option<HeaderValue> {
        if let Some(made) = call.assertion.get() {
            return Some(made.clone());
        }
        let audience = self.audience(call.audience)?;
        let Some(made) = self.sign(said, call, audience) else {
            if self.failures.may_speak() {
                error!(
                    "an assertion could not be signed, and is left out: has the system no random numbers?"
                );
            }
            return None;
        };
        Some(call.assertion.get_or_init(|| made).clone())
    }

    /// In words, where nothing is to be signed.
    pub fn in_words(&self, audience: &str) -> HeaderValue {
        let by = match self.settings.keys.first() {
            Some(key) => format!("signed by the key {}", key.id()),
            None => "signed by a key made at the start".to_owned(),
        };
        let words =
            format!("<a JWT for {:?}, {by}>", self.audience(Some(audience)).unwrap_or_default());
        HeaderValue::try_from(words).unwrap_or(HeaderValue::from_static("<a JWT>"))
    }

    fn sign(&self, said: &Said<'_>, call: &Call<'_>, aud: &str) -> Option<HeaderValue> {
        let now = call.clock.now();
        let claims = Claims {
            iss: &self.settings.issuer,
            aud,
            sub: text(said.openid)?,
            appid: said.appid.and_then(text),
            unionid: said.unionid.and_then(text),
            claims: &said.claims,
            iat: now,
            exp: now + self.settings.ttl.as_secs(),
            jti: text(call.request_id)?,
        };
        let claims = serde_json::to_vec(&claims).ok()?;
        let token = self.settings.keys.first()?.sign(&claims)?;
        let mut value = HeaderValue::try_from(token).ok()?;
        // Neither printed, nor remembered by the compression of HTTP/2.
        value.set_sensitive(true);
        Some(value)
    }

    fn audience<'a>(&'a self, upstream: Option<&'a str>) -> Option<&'a str> {
        match &self.settings.audience {
            Audience::Upstream => upstream,
            Audience::All(audience) => Some(audience),
        }
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}
