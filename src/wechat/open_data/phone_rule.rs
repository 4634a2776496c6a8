//! Which phone numbers are believed: those whose three spellings say the same.
//!
//! AES-CBC has no MAC. Whoever flips a bit of a ciphertext block flips the same bit in the next
//! block of the plaintext, and turns the block's own plaintext into noise. So a digit can be
//! changed only where noise does not matter, and the iv is such a place: it has no plaintext of its
//! own. Hence
//!
//! 1. nothing that the answer rests on begins in the first 16 bytes, which the iv changes at will:
//!    `{"phoneNumber":"` is exactly 16 long, but `{"countryCode":8` would be in reach;
//! 2. the number stands there twice, as `phoneNumber` and `purePhoneNumber`, with a name of at
//!    least 16 bytes between them, and both must agree: whoever changes one of them has to hit the
//!    other through noise in which that name must come out right.
//!
//! `phoneNumber` is the pure number, before which the country code may stand, "国外手机号会有区号",
//! with or without `+` or `00` and a space or hyphen: WeChat documents no spelling.

use super::token::Token;

/// What may stand before the country code, and how many bits it takes.
const LEADS: [(u128, u32); 3] = [(0, 0), (b'+' as u128, 8), (0x3030, 16)];
/// What may stand between the country code and the number.
const SEPARATORS: [(u128, u32); 3] = [(0, 0), (b'-' as u128, 8), (b' ' as u128, 8)];

/// Whether the three agree. Takes as long for any tokens.
pub(super) fn agree(phone: Token, pure: Token, country: Token) -> u64 {
    let (number, code) = (pure.digits(), country.digits());
    let mut agree = phone.is(pure);
    for (lead, lead_bits) in LEADS {
        for (separator, separator_bits) in SEPARATORS {
            let spelling = Token::QUOTE
                .append(lead, lead_bits)
                .append(code.text, code.bits)
                .append(separator, separator_bits)
                .append(number.text, number.bits);
            agree |= phone.is(spelling);
        }
    }
    agree & number.sound & number.quoted & code.sound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        text.bytes().fold(Token::default(), |token, byte| token.with(byte, 0))
    }

    fn believed(phone: &str, pure: &str, country: &str) -> bool {
        agree(token(phone), token(pure), token(country)) == !0
    }

    #[test]
    fn spellings_that_agree_are_believed() {
        for phone in [
            "\"61234567",
            "\"85261234567",
            "\"+85261234567",
            "\"0085261234567",
            "\"852-61234567",
            "\"+852 61234567",
        ] {
            assert!(believed(phone, "\"61234567", "\"852"), "{phone}");
            assert!(believed(phone, "\"61234567", "852"), "{phone}");
        }
        assert!(believed("\"00999123456789012345", "\"123456789012345", "\"999"));
    }

    #[test]
    fn anything_else_is_not() {
        for (phone, pure, country) in [
            ("\"13580006667", "\"13580006666", "\"86"),
            ("\"8713580006666", "\"13580006666", "\"86"),
            ("\"+13580006666", "\"13580006666", "\"86"),
            ("\"3580006666", "\"13580006666", "\"86"),
            ("\"113580006666", "\"13580006666", "\"86"),
            ("\"1358000666a", "\"1358000666a", "\"86"),
            ("\"13580006666", "\"13580006666", "\"8a"),
            ("\"13580006666", "\"13580006666", "\""),
            ("\"13580006666", "\"13580006666", ""),
            ("\"13580006666", "\"13580006666", "-86"),
            ("13580006666", "13580006666", "\"86"),
            ("\"13580006666", "13580006666", "\"86"),
            ("\"", "\"", "\"86"),
            ("", "", ""),
            ("\"1234567890123456", "\"1234567890123456", "\"86"),
        ] {
            assert!(!believed(phone, pure, country), "{phone} {pure} {country}");
        }
    }
}
