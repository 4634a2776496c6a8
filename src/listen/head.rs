//! The head of an HTTP/1 request as it stands on the wire, read strictly before pingora reads it
//! leniently: one mechanism for the deadline, the size, and what two parsers may read differently.

use std::time::Duration;

use bytes::BytesMut;
use pingora_core::protocols::Stream;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::policy::limits::Limits;
use crate::refusal::{Reason, Refusal};

/// The preface of HTTP/2 (RFC 9113, 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection begins with.
pub(super) enum Beginning {
    /// The head of an HTTP/1 request, and what came after it.
    Http1(BytesMut),
    /// The preface of HTTP/2.
    Http2,
    /// Nothing: the client went away or was silent for too long.
    Nothing,
    /// Something that is answered with this and nothing else.
    Refused(Refusal),
}

/// Waits for the next request on a connection.
pub(super) async fn next(
    stream: &mut Stream,
    limits: &Limits,
    silence: Duration,
    http2: bool,
) -> Beginning {
    let mut first = [0; 1];
    match timeout(silence, stream.try_peek(&mut first)).await {
        Ok(Ok(true)) => {}
        _ => return Beginning::Nothing,
    }
    match timeout(limits.header_timeout, read(stream, limits, http2 && first == *b"P")).await {
        Ok(Ok(beginning)) => beginning,
        Ok(Err(_)) => Beginning::Nothing,
        Err(_) => Beginning::Refused(Reason::RequestTimeout.into()),
    }
}

async fn read(stream: &mut Stream, limits: &Limits, http2: bool) -> std::io::Result<Beginning> {
    if http2 && begins_with_preface(stream).await? {
        return Ok(Beginning::Http2);
    }
    let mut head = BytesMut::with_capacity(1 << 10);
    let mut checked = 0;
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(Beginning::Nothing);
        }
        match end_of_head(&head, &mut checked) {
            Ok(Some(end)) => {
                let refused = head.get(..end).and_then(|head| check(head, limits).err());
                return Ok(refused.map_or(Beginning::Http1(head), Beginning::Refused));
            }
            Ok(None) if head.len() > limits.header_size + limits.uri_length => {
                return Ok(Beginning::Refused(Reason::HeadersTooLarge.into()));
            }
            Ok(None) => {}
            Err(refusal) => return Ok(Beginning::Refused(refusal)),
        }
    }
}

/// Whether the preface of HTTP/2 comes; it is left to be read. No method begins with `PRI`, and no
/// HTTP/1 request is shorter than that.
async fn begins_with_preface(stream: &mut Stream) -> std::io::Result<bool> {
    let mut start = [0; 3];
    stream.try_peek(&mut start).await?;
    if !HTTP2_PREFACE.starts_with(&start) {
        return Ok(false);
    }
    let mut preface = [0; HTTP2_PREFACE.len()];
    stream.try_peek(&mut preface).await?;
    Ok(preface == HTTP2_PREFACE)
}

/// Where the head ends, once all of it is there. Lines end in CRLF: a bare LF or CR is where parsers
/// part ways (RFC 9112, 2.2).
fn end_of_head(head: &[u8], checked: &mut usize) -> Result<Option<usize>, Refusal> {
    let malformed = |note: &'static str| Err(Refusal::new(Reason::BadRequest, note));
    while let Some(offset) =
        head.get(*checked..).and_then(|rest| rest.iter().position(|b| *b == b'\n'))
    {
        let line_feed = *checked + offset;
        let line = head.get(*checked..line_feed).unwrap_or_default();
        let Some((b'\r', line)) = line.split_last() else {
            return malformed("a line that ends in LF alone");
        };
        if line.contains(&b'\r') || line.contains(&0) {
            return malformed("a CR or NUL within a line");
        }
        let first = *checked == 0;
        *checked = line_feed + 1;
        match (line.is_empty(), first) {
            (true, true) => return malformed("an empty line before the request line"),
            (true, false) => return Ok(Some(line_feed + 1)),
            (false, _) => {}
        }
    }
    Ok(None)
}

fn check(head: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let mut lines =
        head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let request_line = lines.next().unwrap_or_default();
    check_request_line(request_line, limits)?;
    if head.len() - request_line.len() > limits.header_size {
        return Err(Reason::HeadersTooLarge.into());
    }
    let mut fields = 0;
    let (mut lengths, mut encodings) = (0, 0);
    for line in lines.filter(|line| !line.is_empty()) {
        let name = check_field(line)?;
        fields += 1;
        lengths += usize::from(name.eq_ignore_ascii_case(b"content-length"));
        encodings += usize::from(name.eq_ignore_ascii_case(b"transfer-encoding"));
    }
    if fields > limits.header_count {
        return Err(Reason::HeadersTooLarge.into());
    }
    // pingora drops the length where both are there; whoever sends both is up to something.
    if lengths + encodings > 1 {
        return Err(Refusal::new(Reason::BadRequest, "more than one word on where the body ends"));
    }
    Ok(())
}

/// RFC 9112, 3: three parts with one space between them.
fn check_request_line(line: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let malformed = |note: &'static str| Err(Refusal::new(Reason::BadRequest, note));
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
    if !matches!(version, b"HTTP/1.1" | b"HTTP/1.0") {
        return malformed("a version other than HTTP/1.0 and HTTP/1.1");
    }
    // pingora drops a fragment and escapes controls: what was asked for would not be what is matched.
    if target.is_empty() || target.iter().any(|byte| *byte <= b' ' || matches!(byte, 0x7f | b'#')) {
        return malformed("a request target with a control, a space or a fragment");
    }
    Ok(())
}

/// RFC 9112, 5: a name that is a token, a colon right after it, no folded lines. Gives the name.
fn check_field(line: &[u8]) -> Result<&[u8], Refusal> {
    let malformed = |note: &'static str| Refusal::new(Reason::BadRequest, note);
    let colon = line.iter().position(|byte| *byte == b':');
    let (name, value) = colon
        .and_then(|colon| Some((line.get(..colon)?, line.get(colon + 1..)?)))
        .ok_or_else(|| malformed("a header line without a colon"))?;
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return Err(malformed("a header name that is no token, or a folded line"));
    }
    if value.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
        return Err(malformed("a control character in a header value"));
    }
    Ok(name)
}

/// RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(head: &str) -> Option<Reason> {
        let mut checked = 0;
        let end = match end_of_head(head.as_bytes(), &mut checked) {
            Ok(end) => end.expect("the head is whole"),
            Err(refusal) => return Some(refusal.reason),
        };
        check(&head.as_bytes()[..end], &Limits::default()).err().map(|refusal| refusal.reason)
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
