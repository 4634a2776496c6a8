//! The judgement of a head: what in its lines two parsers may read differently, and what is over a limit.

use memchr::memchr;

use crate::policy::guard::{is_chunked, is_length, names_a_host};
use crate::policy::limits::Limits;
use crate::refusal::{Reason, Refusal};

/// Reads a head that is there as a whole.
///
/// # Errors
///
/// Why the door refuses it.
pub fn check_whole(head: &[u8], limits: &Limits) -> Result<(), Refusal> {
    match judge(head, &mut 0, limits)? {
        Some(judged) if judged.end == head.len() => Ok(()),
        _ => malformed("a line break in a line of the head"),
    }
}

/// A head that has one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Where it ends.
    pub end: usize,
    /// Whether a body follows that is chunked.
    pub chunked: bool,
}

/// Judges the head that these bytes begin with; none while its end is not there. `checked` is how many
/// bytes are known to be whole lines: 0 at first, and kept while more bytes come.
pub fn judge(
    bytes: &[u8],
    checked: &mut usize,
    limits: &Limits,
) -> Result<Option<Judged>, Refusal> {
    let Some(end) = end_of_head(bytes, checked)? else { return Ok(None) };
    let chunked = check(bytes.get(..end).unwrap_or_default(), limits)?;
    Ok(Some(Judged { end, chunked }))
}

/// Where the head ends, once all of it is there: behind the first empty line. Lines end in CRLF: a bare
/// LF or CR is where parsers part ways (RFC 9112, 2.2).
fn end_of_head(head: &[u8], checked: &mut usize) -> Result<Option<usize>, Refusal> {
    while let Some(offset) = memchr(b'\n', head.get(*checked..).unwrap_or_default()) {
        let line_feed = *checked + offset;
        let line = head.get(*checked..line_feed).unwrap_or_default();
        let first = *checked == 0;
        *checked = line_feed + 1;
        match (line, first) {
            (b"\r", true) => return malformed("an empty line before the request line"),
            (b"\r", false) => return Ok(Some(line_feed + 1)),
            ([.., b'\r'], _) => {}
            _ => return malformed("a line that ends in LF alone"),
        }
    }
    Ok(None)
}

pub(super) fn malformed<T>(note: &'static str) -> Result<T, Refusal> {
    Err(Refusal::new(Reason::BadRequest, note))
}

/// Tells whether a body follows that is chunked.
fn check(head: &[u8], limits: &Limits) -> Result<bool, Refusal> {
    let mut lines = Lines(head);
    let request_line = lines.next().unwrap_or_default();
    check_request_line(request_line, limits)?;
    if head.len() - request_line.len() > limits.header_size {
        return Err(Reason::HeadersTooLarge.into());
    }
    let http11 = request_line.ends_with(b"1.1");
    let (mut fields, mut framings, mut hosts, mut chunked) = (0, 0, 0, false);
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = check_field(line).or_else(malformed)?;
        fields += 1;
        match Framing::of(name) {
            Some(Framing::Host) => {
                hosts += 1;
                if !str::from_utf8(value).is_ok_and(names_a_host) {
                    return malformed("a Host that names no host");
                }
            }
            Some(Framing::ContentLength) => {
                framings += 1;
                if !is_length(value) {
                    return malformed("a Content-Length that is not one number");
                }
            }
            Some(Framing::TransferEncoding) => {
                framings += 1;
                chunked = true;
                if !is_chunked(value) || !http11 {
                    return malformed("a Transfer-Encoding other than one `chunked` over HTTP/1.1");
                }
            }
            None => {}
        }
    }
    if fields > limits.header_count {
        return Err(Reason::HeadersTooLarge.into());
    }
    // None at all is the guard's to refuse: over HTTP/2 that is another question.
    if hosts > 1 {
        return malformed("two Host headers");
    }
    // pingora drops the length where both are there; whoever sends both is up to something.
    if framings > 1 {
        return malformed("more than one word on where the body ends");
    }
    Ok(chunked)
}

/// The fields that say where a request goes and where it ends.
enum Framing {
    ContentLength,
    Host,
    TransferEncoding,
}

impl Framing {
    /// By their length first: most fields are none of them.
    fn of(name: &[u8]) -> Option<Self> {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => Some(Self::Host),
            14 if name.eq_ignore_ascii_case(b"content-length") => Some(Self::ContentLength),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => Some(Self::TransferEncoding),
            _ => None,
        }
    }
}

/// The lines of a head, each without its CRLF.
pub(super) struct Lines<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let line_feed = memchr(b'\n', self.0)?;
        let line = self.0.get(..line_feed)?;
        self.0 = self.0.get(line_feed + 1..)?;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// RFC 9112, 3: three parts with one space between them.
