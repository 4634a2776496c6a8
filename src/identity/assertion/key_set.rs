//! What upstreams verify assertions with.

use std::sync::Arc;

use serde_json::{Value, json};

use super::AssertionKey;

/// The public keys, as a JWK Set (RFC 7517, 5). Clones share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet(Arc<str>);

impl KeySet {
    /// Its media type (RFC 7517, 8.5).
    pub const MEDIA_TYPE: &str = "application/jwk-set+json";
    /// Five minutes: so long before it signs a new key has to be published. A shared cache would add its own five.
    pub const CACHE_CONTROL: &str = "private, max-age=300";

    /// The public halves of these keys.
    pub(super) fn of(keys: &[AssertionKey]) -> Self {
        let keys: Vec<Value> = keys.iter().map(AssertionKey::jwk).collect();
        Self(json!({ "keys": keys }).to_string().into())
    }

    /// It as JSON.
    pub fn json(&self) -> &str {
        &self.0
    }
}
