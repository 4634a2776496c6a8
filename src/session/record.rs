//! A session as the store keeps it.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::random_bytes;
use super::token::Claims;
use crate::wechat::user::{UnionId, User};

/// For how many seconds a token that was refreshed goes on working, for requests under way.
const REPLACED_TOKEN_SECONDS: u64 = 60;
/// So many of them, however often a client refreshes.
const MAX_REPLACED_TOKENS: usize = 8;

/// One login of one user on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// Whose it is.
    pub user: User,
    /// The user's unionid, once WeChat gave one.
    pub unionid: Option<UnionId>,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// When it ends at the latest, in seconds since 1970.
    pub expires: u64,
    /// The token that it goes with.
    pub token: TokenId,
    /// Tokens that were refreshed, and until when they still work.
    pub replaced_tokens: Vec<(TokenId, u64)>,
    /// What the upstream said of the user at login.
    pub claims: BTreeMap<String, String>,
}

impl Session {
    /// Until when the session takes this token, in seconds since 1970; none where it does not.
    pub fn token_until(&self, token: &TokenId, now: u64) -> Option<u64> {
        let replaced = self.replaced_tokens.iter().find(|(id, until)| id == token && now < *until);
        if self.token == *token { Some(self.expires) } else { replaced.map(|(_, until)| *until) }
    }

    /// The session that a token speaks of, where sessions are not looked up.
    pub(super) fn from_claims(user: User, id: SessionId, token: TokenId, claims: &Claims) -> Self {
        Self {
            id,
            user,
            unionid: None,
            created: claims.auth_time,
            expires: claims.exp,
            token,
            replaced_tokens: Vec::new(),
            claims: BTreeMap::new(),
        }
    }

    /// Gives the session a new token; the old one works a little longer.
    pub fn replace_token(&mut self, now: u64) {
        self.replaced_tokens.retain(|(_, until)| now < *until);
        let old = std::mem::replace(&mut self.token, TokenId::random());
        self.replaced_tokens.push((old, now + REPLACED_TOKEN_SECONDS));
        let surplus = self.replaced_tokens.len().saturating_sub(MAX_REPLACED_TOKENS);
        self.replaced_tokens.drain(..surplus);
    }
}

/// The name of a session: 128 random bits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

/// The name of one token of a session: 64 random bits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenId(String);

impl SessionId {
    /// A new name.
    pub fn random() -> Self {
        Self::from_bytes(random_bytes())
    }

    /// Takes a name over from a token or a stored value.
    pub fn parse(text: &str) -> Option<Self> {
        // Strict: a name has one spelling, as it has one value.
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == 16).then(|| Self(text.to_owned()))
    }

    /// The name of these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Its bytes, which are shorter than the text.
    pub fn to_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        // Both ways of making a name see to it that it decodes to so many.
        let _ = URL_SAFE_NO_PAD.decode_slice(&self.0, &mut bytes);
        bytes
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TokenId {
    /// A new name.
    pub fn random() -> Self {
        Self(URL_SAFE_NO_PAD.encode(random_bytes::<8>()))
    }

    /// Takes a name over from a token or a stored value.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 11 && is_url_safe(text)).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_url_safe(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Enough to tell sessions apart in a log, too little to be one.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.0.get(..6).unwrap_or_default())
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.0.get(..3).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_session_has_one_spelling() {
        let id = SessionId::random();
        assert_eq!(SessionId::from_bytes(id.to_bytes()), id);
        assert_eq!(SessionId::parse(id.as_str()), Some(id));
        for text in
            ["", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAA+A"]
        {
            assert_eq!(SessionId::parse(text), None, "{text}");
        }
    }
}