fn check_request_line(line: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return malformed("a request line that has not three parts");
    };
    if target.len() > limits.uri_length {
        return Err(Reason::UriTooLong.into());
    }
    if method.is_empty() || !method.iter().copied().all(is_token) {
        return malformed("a method that is no token");
    }
    if method == b"CONNECT" {
        return malformed("CONNECT, which asks for a tunnel");
    }
    if !matches!(version, b"HTTP/1.1" | b"HTTP/1.0") {
        return malformed("a version other than HTTP/1.0 and HTTP/1.1");
    }
    // Other forms are for proxies that clients know of (RFC 9112, 3.2); pingora answers some of them
    // itself, and not in our words.
    if target.first() != Some(&b'/') {
        return malformed("a request target that is not in origin-form");
    }
    // pingora drops a fragment and escapes controls: what was asked for would not be what is matched.
    if has_control(target) || target.iter().any(|byte| b"#\t".contains(byte)) {
        return malformed("a request target with a control or a fragment");
    }
    Ok(())
}

/// RFC 9112, 5: a name that is a token, a colon right after it, no folded lines. Gives both, or what is
/// wrong.
pub(crate) fn check_field(line: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let colon = line.iter().position(|byte| *byte == b':');
    let Some((name, [_, value @ ..])) = colon.and_then(|colon| line.split_at_checked(colon)) else {
        return Err("a header line without a colon");
    };
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return Err("a header name that is no token, or a folded line");
    }
    if has_control(value) {
        return Err("a control character in a header value");
    }
    Ok((name, value.trim_ascii()))
}

/// Whether there is a control other than a tab. Without a branch in it the loop becomes a few vector
/// instructions; a token of 400 bytes is looked through in each request.
pub(crate) fn has_control(text: &[u8]) -> bool {
    text.iter()
        .fold(false, |found, byte| found | (*byte < b' ' && *byte != b'\t') | (*byte == 0x7f))
}

/// RFC 9110, 5.6.2.
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).copied().unwrap_or_default()
}

/// By each byte: names are looked at byte by byte, those of requests and those of answers.
#[allow(clippy::indexing_slicing, reason = "a constant that would panic is not compiled")]
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || is_token_mark(byte as u8);
        byte += 1;
    }
    table
};

const fn is_token_mark(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(head: &str) -> Option<Reason> {
        match judge(head.as_bytes(), &mut 0, &Limits::default()) {
            Ok(end) => {
                assert!(end.is_some(), "the head is whole");
                None
            }
            Err(refusal) => Some(refusal.reason),
        }
    }

    #[test]
    fn a_plain_head_passes() {
        assert_eq!(reason("GET /a?b HTTP/1.1\r\nHost: a\r\nX-Y:\tz\r\n\r\nbody\n"), None);
        assert_eq!(reason("GET / HTTP/1.0\r\n\r\n"), None);
    }

    #[test]
    fn what_two_parsers_may_read_differently_is_refused() {
        for head in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "GET / HTTP/1.1\r\nX: a\rb\r\n\r\n",
            "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n",
            "GET / HTTP/1.1\r\nX : a\r\n\r\n",
            "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\r\n X: a\r\n\r\n",
            "GET / HTTP/1.1\r\n: a\r\n\r\n",
            "GET / HTTP/1.1\r\nX\r\n\r\n",
            "GET / HTTP/1.1\r\nX(): a\r\n\r\n",
            "GET  / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1 \r\n\r\n",
            "GET /\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "GET / http/1.1\r\n\r\n",
            "G@T / HTTP/1.1\r\n\r\n",
            "GET /a#b HTTP/1.1\r\n\r\n",
            "GET a HTTP/1.1\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET /a\tb HTTP/1.1\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
        ] {
            assert_eq!(reason(head), Some(Reason::BadRequest), "{head:?}");
        }
    }

    #[test]
    fn limits_have_their_own_answers() {
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(9000));
        assert_eq!(reason(&long), Some(Reason::UriTooLong));
        let large = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(33 << 10));
        assert_eq!(reason(&large), Some(Reason::HeadersTooLarge));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: a\r\n".repeat(101));
        assert_eq!(reason(&many), Some(Reason::HeadersTooLarge));
    }

    #[test]
    fn a_head_in_pieces_is_the_same_head() {
        let head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut checked = 0;
        for length in 0..head.len() {
            let end = end_of_head(&head.as_bytes()[..length], &mut checked).unwrap();
            assert_eq!(end, None, "{length}");
        }
        assert_eq!(end_of_head(head.as_bytes(), &mut checked).unwrap(), Some(head.len()));
    }
}
