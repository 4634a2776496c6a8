//! Each way of failing fails, and nothing panics.

use std::time::Duration;

use proptest::prelude::*;
use wxgate::wechat::open_data::{Expectation, Kind, LEEWAY, NotOpened, Sealed, open};
use wxgate::wechat::session_key::SessionKey;

use crate::sealing::{APPID, NOW, key, padded, phone, seal, seal_blocks};

const KEY: [u8; 16] = [7; 16];
const IV: [u8; 16] = [9; 16];

const EXPECTED: Expectation<'_> = Expectation {
    appid: APPID,
    openid: Some("oGZUI0egBJY1zhBYw2KhdUfwVJJE"),
    max_age: Duration::from_secs(60),
    now: NOW,
    kind: Kind::Any,
};

fn opens(text: &str) -> bool {
    open(&seal(text, KEY, IV), &[key(KEY)], &EXPECTED).is_ok()
}

fn opens_blocks(blocks: &[u8]) -> bool {
    let sealed = Sealed::new(seal_blocks(blocks, KEY, IV), &IV);
    open(&sealed, &[key(KEY)], &EXPECTED).is_ok()
}

/// A text with this watermark.
fn with(watermark: &str) -> String {
    format!(r#"{{"a":"b","watermark":{watermark}}}"#)
}

#[test]
fn bad_padding_anywhere() {
    let sound = padded(phone("13580006666", APPID, NOW).as_bytes());
    assert!(opens_blocks(&sound));
    let padding = usize::from(*sound.last().unwrap());
    assert!(padding > 1);
    for place in 1..=padding {
        for bit in 0..8 {
            let mut blocks = sound.clone();
            let at = blocks.len() - place;
            blocks[at] ^= 1 << bit;
            assert!(!opens_blocks(&blocks), "{place} {bit}");
        }
    }
}

#[test]
fn texts_that_are_no_json_in_utf8() {
    let sound = phone("13580006666", APPID, NOW);
    assert!(opens(&sound));
    for at in 0..sound.len() {
        assert!(!opens(&sound[..at]), "cut at {at}");
        let mut noise = sound.clone().into_bytes();
        noise[at] = 0xff;
        assert!(!opens_blocks(&padded(&noise)), "0xff at {at}");
    }
    assert!(!opens(&format!("{sound},")));
    assert!(!opens(&format!("[{sound}]")));
}

#[test]
fn wx_06_watermarks_of_others_and_none() {
    assert!(opens(&with(&format!(r#"{{"appid":"{APPID}","timestamp":{NOW}}}"#))));
    for watermark in [
        "null".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        format!(r#""{APPID}""#),
        format!(r#"{{"timestamp":{NOW}}}"#),
        format!(r#"{{"appid":"{APPID}"}}"#),
        format!(r#"{{"appid":"","timestamp":{NOW}}}"#),
        format!(r#"{{"appid":null,"timestamp":{NOW}}}"#),
        format!(r#"{{"appid":"wxfedcba9876543210","timestamp":{NOW}}}"#),
        format!(r#"{{"appid":"{APPID}0","timestamp":{NOW}}}"#),
        format!(r#"{{"appid":"{}","timestamp":{NOW}}}"#, &APPID[..17]),
        format!(r#"{{"appid":"{}","timestamp":{NOW}}}"#, APPID.to_uppercase()),
        format!(r#"{{"appid":["{APPID}"],"timestamp":{NOW}}}"#),
        format!(r#"{{"appid":"{APPID}","timestamp":"{NOW}"}}"#),
        format!(r#"{{"appid":"{APPID}","timestamp":{NOW}.0}}"#),
        format!(r#"{{"appid":"{APPID}","appid":"{APPID}","timestamp":{NOW}}}"#),
    ] {
        assert!(!opens(&with(&watermark)), "{watermark}");
    }
    let nested = with(&format!(r#"{{"x":{{"appid":"{APPID}","timestamp":{NOW}}}}}"#));
    assert!(!opens(&nested));
    assert!(!opens(&format!(r#"{{"appid":"{APPID}","timestamp":{NOW}}}"#)));
}

#[test]
fn wx_06_watermarks_of_another_time() {
    let opens_at = |timestamp| opens(&phone("13580006666", APPID, timestamp));
    assert!(opens_at(NOW - 60));
    assert!(!opens_at(NOW - 61));
    assert!(opens_at(NOW + LEEWAY));
    assert!(!opens_at(NOW + LEEWAY + 1));
    assert!(!opens_at(0));

    let sealed = seal(&phone("13580006666", APPID, 1), KEY, IV);
    let any_age = Expectation { max_age: Duration::ZERO, ..EXPECTED };
    assert!(open(&sealed, &[key(KEY)], &any_age).is_ok());
}

#[test]
fn data_of_another_user() {
    let of = |openid: &str| {
        opens(&format!(
            r#"{{"openId":"{openid}","watermark":{{"appid":"{APPID}","timestamp":{NOW}}}}}"#
        ))
    };
    assert!(of("oGZUI0egBJY1zhBYw2KhdUfwVJJE"));
    assert!(!of("oGZUJ0egBJY1zhBYw2KhdUfwVJJE"));
}

#[test]
fn numbers_that_disagree() {
    let text = phone("13580006666", APPID, NOW).replacen("6666", "6667", 1);
    let sealed = seal(&text, KEY, IV);
    let phone = Expectation { kind: Kind::Phone, ..EXPECTED };
    assert_eq!(open(&sealed, &[key(KEY)], &EXPECTED).err(), Some(NotOpened));
    assert_eq!(open(&sealed, &[key(KEY)], &phone).err(), Some(NotOpened));
}

#[test]
fn no_key_and_nobodys_key() {
    let nobody = seal(&phone("13580006666", APPID, NOW), [0; 16], IV);
    assert_eq!(open(&nobody, &[], &EXPECTED).err(), Some(NotOpened));
    assert_eq!(open(&nobody, &[key(KEY)], &EXPECTED).err(), Some(NotOpened));
}

#[test]
fn appids_that_no_watermark_has() {
    let sealed = seal(&phone("13580006666", "", NOW), KEY, IV);
    let long = "x".repeat(31);
    for appid in [long.as_str(), "a\"b"] {
        let expected = Expectation { appid, ..EXPECTED };
        assert_eq!(open(&sealed, &[key(KEY)], &expected).err(), Some(NotOpened));
    }
}

#[test]
fn lengths_that_no_sealed_data_have() {
    let blocks = seal_blocks(&padded(phone("13580006666", APPID, NOW).as_bytes()), KEY, IV);
    let keys = [key(KEY)];
    assert!(open(&Sealed::new(blocks.clone(), &IV), &keys, &EXPECTED).is_ok());
    for length in 0..blocks.len() {
        let sealed = Sealed::new(blocks[..length].to_vec(), &IV);
        assert_eq!(open(&sealed, &keys, &EXPECTED).err(), Some(NotOpened), "{length}");
    }
    for length in (0..33).filter(|length| *length != 16) {
        let sealed = Sealed::new(blocks.clone(), &vec![9; length]);
        assert_eq!(open(&sealed, &keys, &EXPECTED).err(), Some(NotOpened), "iv of {length}");
    }
}

proptest! {
    #[test]
    fn anything_is_answered(
        ciphertext in prop::collection::vec(any::<u8>(), 0..200),
        iv in prop::collection::vec(any::<u8>(), 0..20),
        secrets in prop::collection::vec(any::<[u8; 16]>(), 0..6),
    ) {
        let keys: Vec<SessionKey> = secrets.into_iter().map(key).collect();
        prop_assert!(open(&Sealed::new(ciphertext, &iv), &keys, &EXPECTED).is_err());
    }

    #[test]
    fn any_plaintext_is_answered(text in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!opens_blocks(&padded(&text)));
    }
}
