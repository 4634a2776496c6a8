//! The session key: what WeChat gives for a login code, and what open data is sealed and signed
//! with.
//!
//! It never leaves the gateway: whoever holds it can forge open data, phone numbers included
//! (WeChat's security notice 000806202400280b0edd5866156c01).

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use ring::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use ring::hmac;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

/// How long WeChat's text of a key is.
const TEXT_LENGTH: usize = 24;

/// Bits left over after the last byte are WeChat's affair: the text is kept as it came.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The text is not 16 bytes in base64.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not a session key: 24 characters of base64 are expected")]
pub struct NotASessionKey;

/// A session key: WeChat's own text of it, which signatures are made with, and its 16 bytes, which
/// open data is sealed with. Both are wiped when it is dropped.
#[derive(Clone)]
pub struct SessionKey {
    text: Zeroizing<String>,
    bytes: Zeroizing<[u8; 16]>,
}

impl SessionKey {
    /// Reads WeChat's text.
    pub fn parse(text: &str) -> Result<Self, NotASessionKey> {
        if text.len() != TEXT_LENGTH {
            return Err(NotASessionKey);
        }
        // Room for what 24 characters can hold before their padding is known.
        let mut room = Zeroizing::new([0; 18]);
        let length = ENGINE.decode_slice(text, &mut *room).map_err(|_| NotASessionKey)?;
        let decoded = room.get(..length).ok_or(NotASessionKey)?;
        let bytes = Zeroizing::new(decoded.try_into().map_err(|_| NotASessionKey)?);
        Ok(Self { text: Zeroizing::new(text.to_owned()), bytes })
    }

    /// The key of nobody: stands in where there is none, so that the work stays the same.
    pub(crate) fn nobody() -> Self {
        let text = "A".repeat(TEXT_LENGTH - 2) + "==";
        Self { text: Zeroizing::new(text), bytes: Zeroizing::new([0; 16]) }
    }

    /// WeChat's text, for the one call that stores it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The key's bytes.
    pub(crate) fn bytes(&self) -> &[u8; 16] {
        &self.bytes
    }

    /// The proof of the key that checksession asks for: HMAC-SHA256 of the empty string, keyed with
    /// the *text*, in lowercase hex.
    pub fn signature(&self) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.text.as_bytes());
        hex(hmac::sign(&key, b"").as_ref())
    }

    /// What WeChat's client signs `rawData` with: SHA-1 of it and the key's *text*, in lowercase
    /// hex.
    pub fn sign_raw_data(&self, raw: &[u8]) -> String {
        let mut digest = digest::Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        digest.update(raw);
        digest.update(self.text.as_bytes());
        hex(digest.finish().as_ref())
    }

    /// Whether the signature is that of exactly these bytes, compared in constant time. The data
    /// are taken as received: written anew they have another signature.
    pub fn verify_raw_data(&self, raw: &[u8], signature: &str) -> bool {
        let expected = self.sign_raw_data(raw);
        expected.as_bytes().ct_eq(signature.to_ascii_lowercase().as_bytes()).into()
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex_digit).collect()
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(nibble.into(), 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors() -> serde_json::Value {
        serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap()
    }

    fn text(value: &serde_json::Value) -> &str {
        value.as_str().unwrap()
    }

    #[test]
    fn wechats_session_signature() {
        let vector = &vectors()["session_signature"];
        let key = SessionKey::parse(text(&vector["session_key"])).unwrap();
        assert_eq!(key.signature(), text(&vector["signature"]));
    }

    #[test]
    fn wechats_raw_data_signature() {
        let vector = &vectors()["raw_data_signature"];
        let key = SessionKey::parse(text(&vector["session_key"])).unwrap();
        let (raw, signature) = (text(&vector["raw_data"]), text(&vector["signature"]));
        assert_eq!(key.sign_raw_data(raw.as_bytes()), signature);
        assert!(key.verify_raw_data(raw.as_bytes(), signature));
        assert!(key.verify_raw_data(raw.as_bytes(), &signature.to_uppercase()));
        let written_anew = raw.replacen(':', ": ", 1);
        assert!(!key.verify_raw_data(written_anew.as_bytes(), signature));
        assert!(!key.verify_raw_data(raw.as_bytes(), signature.get(1..).unwrap()));
        assert!(!key.verify_raw_data(raw.as_bytes(), ""));
    }

    #[test]
    fn only_sixteen_bytes_in_base64_are_a_key() {
        let sound = "tiihtNczf5v6AKRyjwEUhQ==";
        assert_eq!(SessionKey::parse(sound).unwrap().bytes()[0], 0xb6);
        for text in [
            "",
            "tiihtNczf5v6AKRyjwEUhQ",
            "tiihtNczf5v6AKRyjwEUhQ= ",
            "tiihtNczf5v6AKRyjwEUhQQ=",
            "tiihtNczf5v6AKRyjwEUhQQQ",
            "tiihtNczf5v6-KRyjwEUhQ==",
            "éiihtNczf5v6AKRyjwEUhQ=",
        ] {
            assert_eq!(SessionKey::parse(text).err(), Some(NotASessionKey), "{text}");
        }
    }

    #[test]
    fn a_key_does_not_print() {
        let key = SessionKey::parse("tiihtNczf5v6AKRyjwEUhQ==").unwrap();
        assert_eq!(format!("{key:?}"), "[REDACTED]");
    }

    #[test]
    fn nobodys_key_has_the_shape_of_a_key() {
        let nobody = SessionKey::nobody();
        assert_eq!(SessionKey::parse(nobody.expose()).unwrap().bytes(), nobody.bytes());
    }
}
