//! Paths as they may be logged: what names or opens something is `***`.
//!
//! A path can hold anything: `/users/13800138000`, a token, somebody's openid. The route says what was
//! asked for; the path is a help, and loses what could be one of those rather than keep it.

use std::borrow::Cow;
use std::fmt::Write;

const MASK: &str = "***";
/// Shorter than any login code, token, key or openid.
const OPAQUE: usize = 20;

/// A canonical path, on one line and in ASCII, without phone numbers and without what looks random.
pub fn path(path: &str) -> Cow<'_, str> {
    if is_harmless(path) {
        return Cow::Borrowed(path);
    }
    let mut shown = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(c) = rest.chars().next() {
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length.max(c.len_utf8()));
        if length == 0 {
            escape(c, &mut shown);
        } else if is_opaque(word) {
            shown.push_str(MASK);
        } else {
            mask_phones(word, &mut shown);
        }
        rest = after;
    }
    Cow::Owned(shown)
}

/// The common case, told apart in one pass: nothing to escape, and no word as long as a phone number.
fn is_harmless(path: &str) -> bool {
    let mut word = 0;
    path.bytes().all(|byte| {
        word = if is_word(char::from(byte)) { word + 1 } else { 0 };
        byte.is_ascii_graphic() && word < 11
    })
}

/// The letters of base64, of tokens, of codes.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '=' | '~')
}

/// Long, and no words in small letters nor a UUID, which have dashes and dots in them.
fn is_opaque(word: &str) -> bool {
    let has = |is: fn(&u8) -> bool| word.as_bytes().iter().any(is);
    let in_parts = has(|byte| matches!(byte, b'-' | b'.'));
    let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    word.len() >= OPAQUE && (!in_parts || mixed)
}

/// Chinese mobile numbers, with or without 86, and whatever follows a `+`.
fn mask_phones(word: &str, shown: &mut String) {
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        shown.push_str(if is_phone(number, shown.ends_with('+')) { MASK } else { number });
        let other = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (text, after) = after.split_at(other);
        shown.push_str(text);
        rest = after;
    }
}

fn is_phone(number: &str, after_plus: bool) -> bool {
    let national = number.strip_prefix("86").filter(|rest| rest.len() == 11).unwrap_or(number);
    let mobile = matches!(national.as_bytes(), [b'1', b'3'..=b'9', ..]) && national.len() == 11;
    mobile || after_plus && number.len() >= 7
}

fn escape(c: char, shown: &mut String) {
    if c.is_ascii_graphic() {
        return shown.push(c);
    }
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        // A String takes everything.
        let _ = write!(shown, "%{byte:02X}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_names_or_opens_something_is_not_shown() {
        for (given, shown) in [
            ("/api/orders/42", "/api/orders/42"),
            ("/users/13800138000/orders", "/users/***/orders"),
            ("/users/8613800138000", "/users/***"),
            ("/users/+85261234567", "/users/+***"),
            ("/x-13800138000.json", "/x-***.json"),
            ("/orders/1795340030123", "/orders/1795340030123"),
            ("/orders/12345678901", "/orders/12345678901"),
            ("/u/oABCdef-123_ghiJKLmno456pqrs", "/u/***"),
            ("/u/oABCdef123ghiJKLmno456pqrstu", "/u/***"),
            ("/k/0123456789abcdef0123456789abcdef", "/k/***"),
            ("/t/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJvMSJ9.c2ln-bmF0dXJl", "/t/***"),
            ("/i/550e8400-e29b-41d4-a716-446655440000", "/i/550e8400-e29b-41d4-a716-446655440000"),
            ("/blog/how-to-build-a-mini-program", "/blog/how-to-build-a-mini-program"),
            ("/a\nb\u{1b}[31m", "/a%0Ab%1B[31m"),
            ("/微信", "/%E5%BE%AE%E4%BF%A1"),
        ] {
            assert_eq!(path(given), shown);
        }
    }

    proptest! {
        #[test]
        fn it_is_one_line_of_ascii(text in "\\PC*|[\\x00-\\x7f]*") {
            prop_assert!(path(&text).bytes().all(|byte| byte.is_ascii_graphic()));
        }

        #[test]
        fn no_mobile_number_comes_through(before in "[a-z/.-]{0,8}", number in "1[3-9][0-9]{9}") {
            let text = format!("/{before}{number}");
            prop_assert!(!path(&text).contains(&number));
        }
    }
}
