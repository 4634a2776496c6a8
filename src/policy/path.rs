//! The one canonical form of a path.
//!
//! What is matched and authorised here is, byte for byte, what the upstream gets. So everything that
//! two programs may read differently is either brought into one form or refused:
//!
//! - percent-encoded unreserved characters are decoded, other encodings get upper-case digits
//!   (RFC 3986, 6.2.2);
//! - empty segments are merged and plain dot segments resolved (RFC 3986, 5.2.4);
//! - refused are: what is not origin-form; encoded dots that make a dot segment; encoded `/`, `\`,
//!   NUL and other controls; encoded `%` before what would be one of these, or a letter that routes
//!   are told apart by, if it were decoded twice; `\`, `;` (path parameters: Tomcat's `/..;/`, CVE-2025-66490 and its like), `#`; bytes that are not
//!   UTF-8 after decoding, which catches overlong forms of `/` and `.`; a dot segment above the root.

use std::borrow::Cow;

/// The path cannot be read in only one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path is ambiguous")]
pub struct Ambiguous;

/// Brings the path of a request target, without its query, into the canonical form.
pub fn canonical(raw: &[u8]) -> Result<Cow<'_, str>, Ambiguous> {
    if raw.first() != Some(&b'/') {
        return Err(Ambiguous);
    }
    if is_canonical(raw) {
        return std::str::from_utf8(raw).map(Cow::Borrowed).map_err(|_| Ambiguous);
    }
    let segments = segments(raw)?;
    let mut path = String::with_capacity(raw.len() + 1);
    for segment in &segments {
        path.push('/');
        path.push_str(segment);
    }
    Ok(Cow::Owned(path))
}

/// Whether nothing in a path is resolved on the way to its canonical form: no segment of it is empty, but
/// for the last one, and none is a dot segment. To a program that resolves none it is the same path.
pub fn has_plain_segments(raw: &[u8]) -> bool {
    let mut segments = raw.split(|&byte| byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_empty = segment.is_empty() && segments.peek().is_some();
        if is_empty || matches!(segment, b"." | b"..") {
            return false;
        }
    }
    true
}

/// The common case, told apart in one pass: nothing to decode, to merge or to refuse.
fn is_canonical(raw: &[u8]) -> bool {
    let mut previous = 0;
    for &byte in raw {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*')
            || matches!(byte, b'+' | b',' | b'=' | b':' | b'@' | b'/' | b'.');
        let dot_or_empty_segment = previous == b'/' && matches!(byte, b'/' | b'.');
        if !plain || dot_or_empty_segment {
            return false;
        }
        previous = byte;
    }
    true
}

/// The segments of the canonical path; the last one is empty where the path ends in `/`.
fn segments(raw: &[u8]) -> Result<Vec<String>, Ambiguous> {
    let mut kept: Vec<String> = Vec::new();
    let mut open_end = false;
    let mut rest = raw.split(|&byte| byte == b'/').peekable();
    rest.next();
    while let Some(raw_segment) = rest.next() {
        let last = rest.peek().is_none();
        match raw_segment {
            b"" | b"." => open_end = last,
            b".." => {
                kept.pop().ok_or(Ambiguous)?;
                open_end = last;
            }
            _ => kept.push(segment(raw_segment)?),
        }
    }
    if open_end {
        kept.push(String::new());
    }
    Ok(kept)
}

/// One segment with its encodings in the one form.
fn segment(raw: &[u8]) -> Result<String, Ambiguous> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut text = String::with_capacity(raw.len());
    let mut bytes = raw.iter().copied();
    while let Some(byte) = bytes.next() {
        let (byte, encoded) = match byte {
            b'%' => (hexadecimal(bytes.next(), bytes.next())?, true),
            byte => (byte, false),
        };
        decoded.push(byte);
        let separator = matches!(byte, b'/' | b'\\' | b';') || (byte == b'#' && !encoded);
        if separator || byte.is_ascii_control() {
            return Err(Ambiguous);
        }
        let sub_delimiter = matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@'
        );
        if is_unreserved(byte) || (sub_delimiter && !encoded) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    let decoded = std::str::from_utf8(&decoded).map_err(|_| Ambiguous)?;
    // `%2e%2e` is `..` to whoever decodes first; a plain one was handled before.
    if decoded == "." || decoded == ".." || decodes_again(decoded) {
        return Err(Ambiguous);
    }
    Ok(text)
}

