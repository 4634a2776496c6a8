//! Cookies that HTTP/2 clients send one by one.

use bytes::{BufMut, BytesMut};
use http::header::COOKIE;
use http::{HeaderValue, Version};
use pingora_http::RequestHeader;

/// Joins the lines of a Cookie into one before anybody looks at them (RFC 9113, 8.2.3): a server behind
/// the gateway that takes the first, or the last, would see other cookies than the gateway did.
pub(super) fn join(request: &mut RequestHeader) {
    if request.version != Version::HTTP_2 {
        return;
    }
    let mut lines = request.headers.get_all(COOKIE).iter();
    if lines.next().is_none() || lines.next().is_none() {
        return;
    }
    let mut joined = BytesMut::new();
    for line in request.headers.get_all(COOKIE) {
        if !joined.is_empty() {
            joined.put_slice(b"; ");
        }
        joined.put_slice(line.as_bytes());
    }
    // What is made of values is one: none of their bytes is malformed.
    if let Ok(joined) = HeaderValue::from_maybe_shared(joined.freeze()) {
        request.remove_header(&COOKIE);
        let _ = request.insert_header(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(lines: &[&str]) -> Vec<String> {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        request.set_version(Version::HTTP_2);
        for line in lines {
            request.append_header(COOKIE, *line).unwrap();
        }
        join(&mut request);
        let lines = request.headers.get_all(COOKIE).iter();
        lines.map(|line| line.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn crumbs_become_one_cookie() {
        assert_eq!(joined(&[]), Vec::<String>::new());
        assert_eq!(joined(&["a=1; b=2"]), ["a=1; b=2"]);
        assert_eq!(joined(&["a=1", "b=2", "a=3"]), ["a=1; b=2; a=3"]);
    }
}
