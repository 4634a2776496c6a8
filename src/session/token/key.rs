//! A key that signs and verifies tokens; the algorithm is bound to it.

use std::fmt;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

use crate::secret::{SecretBytes, can_be_guessed};
use crate::session::random_bytes;

/// Below this an HS256 key can be guessed (RFC 7518, 3.2).
const MIN_SECRET_LENGTH: usize = 32;

/// One signing key.
#[derive(Clone)]
pub struct SigningKey {
    id: String,
    algorithm: Algorithm,
    encoding: EncodingKey,
    decoding: DecodingKey,
    can_be_guessed: bool,
}

/// Why a text is no signing key. The text itself is never in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Neither base64 nor PEM.
    #[error("a signing key is base64 of 32 bytes or more, or the PEM text of a private key")]
    Form,
    /// An HS256 key of less than 32 bytes.
    #[error("an HS256 signing key has 32 bytes or more: make one with `openssl rand -base64 32`")]
    Short,
    /// A PEM that holds no Ed25519, P-256 or RSA private key.
    #[error(
        "the PEM holds no private key for EdDSA (Ed25519), ES256 (P-256) or RS256 (2048 bits or more), in PKCS#8"
    )]
    Kind,
}

impl SigningKey {
    /// Reads base64 (HS256) or PEM (EdDSA, ES256, RS256 by the kind of key in it).
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        if text.contains("-----BEGIN") {
            return Self::from_pem(text);
        }
        let secret = SecretBytes::new(decode_base64(text.trim()).ok_or(BadKey::Form)?);
        if secret.expose().len() < MIN_SECRET_LENGTH {
            return Err(BadKey::Short);
        }
        let text = text.trim().trim_end_matches('=');
        let can_be_guessed = can_be_guessed(text.as_bytes()) || can_be_guessed(secret.expose());
        Ok(Self { can_be_guessed, ..Self::symmetric(&secret) })
    }

    /// A new HS256 key, for a gateway whose sessions end with the process.
    pub fn random() -> Self {
        Self::symmetric(&SecretBytes::new(random_bytes::<32>().to_vec()))
    }

    fn symmetric(secret: &SecretBytes) -> Self {
        let bytes = secret.expose();
        Self {
            id: key_id(bytes),
            algorithm: Algorithm::HS256,
            encoding: EncodingKey::from_secret(bytes),
            decoding: DecodingKey::from_secret(bytes),
            can_be_guessed: false,
        }
    }

    fn from_pem(text: &str) -> Result<Self, BadKey> {
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| BadKey::Kind)?;
        let der = key.secret_der();
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            let public = pair.public_key().as_ref();
            let encoding = EncodingKey::from_ed_der(der);
            return Ok(Self::asymmetric(
                Algorithm::EdDSA,
                encoding,
                DecodingKey::from_ed_der(public),
                public,
            ));
        }
        let p256 = &ECDSA_P256_SHA256_FIXED_SIGNING;
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(p256, der, &SystemRandom::new()) {
            let public = pair.public_key().as_ref();
            let encoding = EncodingKey::from_ec_der(der);
            return Ok(Self::asymmetric(
                Algorithm::ES256,
                encoding,
                DecodingKey::from_ec_der(public),
                public,
            ));
        }
        let pair = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
        let pair = pair.map_err(|_| BadKey::Kind)?;
        let public = pair.public().as_ref();
        let encoding = EncodingKey::from_rsa_der(der);
        Ok(Self::asymmetric(Algorithm::RS256, encoding, DecodingKey::from_rsa_der(public), public))
    }

    fn asymmetric(
        algorithm: Algorithm,
        encoding: EncodingKey,
        decoding: DecodingKey,
        public: &[u8],
    ) -> Self {
        Self { id: key_id(public), algorithm, encoding, decoding, can_be_guessed: false }
    }

    /// The `kid`: the same on every replica that has the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether this is the public half of it: 32 bytes of Ed25519, or a point of P-256.
    pub fn has_public_half(&self, public: &[u8]) -> bool {
        self.algorithm != Algorithm::HS256 && self.id == key_id(public)
    }

    /// Whether it is an HS256 key that looks as if nobody had drawn it by chance.
    pub fn can_be_guessed(&self) -> bool {
        self.can_be_guessed
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

/// By what tells keys apart: the `kid` is a hash of the key.
impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.algorithm == other.algorithm
    }
}

impl Eq for SigningKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?} {})", self.algorithm, self.id)
    }
}

/// Tells keys apart without telling anything of them.
fn key_id(material: &[u8]) -> String {
    let labelled = [b"wxgate key id\0", material].concat();
    let hash = digest(&SHA256, &labelled);
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..8).unwrap_or_default())
}

/// Standard or URL-safe, padded or not.
pub(in crate::session) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let standard = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient);
    let url_safe = GeneralPurpose::new(&base64::alphabet::URL_SAFE, lenient);
    standard.decode(text).or_else(|_| url_safe.decode(text)).ok()
}
