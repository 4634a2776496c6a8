//! An upstream that verifies assertions, from what the standards say and nothing of the gateway's code.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::Value;

use super::config::Config;
use super::gateway::Gateway;
use super::jwt::Jwt;
use crate::raw::Wire;

pub(crate) const HEADER: &str = "x-wx-assertion";
pub(crate) const JWKS: &str = "/.well-known/jwks.json";

/// Public keys as they were published at one time.
#[derive(Clone, Debug)]
pub(crate) struct KeySet(pub(crate) Value);

impl KeySet {
    /// Those that the admin listener shows.
    pub(crate) async fn of(admin: SocketAddr) -> Self {
        let answer = Wire::ask(admin, format!("GET {JWKS} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Self(answer.json())
    }

    pub(crate) fn ids(&self) -> Vec<&str> {
        let keys = self.0["keys"].as_array().unwrap();
        keys.iter().map(|key| key["kid"].as_str().unwrap()).collect()
    }

    /// The assertion, where one of these keys has signed it, by the algorithm of the key.
    pub(crate) fn verify(&self, assertion: &str) -> Result<Jwt, String> {
        let jwt = Jwt::read(assertion);
        if jwt.header["typ"] != "wxgate-assertion+jwt" {
            return Err(format!("the typ is {}", jwt.header["typ"]));
        }
        let keys = self.0["keys"].as_array().unwrap();
        let key = keys.iter().find(|key| key["kid"] == jwt.header["kid"]);
        let key = key.ok_or_else(|| format!("the key {} is unknown", jwt.header["kid"]))?;
        if key["alg"] != jwt.header["alg"] || key["use"] != "sig" {
            return Err(format!("the key is for {}", key["alg"]));
        }
        let member = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
        let (algorithm, public): (&dyn VerificationAlgorithm, _) = match key["alg"].as_str() {
            Some("EdDSA") => (&ED25519, member("x")),
            Some("ES256") => {
                (&ECDSA_P256_SHA256_FIXED, [vec![4], member("x"), member("y")].concat())
            }
            other => return Err(format!("the algorithm is {other:?}")),
        };
        let verified =
            UnparsedPublicKey::new(algorithm, public).verify(jwt.signed.as_bytes(), &jwt.signature);
        verified.map(|()| jwt).map_err(|_| "the signature is wrong".to_owned())
    }
}

impl Config {
    /// Signs assertions with the first of these keys, and publishes all.
    pub(crate) fn assertion_keys(mut self, keys: &[&str]) -> Self {
        let names: Vec<_> =
            (0..keys.len()).map(|index| format!("\"${{ASSERTION_{index}}}\"")).collect();
        for (index, key) in keys.iter().enumerate() {
            self = self.variable(&format!("ASSERTION_{index}"), *key);
        }
        self.table("identity.assertion", &format!("keys = [{}]", names.join(", ")))
    }
}

impl Gateway {
    pub(crate) async fn key_set(&self) -> KeySet {
        KeySet::of(self.app.admin_address).await
    }

    /// The assertion of the last request that the upstream got, verified.
    pub(crate) async fn last_assertion(&self) -> Jwt {
        let seen = self.upstream.last();
        let assertion = seen.header(HEADER).unwrap_or_else(|| panic!("{}", seen.head));
        self.key_set().await.verify(assertion).unwrap_or_else(|error| panic!("{error}"))
    }
}
