//! New signing keys, in the form in which the configuration takes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::error::Unspecified;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::session::random_bytes;

/// So many signs has a line of PEM (RFC 7468, 2).
const PEM_LINE: usize = 64;

/// What a new key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are the algorithms of RFC 7518 and RFC 8037")]
pub enum NewKey {
    EdDsa,
    Es256,
    Hs256,
}

impl NewKey {
    /// A new key: 32 bytes in base64, or a private key in PEM (PKCS#8).
    ///
    /// # Errors
    ///
    /// Where the system has no random numbers.
    pub fn generate(self) -> Result<Secret, Unspecified> {
        let random = SystemRandom::new();
        let document = match self {
            Self::Hs256 => return Ok(random_base64()),
            Self::EdDsa => Ed25519KeyPair::generate_pkcs8(&random)?,
            Self::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?,
        };
        let text = Zeroizing::new(STANDARD.encode(document.as_ref()));
        let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(PEM_LINE));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str("-----END PRIVATE KEY-----");
        Ok(Secret::new(pem))
    }
}

/// 32 random bytes in base64: a key of HS256, or one that seals what is in the store.
pub fn random_base64() -> Secret {
    Secret::new(STANDARD.encode(Zeroizing::new(random_bytes::<32>())))
}

#[cfg(test)]
mod tests {
    use super::super::{Claims, SigningKey, Tokens, install_crypto_provider};
    use super::*;

    #[test]
    fn a_new_key_signs_and_verifies() {
        install_crypto_provider();
        for kind in [NewKey::EdDsa, NewKey::Es256, NewKey::Hs256] {
            let (one, other) = (kind.generate().unwrap(), kind.generate().unwrap());
            assert!(!one.matches(other.expose()), "{kind:?}");
            let tokens = |key: &Secret| Tokens::new(vec![SigningKey::parse(key.expose()).unwrap()]);
            let claims = Claims::new("o", "wx", "s", "j".to_owned(), 1, 1, 9);
            let token = tokens(&one).sign(&claims).unwrap();
            assert_eq!(tokens(&one).verify(&token, 5), Ok(claims), "{kind:?}");
            assert!(tokens(&other).verify(&token, 5).is_err(), "{kind:?}");
        }
    }
}
