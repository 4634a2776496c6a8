//! Values that must not be seen: they print as `[REDACTED]` and are wiped when dropped.

use std::collections::BTreeSet;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret text: an AppSecret, a token of ours or of WeChat's.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Compares in constant time for texts of one length.
    pub fn matches(&self, text: &str) -> bool {
        self.expose().as_bytes().ct_eq(text.as_bytes()).into()
    }
}

/// In constant time for texts of one length.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.expose())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// Secret bytes: a key.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// Of 32 random bytes fewer than so many are distinct in one of 10^24 cases.
const FEWEST_DISTINCT: usize = 16;
/// The same for 32 random hex digits, in one of 10^9.
const FEWEST_DISTINCT_DIGITS: usize = 8;

/// Whether a key looks as if nobody had drawn it by chance: few distinct bytes, a part over and over, bytes
/// that count, words in one case. Hardly one in 10^9 that are drawn looks so.
pub fn can_be_guessed(key: &[u8]) -> bool {
    let distinct = key.iter().collect::<BTreeSet<_>>().len();
    let is_hex = key.iter().all(u8::is_ascii_hexdigit);
    let few = if is_hex { FEWEST_DISTINCT_DIGITS } else { FEWEST_DISTINCT };
    let is_text = key.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    let one_case =
        !key.iter().any(u8::is_ascii_lowercase) || !key.iter().any(u8::is_ascii_uppercase);
    distinct < few || repeats(key) || counts(key) || (is_text && one_case && !is_hex)
}

fn repeats(key: &[u8]) -> bool {
    let again = |period| key.iter().zip(key.iter().skip(period)).all(|(one, next)| one == next);
    (1..=key.len() / 2).any(again)
}

fn counts(key: &[u8]) -> bool {
    key.iter().zip(key.iter().skip(1)).all(|(one, next)| one.wrapping_add(1) == *next)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    use super::*;

    #[test]
    fn keys_that_nobody_drew_are_told_from_those_of_chance() {
        let counted: Vec<u8> = (0..32).collect();
        let (half, number) = (&counted[..16], b"12345678901234567890123456789012");
        for key in [
            counted.as_slice(),
            &[0; 32],
            &[half, half].concat(),
            number,
            b"passwordpasswordpasswordpassword",
            b"the quick brown fox jumps over the lazy dog",
        ] {
            assert!(can_be_guessed(key), "{key:?}");
        }
        for _ in 0..1_000 {
            let mut key = [0; 32];
            ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut key).unwrap();
            let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            let base64 = STANDARD_NO_PAD.encode(key);
            for text in [&key[..], digits.as_bytes(), base64.as_bytes()] {
                assert!(!can_be_guessed(text), "{text:?}");
            }
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let shown = format!("{:?} {:?}", Secret::new("hunter2"), SecretBytes::new(vec![7; 3]));
        assert_eq!(shown, "[REDACTED] [REDACTED]");
    }
}
