//! Whether the head of a request is well-formed and can be read in only one way.
//!
//! The bytes of an HTTP/1 head were looked at by the door, those of HTTP/2 fields by the h2 library;
//! here is what both have in common.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method, Version};

use super::limits::Limits;
use crate::refusal::{Reason, Refusal};

/// The methods that a request may have; the others have no meaning for a route (PTH-05).
pub const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// Refuses a head that is malformed, ambiguous or too large. Gives the host that the request names, as
/// the client wrote it.
pub fn check<'a>(head: &'a Parts, target: &[u8], limits: &Limits) -> Result<&'a str, Refusal> {
    if target.len() > limits.uri_length {
        return Err(Reason::UriTooLong.into());
    }
    if !METHODS.contains(&head.method) {
        let allow = METHODS.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        return Err(Refusal { allow: Some(allow), ..Reason::MethodNotAllowed.into() });
    }
    check_headers(&head.headers, limits)?;
    check_framing(head)?;
    host(head)
}

fn check_headers(headers: &HeaderMap, limits: &Limits) -> Result<(), Refusal> {
    if headers.len() > limits.header_count {
        return Err(Reason::HeadersTooLarge.into());
    }
    // `: ` and CRLF are part of the section.
    let size: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > limits.header_size {
        return Err(Reason::HeadersTooLarge.into());
    }
    Ok(())
}

/// RFC 9112, 6: one way to tell where the body ends.
fn check_framing(head: &Parts) -> Result<(), Refusal> {
    let headers = &head.headers;
    let refused = |note: &'static str| Err(Refusal::new(Reason::BadRequest, note));
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(encoding) = encodings.next() {
        if !is_chunked(encoding.as_bytes())
            || encodings.next().is_some()
            || head.version != Version::HTTP_11
        {
            return refused("a Transfer-Encoding other than one `chunked` over HTTP/1.1");
        }
        if headers.contains_key(CONTENT_LENGTH) {
            return refused("Content-Length beside Transfer-Encoding");
        }
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    if let Some(length) = lengths.next()
        && (!is_length(length.as_bytes()) || lengths.next().is_some())
    {
        return refused("a Content-Length that is not one number");
    }
    Ok(())
}

/// Whether a Transfer-Encoding is the one that we take.
pub fn is_chunked(encoding: &[u8]) -> bool {
    encoding.eq_ignore_ascii_case(b"chunked")
}

/// Whether a Content-Length is one number that every program can hold, written in the one way: a zero
/// before it is octal to some, and it goes on as it came.
pub fn is_length(text: &[u8]) -> bool {
    let has_one_form = text == b"0" || !text.starts_with(b"0");
    (1..=18).contains(&text.len()) && text.iter().all(u8::is_ascii_digit) && has_one_form
}

/// RFC 9112, 3.2: exactly one Host, which names a host; over HTTP/2 the authority, and a Host that
/// agrees with it.
fn host(head: &Parts) -> Result<&str, Refusal> {
    let refused = |note: &'static str| Refusal::new(Reason::BadRequest, note);
    let mut hosts = head.headers.get_all(HOST).iter();
    let named = hosts.next().map(|host| host.to_str());
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    let host = match (named, authority) {
        (Some(Ok(named)), None) => named,
        (Some(Ok(named)), Some(authority)) if named.eq_ignore_ascii_case(authority) => named,
        (None, Some(authority)) => authority,
        (None, None) => return Err(refused("no Host")),
        _ => return Err(refused("a Host that cannot be read, or that is not the authority")),
    };
    if hosts.next().is_some() {
        return Err(refused("two Host headers"));
    }
    match names_a_host(host) {
        true => Ok(host),
        false => Err(refused("a Host that names no host")),
    }
}

/// Whether a text is a host name or address, with or without a port (RFC 9110, 7.2).
pub fn names_a_host(text: &str) -> bool {
    let (name, port) = split_port(text);
    let name_bytes = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let name_fits = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(name_bytes),
    };
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    name_fits && port.is_none_or(|port| digits(port) && port.parse::<u16>().is_ok())
}

/// `name:port` taken apart; the colons of a bracketed IPv6 address are not the port's.
pub fn split_port(host: &str) -> (&str, Option<&str>) {
    let colon = memchr::memrchr(b':', host.as_bytes());
    let parts = colon.and_then(|colon| Some((host.get(..colon)?, host.get(colon + 1..)?)));
    match parts {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Parts {
        build(http::Request::builder().uri("/x")).body(()).unwrap().into_parts().0
    }

    fn reason(head: &Parts) -> Option<Reason> {
        check(head, b"/x", &Limits::default()).err().map(|refusal| refusal.reason)
    }

    #[test]
    fn host_is_one_name() {
        for host in ["a.example", "a.example:8080", "[::1]:80", "127.0.0.1", "my_service"] {
            assert_eq!(reason(&head(|head| head.header("host", host))), None, "{host}");
        }
        for host in ["", "a b", "a/b", "a,b", "u@a", "a:b", "a:99999", "[::1", "::1", "a:1:2"] {
            let refused = reason(&head(|head| head.header("host", host)));
            assert_eq!(refused, Some(Reason::BadRequest), "{host}");
        }
        assert_eq!(reason(&head(|head| head)), Some(Reason::BadRequest));
        let two = head(|head| head.header("host", "a").header("host", "a"));
        assert_eq!(reason(&two), Some(Reason::BadRequest));
    }

    #[test]
    fn framing_has_one_reading() {
        let framed = |name: &'static str, value: &'static str| {
            reason(&head(|head| head.header("host", "a").header(name, value)))
        };
        assert_eq!(framed("content-length", "5"), None);
        assert_eq!(framed("content-length", "0"), None);
        assert_eq!(framed("transfer-encoding", "chunked"), None);
        for length in ["", "+5", "-5", "05", "00", "0x5", "5,5", "5 5", "9223372036854775808"] {
            assert_eq!(framed("content-length", length), Some(Reason::BadRequest), "{length}");
        }
        for encoding in ["identity", "chunked, chunked", "gzip, chunked", " chunked", "xchunked"] {
            let refused = framed("transfer-encoding", encoding);
            assert_eq!(refused, Some(Reason::BadRequest), "{encoding}");
        }
    }

    #[test]
    fn limits_hold() {
        let many = head(|head| {
            (0..101).fold(head.header("host", "a"), |head, index| {
                head.header(format!("x-{index}"), "v")
            })
        });
        assert_eq!(reason(&many), Some(Reason::HeadersTooLarge));
        let large = head(|head| head.header("host", "a").header("x", "v".repeat(33 << 10)));
        assert_eq!(reason(&large), Some(Reason::HeadersTooLarge));
        let plain = head(|head| head.header("host", "a"));
        let long = check(&plain, &[b'a'; 8193], &Limits::default());
        assert_eq!(long.unwrap_err().reason, Reason::UriTooLong);
    }
}
