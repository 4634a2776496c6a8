//! The token that a client carries: a signed JWT that names a session.

mod crypto;
pub mod generate;
pub mod inspect;
mod key;

use jsonwebtoken::{Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

pub use crypto::install_crypto_provider;
pub(super) use key::decode_base64;
pub use key::{BadKey, SigningKey};

/// Longer tokens are turned away unread: ours are below 400 bytes with any key but RSA.
pub(super) const MAX_LENGTH: usize = 4 << 10;
const ISSUER: &str = "wxgate";
/// How far the clock of the replica that made a token may be ahead of ours.
const AHEAD_SECONDS: u64 = 15 * 60;

/// What a token says. Nothing else may be in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Who made it: always `wxgate`.
    pub iss: String,
    /// The openid.
    pub sub: String,
    /// The appid.
    pub aud: String,
    /// The session.
    pub sid: String,
    /// When its session began, in seconds since 1970 (OpenID Connect Core, 2): a refresh gives a new `iat`, and
    /// nobody who has signed out with all of an app is to come back by one.
    pub auth_time: u64,
    /// When it was made, in seconds since 1970.
    pub iat: u64,
    /// Until when it is good, in seconds since 1970.
    pub exp: u64,
    /// Distinguishes the tokens that one session had in one second.
    pub jti: String,
}

/// The token is not one of ours, or not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct Invalid;

/// The keys that tokens are signed and verified with.
#[derive(Debug)]
pub struct Tokens {
    /// Never empty. The first signs.
    keys: Vec<SigningKey>,
}

impl Tokens {
    /// Takes the keys over: the first signs, all of them verify.
    pub fn new(keys: Vec<SigningKey>) -> Self {
        Self { keys }
    }

    /// Whether they verify the same tokens.
    pub(super) fn have_keys_of(&self, other: &Self) -> bool {
        self.keys == other.keys
    }

    /// Makes the token. Fails only where the signing key itself cannot sign.
    pub fn sign(&self, claims: &Claims) -> Result<String, Invalid> {
        let key = self.keys.first().ok_or(Invalid)?;
        encode(&header(key), claims, key.encoding()).map_err(|_| Invalid)
    }

    /// Whether a text has the form of a token of ours, good or not: for places where nobody verifies it.
    pub fn is_like_ours(&self, text: &str) -> bool {
        let header = decode_header(text.get(..MAX_LENGTH.min(text.len())).unwrap_or_default());
        let kid = header.ok().and_then(|header| header.kid);
        kid.is_some_and(|kid| self.keys.iter().any(|key| key.id() == kid))
    }

    /// Reads a token of ours. The algorithm is the key's; the token's own word is only compared, and
    /// what we never write in a header (`crit`, `b64`, `jwk`, …) is not ours (RFC 7515, 4.1.11).
    pub fn verify(&self, token: &str, now: u64) -> Result<Claims, Invalid> {
        if token.len() > MAX_LENGTH {
            return Err(Invalid);
        }
        let given = decode_header(token).map_err(|_| Invalid)?;
        let kid = given.kid.as_deref().ok_or(Invalid)?;
        let key = self.keys.iter().find(|key| key.id() == kid).ok_or(Invalid)?;
        if given != header(key) {
            return Err(Invalid);
        }
        let claims = decode::<Claims>(token, key.decoding(), &signature_only(key))
            .map_err(|_| Invalid)?
            .claims;
        if claims.iss != ISSUER || now >= claims.exp || claims.iat > now + AHEAD_SECONDS {
            return Err(Invalid);
        }
        Ok(claims)
    }
}

impl Claims {
    /// Claims of this gateway's own.
    pub fn new(
        openid: &str,
        appid: &str,
        session: &str,
        jti: String,
        auth_time: u64,
        iat: u64,
        exp: u64,
    ) -> Self {
        Self {
            iss: ISSUER.to_owned(),
            sub: openid.to_owned(),
            aud: appid.to_owned(),
            sid: session.to_owned(),
            auth_time,
            iat,
            exp,
            jti,
        }
    }
}

/// The header of every token of this key.
fn header(key: &SigningKey) -> Header {
    let mut header = Header::new(key.algorithm());
    header.kid = Some(key.id().to_owned());
    header
}

/// The claims are typed and checked by us, with our clock; jsonwebtoken has its own idea of time.
fn signature_only(key: &SigningKey) -> Validation {
    let mut validation = Validation::new(key.algorithm());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}
