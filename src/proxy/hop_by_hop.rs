//! Fields that are of one connection, and end with it (RFC 9110, 7.6.1).

use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};
use pingora_http::ResponseHeader;

use crate::listen::is_token;
use crate::refusal::{Reason, Refusal};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// Of requests. That its body is chunked is said anew.
const OF_REQUESTS: [HeaderName; 10] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HTTP2_SETTINGS,
];
const OF_ANSWERS: [HeaderName; 5] = [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TRAILER, UPGRADE];
/// Of the message, whoever names it.
const FRAMING: [HeaderName; 2] = [CONTENT_LENGTH, TRANSFER_ENCODING];

/// Nobody names more of them, and each is looked for.
const MOST_NAMED: usize = 10;
/// Who names these takes away what the gateway, or one in front of it, has said (CVE-2026-105299).
const PROTECTED: [&str; 4] = ["host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];

/// Whether a request may be made of it: asked before there is a connection that it would cost.
pub(super) fn check_request(headers: &HeaderMap) -> Result<(), Refusal> {
    named(headers).map(drop)
}

/// Takes them off a request from HTTP/2 to HTTP/2: h2 lets none in but `TE: trailers`, which gRPC wants to see
/// (RFC 9113, 8.2.2), and what a client says to a proxy.
pub(super) fn take_off_http2_request(headers: &mut HeaderMap) {
    if headers.keys().any(|name| *name == PROXY_AUTHORIZATION) {
        headers.remove(PROXY_AUTHORIZATION);
    }
}

/// Takes them off a request, with what the client names in `Connection`.
pub(super) fn take_off_request(headers: &mut HeaderMap) -> Result<(), Refusal> {
    let named = named(headers)?;
    // Names are compared in an instruction or two, and looked up in a hundred.
    let is_one = |name: &&HeaderName| OF_REQUESTS.contains(name) || named.contains(name);
    let names: Vec<_> = headers.keys().filter(is_one).cloned().collect();
    for name in names {
        headers.remove(name);
    }
    Ok(())
}

/// Whether a field of the client's goes no further than to the gateway.
pub(super) fn is_of_request(headers: &HeaderMap, name: &HeaderName) -> bool {
    OF_REQUESTS.contains(name) || named(headers).is_ok_and(|named| named.contains(name))
}

/// Takes them off an answer, with what the server names. Where its body ends was read already, and is said
/// in the same way to the client.
pub(super) fn take_off_answer(answer: &mut ResponseHeader) {
    let is_one = |name: &&HeaderName| OF_ANSWERS.contains(name);
    let mut names: Vec<_> = answer.headers.keys().filter(is_one).cloned().collect();
    if names.contains(&CONNECTION) {
        let lines = answer.headers.get_all(CONNECTION).iter();
        let named = lines.flat_map(tokens).filter_map(|token| HeaderName::from_bytes(token).ok());
        names.extend(named.filter(|name| !FRAMING.contains(name)));
    }
    for name in names {
        answer.remove_header(&name);
    }
}

fn named(headers: &HeaderMap) -> Result<Vec<HeaderName>, Refusal> {
    let refused = |note| Refusal::new(Reason::BadRequest, note);
    let mut named = Vec::new();
    if !headers.keys().any(|name| *name == CONNECTION) {
        return Ok(named);
    }
    for token in headers.get_all(CONNECTION).iter().flat_map(tokens) {
        if named.len() + 1 >= MOST_NAMED {
            return Err(refused("a Connection that names too many headers"));
        }
        let is_name = token.iter().copied().all(is_token);
        let name = HeaderName::from_bytes(token).ok().filter(|_| is_name);
        let name = name.ok_or_else(|| refused("a Connection that names what is no header"))?;
        if PROTECTED.contains(&name.as_str()) {
            return Err(refused("a Connection that names a header of every hop"));
        }
        named.push(name);
    }
    Ok(named)
}

fn tokens(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let tokens = line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tokens.filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        fields.collect()
    }

    fn left(fields: &[(&'static str, &'static str)]) -> Option<Vec<String>> {
        let mut headers = headers(fields);
        take_off_request(&mut headers).ok()?;
        Some(headers.keys().map(|name| name.as_str().to_owned()).collect())
    }

    #[test]
    fn what_is_of_the_connection_goes_no_further() {
        let kept = left(&[
            ("accept", "x"),
            ("connection", "keep-alive, X-Own,, upgrade"),
            ("keep-alive", "5"),
            ("x-own", "1"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "x"),
            ("transfer-encoding", "chunked"),
            ("http2-settings", "x"),
        ]);
        assert_eq!(kept.unwrap(), ["accept"]);
    }

    #[test]
    fn hdr_04_nobody_names_away_what_others_said() {
        for named in
            ["X-Forwarded-For", "close, host", "x-forwarded-proto", ":path", "\"te\"", "a b"]
        {
            assert_eq!(left(&[("connection", named)]), None, "{named}");
        }
        assert_eq!(left(&[("connection", "a,b,c,d,e,f,g,h,i,j")]), None);
    }

    #[test]
    fn of_an_answer_its_framing_stays() {
        let mut answer = ResponseHeader::build(200, None).unwrap();
        for (name, value) in [
            ("Connection", "X-Hop, content-length, keep-alive"),
            ("X-Hop", "1"),
            ("Upgrade", "h2c"),
            ("Content-Length", "5"),
            ("ETag", "x"),
        ] {
            answer.append_header(name, value).unwrap();
        }
        take_off_answer(&mut answer);
        let mut left: Vec<_> = answer.headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "etag"]);
    }
}
