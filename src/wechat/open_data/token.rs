//! A JSON token as a number: its last 32 bytes, without a length that time could tell.
//!
//! A string is held with its opening quote and without the closing one, so that `"86` and `86`
//! differ. No byte of a JSON token is zero, so two tokens shorter than 32 bytes are equal only if
//! their numbers are; a longer one has a byte at the very top, which no name and no expected text
//! has.

use super::mask::{mask, wide};

/// The longest text that can be compared: with the quote it leaves the top byte free.
const LONGEST: usize = 30;
/// The most digits that are read: those of a telephone number (E.164).
const MOST_DIGITS: u32 = 15;

/// A token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Token {
    high: u128,
    low: u128,
}

impl Token {
    /// The beginning of every string.
    pub(super) const QUOTE: Self = Self { high: 0, low: b'"' as u128 };

    /// The token of this string, where it needs no escape and is short enough to be compared.
    pub(super) fn string(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        if text.len() > LONGEST || !text.bytes().all(plain) {
            return None;
        }
        Some(text.bytes().fold(Self::QUOTE, |token, byte| token.append(byte.into(), 8)))
    }

    /// A name as [`Token::is_named`] takes it: of at most 15 characters.
    pub(super) const fn name(text: &str) -> u128 {
        let (mut rest, mut low) = (text.as_bytes(), Self::QUOTE.low);
        while let [byte, tail @ ..] = rest {
            low = (low << 8) | *byte as u128;
            rest = tail;
        }
        low
    }

    /// Takes the byte, and forgets what was before it where `begins` is set.
    #[inline(always)]
    pub(super) fn with(self, byte: u8, begins: u64) -> Self {
        let kept = wide(!begins);
        Self { high: self.high & kept, low: self.low & kept }.append(byte.into(), 8)
    }

    /// This text with another of up to 15 bytes after it.
    #[inline(always)]
    pub(super) fn append(self, text: u128, bits: u32) -> Self {
        let bits = bits & 127;
        Self {
            high: (self.high << bits) | ((self.low >> 1) >> (127 - bits)),
            low: (self.low << bits) | text,
        }
    }

    /// Adds the other to one that is empty.
    #[inline(always)]
    pub(super) fn fill(&mut self, other: Self) {
        self.high |= other.high;
        self.low |= other.low;
    }

    /// The last 16 bytes.
    pub(super) fn low(self) -> u128 {
        self.low
    }

    /// Whether the token is the other.
    #[inline(always)]
    pub(super) fn is(self, other: Self) -> u64 {
        mask(((self.high ^ other.high) | (self.low ^ other.low)) == 0)
    }

    /// Whether the token is a name of [`Token::name`].
    #[inline(always)]
    pub(super) fn is_named(self, name: u128) -> u64 {
        mask((self.high | (self.low ^ name)) == 0)
    }

    /// Whether nothing was taken.
    pub(super) fn is_empty(self) -> u64 {
        mask((self.high | self.low) == 0)
    }

    /// Reads a token of digits, in quotes or not.
    pub(super) fn digits(self) -> Digits {
        let length = 16 - self.low.leading_zeros() / 8;
        let last_place = length.wrapping_sub(1).wrapping_mul(8) & 127;
        let quoted = mask((self.low >> last_place) == Self::QUOTE.low);
        let digits = length.wrapping_sub((quoted & 1) as u32);
        let bits = digits.wrapping_mul(8) & 127;
        let places = !(u128::MAX << bits);
        let text = self.low & places;
        let fits = mask(self.high == 0) & mask(digits.wrapping_sub(1) < MOST_DIGITS);
        Digits { text, bits, quoted, sound: fits & all_digits(text, places) }
    }
}

/// A text of digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits {
    /// The characters, the last in the lowest byte.
    pub(super) text: u128,
    /// How many bits they take.
    pub(super) bits: u32,
    /// Whether they stood in quotes.
    pub(super) quoted: u64,
    /// Whether they are digits, at least one and at most [`MOST_DIGITS`]. If not, the rest means
    /// nothing.
    pub(super) sound: u64,
}

impl Digits {
    /// The number, read over 16 places whatever its length.
    pub(super) fn value(self) -> u64 {
        self.text
            .to_be_bytes()
            .iter()
            .fold(0, |value: u64, digit| value.wrapping_mul(10).wrapping_add(u64::from(digit & 15)))
    }
}

/// Whether each byte in these places is an ASCII digit, 0x30 to 0x39.
fn all_digits(text: u128, places: u128) -> u64 {
    const EACH: u128 = u128::MAX / 255;
    let not_thirties = (text ^ (0x30 * EACH)) & (0xf0 * EACH);
    let over_nine = ((text & (0x0f * EACH)) + 0x06 * EACH) & (0xf0 * EACH);
    mask(((not_thirties | over_nine) & places) == 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(text: &str) -> Token {
        text.bytes().fold(Token::default(), |token, byte| token.with(byte, 0))
    }

    #[test]
    fn a_string_is_its_quote_and_its_text() {
        assert_eq!(Token::string("wx0123456789abcdef"), Some(raw("\"wx0123456789abcdef")));
        assert_eq!(raw("\"purePhoneNumber").is_named(Token::name("purePhoneNumber")), !0);
        assert_eq!(Token::string(&"x".repeat(31)), None);
        assert_eq!(Token::string("a\"b"), None);
    }

    #[test]
    fn a_longer_token_is_never_one_that_it_ends_with() {
        assert_eq!(raw("\"x\\\"appid").is(raw("\"appid")), 0);
        let longest = Token::string(&"y".repeat(30)).unwrap();
        assert_eq!(raw(&format!("\"x\\\"{}", "y".repeat(30))).is(longest), 0);
        assert_eq!(raw("\"x\\\"purePhoneNumber").is_named(Token::name("purePhoneNumber")), 0);
    }

    #[test]
    fn beginning_forgets() {
        assert_eq!(raw("abc").with(b'x', !0), raw("x"));
        assert_eq!(raw("abc").with(b'x', 0), raw("abcx"));
    }

    proptest! {
        #[test]
        fn digits_are_read_as_the_standard_library_reads_them(text in "\"?[0-9]{0,17}[0-9+/:\"a-]?") {
            let digits = raw(&text).digits();
            let bare = text.strip_prefix('"').unwrap_or(&text);
            let sound = (1..=15).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_digit());
            prop_assert_eq!(digits.sound, mask(sound), "{}", text);
            if sound {
                prop_assert_eq!(digits.value(), bare.parse::<u64>().unwrap());
                prop_assert_eq!(digits.bits as usize, 8 * bare.len());
                prop_assert_eq!(digits.quoted, mask(text.starts_with('"')));
            }
        }

        #[test]
        fn appending_is_writing_one_after_the_other(
            first in "[!-~]{0,16}", second in "[!-~]{0,15}",
        ) {
            let number = second.bytes().fold(0, |number, byte| (number << 8) | u128::from(byte));
            let appended = raw(&first).append(number, 8 * second.len() as u32);
            prop_assert_eq!(appended, raw(&format!("{first}{second}")));
        }
    }
}
