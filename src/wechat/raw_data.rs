//! `rawData` and its `signature`: open data that are signed and not sealed (数据签名校验).
//!
//! They carry no watermark, so that they are as old as the key, and may be sent again.

use std::fmt;

use crate::wechat::base64_repair::{self, NotBase64};
use crate::wechat::open_data::{NotOpened, RING};
use crate::wechat::session_key::SessionKey;

/// The pair, not yet verified.
#[derive(Clone)]
pub struct RawData {
    text: String,
    signature: String,
}

impl RawData {
    /// Reads the two fields of a request. `rawData` are taken as they are; the signature may be
    /// damaged as base64 may be.
    pub fn parse(raw_data: impl Into<String>, signature: &str) -> Result<Self, NotBase64> {
        Ok(Self { text: raw_data.into(), signature: base64_repair::text(signature)? })
    }

    /// The data, where one of the keys signed them, and which it was. The keys come newest first;
    /// as in opening, [`RING`] are always tried.
    pub fn verify(&self, keys: &[SessionKey]) -> Result<(&str, usize), NotOpened> {
        let nobody = SessionKey::nobody();
        let mut winner = None;
        for place in 0..RING {
            let key = keys.get(place);
            let signed =
                key.unwrap_or(&nobody).verify_raw_data(self.text.as_bytes(), &self.signature);
            if signed && key.is_some() && winner.is_none() {
                winner = Some(place);
            }
        }
        winner.map(|key_index| (self.text.as_str(), key_index)).ok_or(NotOpened)
    }
}

impl fmt::Debug for RawData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawData").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: char) -> SessionKey {
        SessionKey::parse(&format!("{}==", byte.to_string().repeat(22))).unwrap()
    }

    #[test]
    fn the_key_that_signed_is_found() {
        let keys = [key('B'), key('C'), key('D'), key('E'), key('F')];
        for (place, signer) in keys.iter().enumerate() {
            let raw = RawData::parse("{}", &signer.sign_raw_data(b"{}")).unwrap();
            let expected = if place < RING { Ok(("{}", place)) } else { Err(NotOpened) };
            assert_eq!(raw.verify(&keys), expected);
        }
    }

    #[test]
    fn nobodys_key_signs_nothing() {
        let raw = RawData::parse("{}", &SessionKey::nobody().sign_raw_data(b"{}")).unwrap();
        assert_eq!(raw.verify(&[]), Err(NotOpened));
        assert_eq!(raw.verify(&[key('B')]), Err(NotOpened));
    }

    #[test]
    fn a_signature_that_is_no_text_of_base64_is_told_apart() {
        assert!(RawData::parse("{}", "é").is_err());
        assert_eq!(RawData::parse("{}", "abcd").unwrap().verify(&[key('B')]), Err(NotOpened));
    }
}