/// Whether decoding once more would make a separator, an unreserved character, a control or another `%`.
fn decodes_again(decoded: &str) -> bool {
    let bytes = decoded.as_bytes();
    bytes.windows(3).any(|window| match window {
        [b'%', high, low] => hexadecimal(Some(*high), Some(*low)).is_ok_and(|byte| {
            byte.is_ascii_control() || is_unreserved(byte) || b"/\\;%#?".contains(&byte)
        }),
        _ => false,
    })
}

/// RFC 3986, 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn hexadecimal(high: Option<u8>, low: Option<u8>) -> Result<u8, Ambiguous> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    match (digit(high), digit(low)) {
        (Some(high), Some(low)) => Ok((high * 16 + low) as u8),
        _ => Err(Ambiguous),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> Result<String, Ambiguous> {
        canonical(raw.as_bytes()).map(Cow::into_owned)
    }

    #[test]
    fn a_path_with_plain_segments_has_nothing_to_resolve() {
        for raw in ["/", "/a", "/a/", "/a/b.c/..d/...", "/%61pi/x", "/.hidden"] {
            assert!(has_plain_segments(raw.as_bytes()), "{raw}");
        }
        for raw in ["//", "//a", "/a//b", "/a//", "/./a", "/a/.", "/a/..", "/a/../b", "/.."] {
            assert!(!has_plain_segments(raw.as_bytes()), "{raw}");
        }
    }

    #[test]
    fn one_form_for_what_means_the_same() {
        for (raw, expected) in [
            ("/", "/"),
            ("/api/x", "/api/x"),
            ("/api/x/", "/api/x/"),
            ("//api///x", "/api/x"),
            ("/api/./x", "/api/x"),
            ("/public/../api", "/api"),
            ("/api/x/..", "/api/"),
            ("/api/x/.", "/api/x/"),
            ("/%61pi/%7Ex", "/api/~x"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/café", "/caf%C3%A9"),
            ("/a%20b", "/a%20b"),
            ("/a b", "/a%20b"),
            ("/a%3fb", "/a%3Fb"),
            ("/a%23b", "/a%23b"),
            ("/..x/.well-known", "/..x/.well-known"),
            ("/50%25", "/50%25"),
            ("/50%25e4", "/50%25e4"),
        ] {
            assert_eq!(text(raw).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for raw in [
            "",
            "api/x",
            "*",
            "http://a/api",
            "?x",
            "/..",
            "/a/../../b",
            "/%2e%2e/x",
            "/%2E/x",
            "/.%2e/x",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/..;/x",
            "/a;x=1",
            "/a%3bx",
            "/a%00",
            "/a%0d%0a",
            "/a\u{7f}",
            "/a#b",
            "/%252e%252e/x",
            "/%25%32%65",
            "/%2561pi/x",
            "/api%2523",
            "/api%253Fx",
            "/a%257Eb",
            "/a%252fb",
            "/%c0%ae%c0%ae/x",
            "/%c0%af",
            "/%",
            "/%2",
            "/%zz",
            "/%ff",
        ] {
            assert_eq!(text(raw), Err(Ambiguous), "{raw}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_canonical_form_is_its_own(raw in "/[a-z%/.;2fFeE5cC\\\\é ]{0,24}") {
            if let Ok(once) = text(&raw) {
                proptest::prop_assert_eq!(text(&once), Ok(once.clone()));
                proptest::prop_assert!(!once.contains("//"));
                proptest::prop_assert!(!once.split('/').any(|segment| segment == "." || segment == ".."));
            }
        }

        #[test]
        fn no_bytes_panic(raw: Vec<u8>) {
            let _ = canonical(&raw);
        }
    }
}
