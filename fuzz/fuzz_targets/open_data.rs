//! Open data: what opens is what a naive reader, with a real JSON parser, holds for right, and nothing else.
#![no_main]

use std::time::Duration;

use aes::Aes128;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::Encryptor;
use libfuzzer_sys::fuzz_target;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use wxgate::wechat::open_data::{Expectation, Kind, LEEWAY, Sealed, open};
use wxgate::wechat::session_key::SessionKey;

const APPID: &str = "wx0123456789abcdef";
const OPENID: &str = "oALICE";
const NOW: u64 = 1_700_000_000;
const MAX_AGE: u64 = 60;
const KEY: [u8; 16] = [7; 16];
const IV: [u8; 16] = [9; 16];

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, text)) = bytes.split_first() else { return };
    let kind = if choice & 1 == 0 { Kind::Any } else { Kind::Phone };
    let padded = if choice & 2 == 0 { padded(text) } else { filled(text) };
    if padded.is_empty() {
        return;
    }
    let cipher = Encryptor::<Aes128>::new(&KEY.into(), &IV.into());
    let sealed = Sealed::new(cipher.encrypt_padded_vec::<NoPadding>(&padded), &IV);
    let other = SessionKey::parse(&STANDARD.encode([1; 16])).expect("a key");
    let ours = SessionKey::parse(&STANDARD.encode(KEY)).expect("a key");
    let expected = Expectation {
        appid: APPID,
        openid: Some(OPENID),
        max_age: Duration::from_secs(MAX_AGE),
        now: NOW,
        kind,
    };
    let opened = open(&sealed, &[other, ours], &expected).ok();
    let naive = unpadded(&padded).filter(|text| is_believed(text, kind));
    assert_eq!(opened.as_ref().map(|opened| opened.text()), naive, "two opinions");
});

fn padded(text: &[u8]) -> Vec<u8> {
    let padding = 16 - text.len() % 16;
    [text, &vec![padding as u8; padding]].concat()
}

/// Whole blocks, whose padding is what it happens to be.
fn filled(text: &[u8]) -> Vec<u8> {
    let mut blocks = text.to_vec();
    blocks.resize(text.len().next_multiple_of(16), 1);
    blocks
}

fn unpadded(padded: &[u8]) -> Option<&str> {
    let padding = usize::from(*padded.last()?);
    if !(1..=16).contains(&padding) {
        return None;
    }
    let (text, rest) = padded.split_at(padded.len() - padding);
    let sound = rest.iter().all(|byte| usize::from(*byte) == padding);
    std::str::from_utf8(text).ok().filter(|_| sound)
}

fn is_believed(text: &str, kind: Kind) -> bool {
    let Some(document) = Members::of(text) else { return false };
    if depth(text) > 64 {
        return false;
    }
    let counting = ["watermark", "openId", "phoneNumber", "purePhoneNumber", "countryCode"];
    let watermark = document.only("watermark").and_then(|(_, raw)| Members::of(raw));
    let Some(watermark) = watermark else { return false };
    let twice = counting.iter().any(|name| document.count(name) > 1);
    if twice || ["appid", "timestamp"].iter().any(|name| watermark.count(name) > 1) {
        return false;
    }
    let appid = watermark.only("appid").is_some_and(|(_, raw)| raw == format!("\"{APPID}\""));
    let timestamp = watermark.only("timestamp").and_then(|(_, raw)| digits(raw));
    let in_time =
        timestamp.is_some_and(|at| at <= NOW + LEEWAY && NOW.saturating_sub(at) <= MAX_AGE);
    let openid = document
        .only("openId")
        .is_none_or(|(_, raw)| !is_text_or_number(raw) || raw == format!("\"{OPENID}\""));
    let phone = document.only("phoneNumber").filter(|(_, raw)| is_text_or_number(raw));
    let phone = match phone {
        None => kind == Kind::Any,
        Some(phone) => {
            let values = ["purePhoneNumber", "countryCode"].map(|name| document.only(name));
            let marks = ["appid", "timestamp"].map(|name| watermark.only(name));
            let all = values.into_iter().chain(marks).chain([Some(phone)]).flatten();
            let start = text.as_ptr() as usize;
            let reached = |(_, raw): (&str, &str)| {
                let quote = usize::from(raw.starts_with('"'));
                is_text_or_number(raw) && raw.as_ptr() as usize + quote - start < 16
            };
            let spelled = match values {
                [Some((_, pure)), Some((_, country))] => is_spelling(phone.1, pure, country),
                _ => false,
            };
            spelled && !all.into_iter().any(reached)
        }
    };
    appid && in_time && openid && phone
}

fn is_text_or_number(raw: &str) -> bool {
    raw.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}

fn digits(raw: &str) -> Option<u64> {
    let sound = (1..=15).contains(&raw.len()) && raw.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| raw.parse().ok()).flatten()
}

/// The pure number, before which the country code may stand.
fn is_spelling(phone: &str, pure: &str, country: &str) -> bool {
    let quoted = |raw: &str| Some(raw.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    let (Some(phone), Some(pure)) = (quoted(phone), quoted(pure)) else { return false };
    let country = quoted(country).unwrap_or_else(|| country.to_owned());
    if digits(&pure).is_none() || digits(&country).is_none() {
        return false;
    }
    let spellings = ["", "+", "00"].into_iter().flat_map(|lead| {
        ["", "-", " "].map(|separator| format!("{lead}{country}{separator}{pure}"))
    });
    phone == pure || spellings.into_iter().any(|spelling| spelling == phone)
}

fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The members of an object as they stand there, names and values, doubles included.
struct Members<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Members<'a> {
    fn of(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    fn count(&self, name: &str) -> usize {
        let quoted = format!("\"{name}\"");
        self.0.iter().filter(|(known, _)| *known == quoted).count()
    }

    fn only(&self, name: &str) -> Option<(&'a str, &'a str)> {
        let quoted = format!("\"{name}\"");
        self.0.iter().copied().find(|(known, _)| *known == quoted)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            members.push((name.get(), value.get()));
        }
        Ok(Members(members))
    }
}
