//! What the configuration says of the store.

use std::fmt;

use zeroize::Zeroizing;

use crate::session::random_bytes;
use crate::session::token::decode_base64;

/// What holds for any store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The first seals, all of them open. None are given where the gateway makes one that ends with the
    /// process.
    pub encryption_keys: Vec<EncryptionKey>,
}

/// A key that seals what is kept in the store.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionKey(Zeroizing<[u8; 32]>);

impl EncryptionKey {
    /// Reads base64 of 32 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(decode_base64(text.trim())?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// A new key, for a store that ends with the process.
    pub fn random() -> Self {
        Self(Zeroizing::new(random_bytes()))
    }

    /// The key itself.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encryption_key_is_base64_of_32_bytes() {
        let key = EncryptionKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        assert_eq!(key.expose()[..4], [0, 1, 2, 3]);
        assert_eq!(format!("{key:?}"), "[REDACTED]");
        for text in ["", "AAEC", "not base64!", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIj"]
        {
            assert_eq!(EncryptionKey::parse(text), None, "{text}");
        }
        assert_ne!(EncryptionKey::random(), EncryptionKey::random());
    }
}
