//! Base64 that a Mini Program's request damaged on its way.
//!
//! `encryptedData`, `iv` and `signature` come in JSON, forms, query strings and headers, and
//! clients forget to encode them, encode them twice, or encode them for URLs
//! (binarywang/WxJava#359, #917). Each repair undoes one damage and touches no sound base64:
//!
//! | damage                                            | repair                         |
//! |---------------------------------------------------|--------------------------------|
//! | percent-encoded, once or twice                    | decoded while a `%` is in it   |
//! | `+` became a space                                | a space is a `+`               |
//! | URL-safe alphabet (RFC 4648 section 5)            | `-` is `+`, `_` is `/`         |
//! | padding missing, whole or in part                 | not asked for                  |
//!
//! None of ` `, `-`, `_`, `%` is in the standard alphabet, so a repair never has two readings. Line
//! breaks, bits left over after the last byte and everything else are refused.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;
use thiserror::Error;

/// The longest text that is looked at: the cap on a whole body.
pub const LONGEST: usize = 64 * 1024;

/// How often a text is percent-decoded: by the client's own code, and by its HTTP library.
const PERCENT_ROUNDS: usize = 2;

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The text is not base64, also not after the repairs.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotBase64 {
    /// There is nothing in it.
    #[error("empty")]
    Empty,
    /// A character, the length or the padding is not that of base64.
    #[error("not base64")]
    Malformed,
    /// It is longer than [`LONGEST`].
    #[error("longer than a body may be")]
    TooLong,
}

/// The bytes that the text stands for.
pub fn bytes(damaged: &str) -> Result<Vec<u8>, NotBase64> {
    ENGINE.decode(text(damaged)?).map_err(|_| NotBase64::Malformed)
}

/// The text in the standard alphabet. For a `signature`, whose hex digits are taken as text.
pub fn text(damaged: &str) -> Result<String, NotBase64> {
    if damaged.len() > LONGEST {
        return Err(NotBase64::TooLong);
    }
    let mended: String = percent_decoded(damaged)?.chars().map(standard).collect();
    if mended.is_empty() {
        return Err(NotBase64::Empty);
    }
    if !mended.trim_end_matches('=').bytes().all(in_alphabet) {
        return Err(NotBase64::Malformed);
    }
    Ok(mended)
}

fn percent_decoded(damaged: &str) -> Result<Cow<'_, str>, NotBase64> {
    let mut text = Cow::Borrowed(damaged);
    for _ in 0..PERCENT_ROUNDS {
        if !text.contains('%') {
            break;
        }
        let decoded = percent_decode_str(&text).decode_utf8();
        text = Cow::Owned(decoded.map_err(|_| NotBase64::Malformed)?.into_owned());
    }
    Ok(text)
}

fn standard(character: char) -> char {
    match character {
        ' ' | '-' => '+',
        '_' => '/',
        other => other,
    }
}

fn in_alphabet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD as SOUND;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Alphabet {
        Standard,
        PlusAsSpace,
        UrlSafe,
    }

    fn damage(sound: &str, alphabet: Alphabet, padding_lost: usize, percent: usize) -> String {
        let mut text = match alphabet {
            Alphabet::Standard => sound.to_owned(),
            Alphabet::PlusAsSpace => sound.replace('+', " "),
            Alphabet::UrlSafe => sound.replace('+', "-").replace('/', "_"),
        };
        for _ in 0..padding_lost {
            if text.ends_with('=') {
                text.pop();
            }
        }
        for _ in 0..percent {
            text = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
        }
        text
    }

    fn alphabet() -> impl Strategy<Value = Alphabet> {
        prop_oneof![Just(Alphabet::Standard), Just(Alphabet::PlusAsSpace), Just(Alphabet::UrlSafe)]
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_from_any_damage(
            original in prop::collection::vec(any::<u8>(), 1..400),
            alphabet in alphabet(),
            padding_lost in 0_usize..3,
            percent in 0_usize..3,
        ) {
            let damaged = damage(&SOUND.encode(&original), alphabet, padding_lost, percent);
            prop_assert_eq!(bytes(&damaged), Ok(original));
        }

        #[test]
        fn any_text_is_answered(damaged in any::<String>()) {
            let _ = bytes(&damaged);
        }

        #[test]
        fn any_text_of_likely_characters_is_answered(damaged in "[A-Za-z0-9+/=%_ -]{0,80}") {
            if let Ok(decoded) = bytes(&damaged) {
                prop_assert!(!decoded.is_empty() || damaged.contains('='));
            }
        }
    }

    #[test]
    fn every_byte_pair_survives_every_damage() {
        for pair in 0..=u16::MAX {
            let original = pair.to_be_bytes();
            let sound = SOUND.encode(original);
            for alphabet in [Alphabet::Standard, Alphabet::PlusAsSpace, Alphabet::UrlSafe] {
                assert_eq!(bytes(&damage(&sound, alphabet, 2, 0)), Ok(original.to_vec()));
            }
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["a", "abcde", "ab\ncd", "abc!", "ab=c", "abc==", "ab===", "%zz", "%", "é", "QR=="]
        {
            assert_eq!(bytes(text), Err(NotBase64::Malformed), "{text}");
        }
        assert_eq!(bytes(""), Err(NotBase64::Empty));
        assert_eq!(bytes(&"A".repeat(LONGEST + 1)), Err(NotBase64::TooLong));
    }

    #[test]
    fn nested_percent_signs_cost_two_rounds_at_most() {
        assert_eq!(bytes(&format!("%{}2B", "25".repeat(30_000))), Err(NotBase64::Malformed));
    }

    #[test]
    fn hex_digits_stay_as_they_are() {
        let hex = "75e81ceda165f4ffa64f4068af58c64b8f54b88c";
        assert_eq!(text(hex).as_deref(), Ok(hex));
    }
}
