//! Who the upstream is told the caller is: what is taken off a request, and what is set on it.

use std::collections::BTreeMap;

use http::HeaderName;

/// The `[identity]` table: the names of the headers that the upstream reads.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The user's openid.
    pub openid: HeaderName,
    /// The user's unionid, where WeChat gave one.
    pub unionid: HeaderName,
    /// The app's appid.
    pub appid: HeaderName,
    /// What triggered the request: `wx_client`. Cloud Run services take its presence as proof.
    pub source: HeaderName,
    /// The request id.
    pub call_id: HeaderName,
    /// The app's Cloud Run environment.
    pub env: HeaderName,
    /// Claims that a login upstream gave, by name.
    pub claims: BTreeMap<String, HeaderName>,
    /// Whether the token itself goes on to the upstream.
    pub forward_token: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            openid: HeaderName::from_static("x-wx-openid"),
            unionid: HeaderName::from_static("x-wx-unionid"),
            appid: HeaderName::from_static("x-wx-appid"),
            source: HeaderName::from_static("x-wx-source"),
            call_id: HeaderName::from_static("x-wx-call-id"),
            env: HeaderName::from_static("x-wx-env"),
            claims: BTreeMap::new(),
            forward_token: false,
        }
    }
}
