//! Server API signature and encryption (API 安全), without any I/O: how a call is sealed and an answer
//! opened with the symmetric key, and how the other side's signatures are verified.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::app::AppId;

/// One call or answer: where it goes, for whom, and when.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The whole URL of the call at api.weixin.qq.com, without its query.
    pub url: &'a str,
    /// The app.
    pub appid: &'a AppId,
    /// Seconds since 1970: of the call, or of the answer.
    pub timestamp: u64,
}

/// The symmetric key of the console, with its number.
pub struct SymmetricKey {
    number: String,
    key: LessSafeKey,
}

/// What goes over the wire in the place of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// 12 bytes in base64.
    pub iv: String,
    /// The ciphertext in base64.
    pub data: String,
    /// 16 bytes in base64.
    pub authtag: String,
}

/// The key is not 32 bytes in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a symmetric key has 32 bytes in base64")]
pub struct BadKey;

/// It does not open: damaged, of another call, or sealed with another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed answer does not open")]
pub struct NotOpened;

impl SymmetricKey {
    /// Reads the key and its number (`sn`).
    pub fn parse(number: &str, key: &str) -> Result<Self, BadKey> {
        let bytes = STANDARD.decode(key).map_err(|_| BadKey)?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| BadKey)?;
        Ok(Self { number: number.to_owned(), key: LessSafeKey::new(key) })
    }

    /// Seals a call with an iv that no other call has.
    pub fn seal(&self, envelope: &Envelope<'_>, iv: [u8; NONCE_LEN], text: &str) -> Option<Sealed> {
        let mut data = text.as_bytes().to_vec();
        let aad = Aad::from(self.associated_data(envelope));
        let nonce = Nonce::assume_unique_for_key(iv);
        let tag = self.key.seal_in_place_separate_tag(nonce, aad, &mut data).ok()?;
        Some(Sealed {
            iv: STANDARD.encode(iv),
            data: STANDARD.encode(data),
            authtag: STANDARD.encode(tag),
        })
    }

    /// Opens an answer; the envelope has the answer's own timestamp.
    pub fn open(&self, envelope: &Envelope<'_>, sealed: &Sealed) -> Result<String, NotOpened> {
        let bytes = |text: &str| STANDARD.decode(text).map_err(|_| NotOpened);
        let iv = bytes(&sealed.iv)?.try_into().map_err(|_| NotOpened)?;
        let mut data = [bytes(&sealed.data)?, bytes(&sealed.authtag)?].concat();
        let aad = Aad::from(self.associated_data(envelope));
        let nonce = Nonce::assume_unique_for_key(iv);
        let text = self.key.open_in_place(nonce, aad, &mut data).map_err(|_| NotOpened)?;
        String::from_utf8(text.to_vec()).map_err(|_| NotOpened)
    }

    fn associated_data(&self, envelope: &Envelope<'_>) -> Vec<u8> {
        let Envelope { url, appid, timestamp } = envelope;
        format!("{url}|{appid}|{timestamp}|{}", self.number).into_bytes()
    }
}

impl std::fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SymmetricKey({})", self.number)
    }
}

/// Whether a body was signed for this envelope: RSASSA-PSS with SHA-256 and a salt of 32 bytes, despite
/// the name `RSAwithSHA256`. The key is an RSAPublicKey (RFC 8017, A.1.1) in DER.
pub fn verify(envelope: &Envelope<'_>, body: &str, signature: &str, public_key: &[u8]) -> bool {
    let Envelope { url, appid, timestamp } = envelope;
    let signed = format!("{url}\n{appid}\n{timestamp}\n{body}");
    let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, public_key);
    STANDARD.decode(signature).is_ok_and(|bytes| key.verify(signed.as_bytes(), &bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use x509_parser::pem::parse_x509_pem;
    use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};

    use super::*;

    fn vectors() -> serde_json::Value {
        let all: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap();
        all["api_security"].clone()
    }

    fn text(value: &serde_json::Value) -> &str {
        value.as_str().unwrap()
    }

    fn key() -> SymmetricKey {
        let vectors = vectors();
        SymmetricKey::parse(text(&vectors["sn"]), text(&vectors["key"])).unwrap()
    }

    fn with_envelope<T>(
        part: &str,
        check: impl FnOnce(&Envelope<'_>, serde_json::Value) -> T,
    ) -> T {
        let vectors = vectors();
        let appid = AppId::parse(text(&vectors["appid"])).unwrap();
        let part = vectors[part].clone();
        let timestamp = part["timestamp"].as_u64().unwrap();
        check(&Envelope { url: text(&vectors["url"]), appid: &appid, timestamp }, part)
    }

    #[test]
    fn a_call_is_sealed_as_wechats_own() {
        with_envelope("request", |envelope, vector| {
            let iv = STANDARD.decode(text(&vector["iv"])).unwrap().try_into().unwrap();
            let sealed = key().seal(envelope, iv, text(&vector["plaintext"])).unwrap();
            assert_eq!(sealed.data, text(&vector["data"]));
            assert_eq!(sealed.authtag, text(&vector["authtag"]));
            let body = serde_json::to_string(&sealed).unwrap();
            let (_, pem) = parse_x509_pem(text(&vector["signer_public_key"]).as_bytes()).unwrap();
            let (_, public) = SubjectPublicKeyInfo::from_der(&pem.contents).unwrap();
            let public = &public.subject_public_key.data;
            assert!(verify(envelope, &body, text(&vector["signature"]), public));
            assert!(!verify(envelope, "{}", text(&vector["signature"]), public));
        });
    }

    #[test]
    fn wechats_own_answer_is_verified_and_opens() {
        with_envelope("response", |envelope, vector| {
            let (_, pem) =
                parse_x509_pem(text(&vector["platform_certificate"]).as_bytes()).unwrap();
            let certificate = pem.parse_x509().unwrap();
            let public = &certificate.public_key().subject_public_key.data;
            let (body, signature) = (text(&vector["body"]), text(&vector["signature"]));
            assert!(verify(envelope, body, signature, public));
            let sealed: Sealed = serde_json::from_str(body).unwrap();
            assert_eq!(key().open(envelope, &sealed).unwrap(), text(&vector["plaintext"]));
            let another = Envelope { timestamp: envelope.timestamp + 1, ..*envelope };
            assert!(!verify(&another, body, signature, public));
            assert_eq!(key().open(&another, &sealed), Err(NotOpened));
        });
    }
}
