//! Seals like WeChat, and unlike it, with nothing of the code under test but its types.

use aes::Aes128;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::Encryptor;
use wxgate::wechat::open_data::Sealed;
use wxgate::wechat::session_key::SessionKey;

/// The app of these tests.
pub(crate) const APPID: &str = "wx0123456789abcdef";
/// Now, in these tests.
pub(crate) const NOW: u64 = 1_700_000_000;

/// A key of these bytes.
pub(crate) fn key(bytes: [u8; 16]) -> SessionKey {
    SessionKey::parse(&STANDARD.encode(bytes)).unwrap()
}

/// The text with its PKCS#7 padding.
pub(crate) fn padded(text: &[u8]) -> Vec<u8> {
    let padding = 16 - text.len() % 16;
    [text, &vec![padding as u8; padding]].concat()
}

/// Whole blocks, sealed as they are.
pub(crate) fn seal_blocks(blocks: &[u8], key: [u8; 16], iv: [u8; 16]) -> Vec<u8> {
    Encryptor::<Aes128>::new(&key.into(), &iv.into()).encrypt_padded_vec::<NoPadding>(blocks)
}

/// A text, padded and sealed.
pub(crate) fn seal(text: &str, key: [u8; 16], iv: [u8; 16]) -> Sealed {
    Sealed::new(seal_blocks(&padded(text.as_bytes()), key, iv), &iv)
}

/// A phone number as WeChat writes it.
pub(crate) fn phone(number: &str, appid: &str, timestamp: u64) -> String {
    format!(
        r#"{{"phoneNumber":"{number}","purePhoneNumber":"{number}","countryCode":"86","watermark":{{"timestamp":{timestamp},"appid":"{appid}"}}}}"#
    )
}
