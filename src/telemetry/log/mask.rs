//! Paths as they may be logged: what names or opens something is `***`.
//!
//! A path can hold anything: `/users/13800138000`, a token, somebody's openid. The route says what was
//! asked for; the path is a help, and loses what could be one of those rather than keep it.

use std::borrow::Cow;
use std::fmt::Write;

const MASK: &str = "***";
/// Shorter than any login code, token, key or openid.
const OPAQUE: usize = 20;

/// Leading zeros and all, no phone number has more digits (E.164 has 15).
const MOST_DIGITS: usize = 20;

/// A canonical path, on one line and in ASCII, without phone numbers and without what looks random.
pub fn path(path: &str) -> Cow<'_, str> {
    if is_harmless(path) {
        return Cow::Borrowed(path);
    }
    Cow::Owned(without_phones(&without_opaque(path)))
}

/// The common case, told apart in one pass: nothing to escape, and no word as long as a phone number. Behind
/// a `+` one can be shorter.
fn is_harmless(path: &str) -> bool {
    let mut word = 0;
    path.bytes().all(|byte| {
        word = if is_word(char::from(byte)) { word + 1 } else { 0 };
        byte.is_ascii_graphic() && byte != b'+' && word < 11
    })
}

fn without_opaque(path: &str) -> String {
    let mut shown = String::with_capacity(path.len());
    let mut rest = path;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
        shown.push_str(if is_opaque(word) { MASK } else { word });
        let (others, after) = after.split_at(after.find(is_word).unwrap_or(after.len()));
        shown.push_str(others);
        rest = after;
    }
    shown
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

fn without_phones(path: &str) -> String {
    let mut shown = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(c) = rest.chars().next() {
        let digits = digits(rest).len();
        let after_plus = shown.ends_with('+');
        let phone = if digits == 0 { None } else { phone(rest, after_plus) };
        let (text, after) = rest.split_at(phone.unwrap_or_else(|| digits.max(c.len_utf8())));
        match phone {
            Some(_) => shown.push_str(MASK),
            None => text.chars().for_each(|c| escape(c, &mut shown)),
        }
        rest = after;
    }
    shown
}

/// Where the text begins with a phone number, how far its digits go on: which of several groups belong to it
/// nobody can say.
fn phone(text: &str, after_plus: bool) -> Option<usize> {
    let (mut number, mut end, mut is_known) = (String::new(), 0, false);
    loop {
        let group = digits(text.get(end..)?);
        end += group.len();
        if !is_known && number.len() <= MOST_DIGITS {
            number.push_str(group);
            is_known = is_phone(&number, after_plus);
        }
        let after = text.get(end..)?;
        let goes_on = after.strip_prefix(['-', '.', '_', '~', ' ']).is_some_and(begins_with_digit);
        if !goes_on || number.len() > MOST_DIGITS && !is_known {
            return is_known.then_some(end);
        }
        end += 1;
    }
}

fn begins_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

fn digits(text: &str) -> &str {
    text.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default()
}

/// Chinese mobile numbers, with or without 86 and whatever zeros are dialled before, and seven digits or more
/// behind a `+`.
fn is_phone(number: &str, after_plus: bool) -> bool {
    let dialled = number.trim_start_matches('0');
    let national = dialled.strip_prefix("86").filter(|rest| rest.len() == 11).unwrap_or(dialled);
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
            ("/users/+376312345", "/users/+***"),
            ("/+6834000", "/+***"),
            ("/c++/a+1", "/c++/a+1"),
            ("/users/008613800138000", "/users/***"),
            ("/users/013800138000", "/users/***"),
            ("/users/138-0013-8000", "/users/***"),
            ("/users/+86-138-0013-8000/x", "/users/+***/x"),
            ("/users/138 0013 8000", "/users/***"),
            ("/users/7-13800138000-1/2", "/users/7-***/2"),
            ("/log/2026-11-22", "/log/2026-11-22"),
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
        fn no_mobile_number_comes_through(
            before in "([a-z/.-]{0,8}|[a-z/]{0,8}[0-9]{1,3}[-._/])",
            dialled in "([+]?0{0,3}86[-. ]?|0?)",
            number in "1[3-9][0-9]{9}",
            between in "[-._ ]?",
            after in "([a-z/.-]{0,8}|[/][0-9]{1,5})",
        ) {
            let (a, b) = number.split_at(3);
            let (b, c) = b.split_at(4);
            let text = format!("/{before}{dialled}{a}{between}{b}{between}{c}{after}");
            let shown = path(&text);
            prop_assert!(!shown.contains(c) || after.contains(c), "{}", shown);
            prop_assert!(shown.contains(MASK), "{}", shown);
        }

        #[test]
        fn no_international_number_comes_through(
            before in "[a-z/.-]{0,8}",
            number in "[1-9][0-9]{6,14}",
        ) {
            let text = format!("/{before}+{number}");
            prop_assert!(!path(&text).contains(&number));
        }
    }
}
