//! A key that signs assertions, and its public half as others know it.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair, UnparsedPublicKey, VerificationAlgorithm,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::TYPE;
use crate::session::random_bytes;
use crate::session::token::SigningKey;

/// One key. The algorithm is the kind's: EdDSA for Ed25519, ES256 for P-256.
#[derive(Clone)]
pub struct AssertionKey(Arc<Parts>);

/// The pair is read once, and the header of its tokens is the same for all: jsonwebtoken would read the
/// key and write the header anew for every request, which is half of the time.
struct Parts {
    pair: Pair,
    public: Public,
    /// `kid`: the thumbprint (RFC 7638).
    id: String,
    /// The JOSE header, encoded.
    header: String,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

/// The public half, in the members of a JWK (RFC 8037, 2; RFC 7518, 6.2).
enum Public {
    Ed25519 { x: String },
    P256 { x: String, y: String },
}

/// Why a text is no key for assertions. The text itself is never in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Base64, as of HS256, or anything else that is no PEM.
    #[error(
        "it has to be the PEM text of a private key: whoever verifies by HS256 could sign as well"
    )]
    NoPem,
    /// A PEM of something else, of RSA too: a signature of that takes a millisecond.
    #[error("the PEM holds no private key for EdDSA (Ed25519) or ES256 (P-256), in PKCS#8")]
    Kind,
}

impl AssertionKey {
    /// Reads a private key in PEM.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        if !text.contains("-----BEGIN") {
            return Err(BadKey::NoPem);
        }
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| BadKey::Kind)?;
        let der = key.secret_der();
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self::of(Pair::Ed25519(pair)));
        }
        let p256 = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(p256, der, &SystemRandom::new());
        pair.map(|pair| Self::of(Pair::P256(pair))).map_err(|_| BadKey::Kind)
    }

    /// A new key, for a gateway whose keys end with the process.
    pub fn random() -> Self {
        #[allow(clippy::expect_used, reason = "a seed of Ed25519 is any 32 bytes")]
        let pair = Ed25519KeyPair::from_seed_unchecked(&random_bytes::<32>()).expect("32 bytes");
        Self::of(Pair::Ed25519(pair))
    }

    fn of(pair: Pair) -> Self {
        let public = Public::of(&pair);
        let id = public.thumbprint();
        let header = json!({ "typ": TYPE, "alg": public.algorithm(), "kid": id });
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        Self(Arc::new(Parts { pair, public, id, header }))
    }

    /// The `kid`.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Whether it signs tokens of sessions too.
    pub fn is_also(&self, key: &SigningKey) -> bool {
        key.has_public_half(self.0.pair.public_key())
    }

    /// The public half, with what it is for (RFC 7517, 4).
    pub(super) fn jwk(&self) -> Value {
        let (id, algorithm) = (self.id(), self.0.public.algorithm());
        match &self.0.public {
            Public::Ed25519 { x } => json!({
                "kty": "OKP", "crv": "Ed25519", "x": x,
                "kid": id, "use": "sig", "alg": algorithm,
            }),
            Public::P256 { x, y } => json!({
                "kty": "EC", "crv": "P-256", "x": x, "y": y,
                "kid": id, "use": "sig", "alg": algorithm,
            }),
        }
    }

    /// Whether it has signed this token, whatever that says.
    pub fn has_signed(&self, token: &str) -> bool {
        let Some((signed, signature)) = token.rsplit_once('.') else { return false };
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
        let algorithm: &dyn VerificationAlgorithm = match self.0.pair {
            Pair::Ed25519(_) => &ED25519,
            Pair::P256(_) => &ECDSA_P256_SHA256_FIXED,
        };
        let public = UnparsedPublicKey::new(algorithm, self.0.pair.public_key());
        public.verify(signed.as_bytes(), &signature).is_ok()
    }

    /// Signs claims (RFC 7515, 7.1). None where the system has no random numbers, which ES256 needs.
    pub(super) fn sign(&self, claims: &[u8]) -> Option<String> {
        let mut token = String::with_capacity(self.0.header.len() + claims.len() * 4 / 3 + 100);
        token.push_str(&self.0.header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = match &self.0.pair {
            Pair::Ed25519(pair) => pair.sign(token.as_bytes()),
            Pair::P256(pair) => pair.sign(&SystemRandom::new(), token.as_bytes()).ok()?,
        };
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Some(token)
    }
}

impl Pair {
    fn public_key(&self) -> &[u8] {
        match self {
            Self::Ed25519(pair) => pair.public_key().as_ref(),
            Self::P256(pair) => pair.public_key().as_ref(),
        }
    }
}

impl Public {
    fn of(pair: &Pair) -> Self {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match pair {
            Pair::Ed25519(pair) => Self::Ed25519 { x: encoded(pair.public_key().as_ref()) },
            Pair::P256(pair) => {
                // An uncompressed point: 4, X, Y (SEC 1, 2.3.3).
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                Self::P256 { x: encoded(x), y: encoded(y) }
            }
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519 { .. } => "EdDSA",
            Self::P256 { .. } => "ES256",
        }
    }

    /// SHA-256 of the members that make the key, in the order of the alphabet (RFC 7638, 3.2; RFC 8037, 2).
    fn thumbprint(&self) -> String {
        let members = match self {
            Self::Ed25519 { x } => json!({ "crv": "Ed25519", "kty": "OKP", "x": x }),
            Self::P256 { x, y } => json!({ "crv": "P-256", "kty": "EC", "x": x, "y": y }),
        };
        URL_SAFE_NO_PAD.encode(digest(&SHA256, members.to_string().as_bytes()))
    }
}

/// The thumbprint tells keys apart.
impl PartialEq for AssertionKey {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for AssertionKey {}

impl fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AssertionKey({} {})", self.0.public.algorithm(), self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 8037, A.1, in PKCS#8.
    const RFC_8037: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
        -----END PRIVATE KEY-----";

    #[test]
    fn the_thumbprint_is_the_one_of_rfc_8037() {
        let key = AssertionKey::parse(RFC_8037).unwrap();
        assert_eq!(key.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(
            key.jwk().to_string(),
            "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\
             \"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\
             \"kid\":\"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\",\
             \"use\":\"sig\",\"alg\":\"EdDSA\"}"
        );
    }

    #[test]
    fn what_is_no_private_key_of_the_two_kinds_is_refused() {
        let rsa = include_str!("../../../tests/keys/test-only-rsa-2048.pem");
        let public = "-----BEGIN PUBLIC KEY-----\n\
            MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
            -----END PUBLIC KEY-----";
        for (text, why) in [
            ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", BadKey::NoPem),
            ("", BadKey::NoPem),
            (rsa, BadKey::Kind),
            (public, BadKey::Kind),
            ("-----BEGIN PRIVATE KEY-----", BadKey::Kind),
        ] {
            assert_eq!(AssertionKey::parse(text).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn a_key_does_not_print() {
        let shown = format!("{:?}", AssertionKey::parse(RFC_8037).unwrap());
        assert_eq!(shown, "AssertionKey(EdDSA kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k)");
    }
}
