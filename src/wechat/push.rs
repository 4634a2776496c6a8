//! Message push (消息推送): signatures and the secure mode, without any I/O.
//!
//! The cipher is AES-256-CBC whose iv is the beginning of the key, padded to blocks of 32 bytes; inside
//! are 16 random bytes, the length of the message, the message, and the appid that it is for.

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::app::AppId;
use crate::secret::Secret;

/// What a padded text is a multiple of.
const BLOCK: usize = 32;
const RANDOM: usize = 16;
const LENGTH: usize = 4;

/// WeChat's keys end in bits that mean nothing.
const KEY_ENGINE: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// What WeChat pushes one app's messages with.
pub struct PushKeys {
    appid: AppId,
    token: Secret,
    key: Zeroizing<[u8; 32]>,
}

/// The EncodingAESKey is not 43 characters of base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an EncodingAESKey has 43 characters of base64")]
pub struct BadKey;

/// The message does not open: not WeChat's, damaged, or for another app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pushed message does not open")]
pub struct NotOpened;

impl PushKeys {
    /// Reads the token and the EncodingAESKey of the console.
    pub fn parse(appid: AppId, token: Secret, encoding_aes_key: &Secret) -> Result<Self, BadKey> {
        let text = Zeroizing::new(format!("{}=", encoding_aes_key.expose()));
        let bytes = Zeroizing::new(KEY_ENGINE.decode(text.as_bytes()).map_err(|_| BadKey)?);
        let key = Zeroizing::new(bytes.as_slice().try_into().map_err(|_| BadKey)?);
        Ok(Self { appid, token, key })
    }

    /// Whether the URL check, or a message in plain mode, is WeChat's.
    pub fn verify(&self, signature: &str, timestamp: &str, nonce: &str) -> bool {
        is(signature, &self.sign(&[timestamp, nonce]))
    }

    /// Opens a message of the secure mode, once its own signature was found right.
    pub fn open(
        &self,
        msg_signature: &str,
        timestamp: &str,
        nonce: &str,
        encrypt: &str,
    ) -> Result<String, NotOpened> {
        if !is(msg_signature, &self.sign(&[timestamp, nonce, encrypt])) {
            return Err(NotOpened);
        }
        let mut text = Zeroizing::new(STANDARD.decode(encrypt).map_err(|_| NotOpened)?);
        let (key, iv) = self.cipher().ok_or(NotOpened)?;
        let opened = cbc::Decryptor::<Aes256>::new(key, iv)
            .decrypt_padded::<NoPadding>(&mut text)
            .map_err(|_| NotOpened)?;
        let (padding, _) = opened.split_last().ok_or(NotOpened)?;
        let padding = usize::from(*padding);
        let body = opened.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding));
        let body = opened.get(RANDOM..body.ok_or(NotOpened)?).ok_or(NotOpened)?;
        let (length, rest) = body.split_first_chunk::<LENGTH>().ok_or(NotOpened)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (message, appid) = rest.split_at_checked(length).ok_or(NotOpened)?;
        if appid != self.appid.as_str().as_bytes() {
            return Err(NotOpened);
        }
        String::from_utf8(message.to_vec()).map_err(|_| NotOpened)
    }

    /// Seals an answer with these random bytes; gives it with its signature.
    pub fn seal(
        &self,
        random: [u8; RANDOM],
        message: &str,
        timestamp: &str,
        nonce: &str,
    ) -> Option<(String, String)> {
        let length = u32::try_from(message.len()).ok()?;
        let mut text = Zeroizing::new(Vec::new());
        text.extend_from_slice(&random);
        text.extend_from_slice(&length.to_be_bytes());
        text.extend_from_slice(message.as_bytes());
        text.extend_from_slice(self.appid.as_str().as_bytes());
        let padding = BLOCK - text.len() % BLOCK;
        let padded = text.len() + padding;
        text.resize(padded, u8::try_from(padding).ok()?);
        let (key, iv) = self.cipher()?;
        let length = text.len();
        let sealed = cbc::Encryptor::<Aes256>::new(key, iv)
            .encrypt_padded::<NoPadding>(&mut text, length)
            .ok()?;
        let encrypt = STANDARD.encode(sealed);
        let signature = self.sign(&[timestamp, nonce, &encrypt]);
        Some((encrypt, signature))
    }

    fn cipher(&self) -> Option<(&aes::cipher::Key<Aes256>, &aes::cipher::Block<Aes256>)> {
        let iv = self.key.get(..16)?;
        Some(((&*self.key).into(), iv.try_into().ok()?))
    }

    /// SHA-1 of the token and these texts, in their order.
    fn sign(&self, texts: &[&str]) -> String {
        let mut all = [&[self.token.expose()], texts].concat();
        all.sort_unstable();
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, all.concat().as_bytes());
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for PushKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PushKeys({})", self.appid)
    }
}

fn is(given: &str, right: &str) -> bool {
    given.as_bytes().ct_eq(right.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors() -> serde_json::Value {
        let all: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap();
        all["push"].clone()
    }

    fn text(value: &serde_json::Value) -> &str {
        value.as_str().unwrap()
    }

    fn keys(appid: &str) -> PushKeys {
        let vectors = vectors();
        let token = Secret::new(text(&vectors["token"]));
        let key = Secret::new(text(&vectors["encoding_aes_key"]));
        PushKeys::parse(AppId::parse(appid).unwrap(), token, &key).unwrap()
    }

    #[test]
    fn wechats_own_signatures_are_right() {
        let vectors = vectors();
        let keys = keys(text(&vectors["appid"]));
        for name in ["url_check", "plain"] {
            let (vector, nonce) = (&vectors[name], text(&vectors[name]["nonce"]));
            let (signature, timestamp) = (text(&vector["signature"]), text(&vector["timestamp"]));
            assert!(keys.verify(signature, timestamp, nonce), "{name}");
            assert!(!keys.verify(signature, timestamp, "1"), "{name}");
        }
    }

    #[test]
    fn wechats_own_message_opens_and_no_other() {
        let vectors = vectors();
        let vector = &vectors["secure"];
        let (signature, encrypt) = (text(&vector["msg_signature"]), text(&vector["encrypt"]));
        let (timestamp, nonce) = (text(&vector["timestamp"]), text(&vector["nonce"]));
        let open =
            |appid: &str, signature: &str| keys(appid).open(signature, timestamp, nonce, encrypt);
        let appid = text(&vectors["appid"]);
        assert_eq!(open(appid, signature).unwrap(), text(&vector["plaintext"]));
        assert_eq!(open("wx0000000000000000", signature), Err(NotOpened));
        assert_eq!(open(appid, text(&vector["signature"])), Err(NotOpened));
    }

    #[test]
    fn an_answer_is_sealed_as_wechats_own() {
        let vectors = vectors();
        let vector = &vectors["reply"];
        let random = text(&vector["random"]).as_bytes().try_into().unwrap();
        let (timestamp, nonce) = (text(&vector["timestamp"]), text(&vector["nonce"]));
        let sealed =
            keys(text(&vectors["appid"])).seal(random, text(&vector["message"]), timestamp, nonce);
        let expected = (text(&vector["encrypt"]), text(&vector["msg_signature"]));
        assert_eq!(sealed.unwrap(), (expected.0.to_owned(), expected.1.to_owned()));
    }
}
