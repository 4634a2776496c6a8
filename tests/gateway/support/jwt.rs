//! Tokens taken apart, and made by hand.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use serde_json::Value;

/// An HS256 key as the configuration has it: 32 bytes in base64.
pub(crate) const KEY: &str = "dGVzdC1vbmx5IHNpZ25pbmcga2V5IG51bWJlciBvbmU=";
pub(crate) const OTHER_KEY: &str = "dGVzdC1vbmx5IHNpZ25pbmcga2V5IG51bWJlciB0d28=";

/// A token in its parts.
#[derive(Clone, Debug)]
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    /// The part that is signed.
    pub(crate) signed: String,
    pub(crate) signature: Vec<u8>,
}

impl Jwt {
    pub(crate) fn read(token: &str) -> Self {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let part = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        Self {
            header: serde_json::from_slice(&part(header)).unwrap(),
            claims: serde_json::from_slice(&part(claims)).unwrap(),
            signed: signed.to_owned(),
            signature: part(signature),
        }
    }
}

/// A token of these texts, signed with [`KEY`].
pub(crate) fn sign(header: &str, claims: &str) -> String {
    sign_with(&STANDARD.decode(KEY).unwrap(), header, claims)
}

/// A token of these texts, signed with these bytes.
pub(crate) fn sign_with(key: &[u8], header: &str, claims: &str) -> String {
    let signed = unsigned(header, claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The first two parts of a token.
pub(crate) fn unsigned(header: &str, claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}", part(header), part(claims))
}

/// A token of these texts, signed with the private key of [`ed25519`].
pub(crate) fn sign_ed25519(pem: &str, header: &str, claims: &str) -> String {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let pair = Ed25519KeyPair::from_pkcs8(&STANDARD.decode(body).unwrap()).unwrap();
    let signed = unsigned(header, claims);
    let signature = pair.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A new Ed25519 key.
pub(crate) fn ed25519() -> (String, Vec<u8>) {
    let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap();
    (pem(key.as_ref()), ring::signature::KeyPair::public_key(&pair).as_ref().to_vec())
}

/// A new P-256 key.
pub(crate) fn p256() -> (String, Vec<u8>) {
    let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
    let key = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(kind, key.as_ref(), &random).unwrap();
    (pem(key.as_ref()), ring::signature::KeyPair::public_key(&pair).as_ref().to_vec())
}

/// A 2048-bit RSA key, made for these tests and for nothing else.
pub(crate) fn rsa() -> (String, Vec<u8>) {
    let pem = include_str!("../../keys/test-only-rsa-2048.pem");
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let pair = ring::signature::RsaKeyPair::from_pkcs8(&STANDARD.decode(body).unwrap()).unwrap();
    (pem.to_owned(), pair.public().as_ref().to_vec())
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}
