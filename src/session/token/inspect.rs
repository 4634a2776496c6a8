//! What stands in a token, for whoever looks for the reason why one is refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{decode, decode_header};
use serde_json::Value;

use super::{Claims, MAX_LENGTH, Tokens, header, signature_only};

/// What stands in a token; nobody says that it is true.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
}

/// What the keys say of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// It is by this key.
    Good,
    /// It names a key of ours and is not by it.
    Wrong,
    /// It names a key that is not among them, or none.
    UnknownKey,
    /// It is by one of our keys, but no token that a gateway makes.
    NotOurs,
}

impl Parts {
    /// Reads what stands in a token, without any belief in it. None where it is no signed JWT.
    pub fn read(token: &str) -> Option<Self> {
        if token.len() > MAX_LENGTH {
            return None;
        }
        let mut parts = token.split('.');
        let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let json = |part: &str| -> Option<Value> {
            let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
            value.is_object().then_some(value)
        };
        Some(Self { header: json(header)?, claims: json(claims)? })
    }
}

impl Tokens {
    /// What these keys say of the signature, whatever the time.
    pub fn signature_of(&self, token: &str) -> Signature {
        let Ok(given) = decode_header(token) else { return Signature::NotOurs };
        let kid = given.kid.as_deref();
        let Some(key) = self.keys.iter().find(|key| Some(key.id()) == kid) else {
            return Signature::UnknownKey;
        };
        if given != header(key) {
            return Signature::NotOurs;
        }
        match decode::<Claims>(token, key.decoding(), &signature_only(key)) {
            Ok(_) => Signature::Good,
            Err(error) => match error.kind() {
                ErrorKind::InvalidSignature | ErrorKind::Base64(_) => Signature::Wrong,
                _ => Signature::NotOurs,
            },
        }
    }
}
