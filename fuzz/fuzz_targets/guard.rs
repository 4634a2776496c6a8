//! The head of a request: what the door lets through, pingora's parser (httparse) reads in the same way,
//! and it has one host and one way to tell where the body ends.
#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue, Request, Version};
use libfuzzer_sys::fuzz_target;
use wxgate::listen::head::{Judged, judge};
use wxgate::policy::guard;
use wxgate::policy::limits::Limits;

fuzz_target!(|bytes: &[u8]| {
    let limits =
        Limits { uri_length: 512, header_size: 2048, header_count: 20, ..Limits::default() };
    let judged = judge(bytes, &mut 0, &limits);
    assert_eq!(in_pieces(bytes, &limits), judged.as_ref().ok().copied(), "in pieces it is another");
    let Ok(Some(Judged { end, chunked })) = judged else { return };
    let head = &bytes[..end];
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut fields);
    let Ok(httparse::Status::Complete(length)) = parsed.parse(bytes) else {
        // httparse is stricter in the characters of a target, and does not know where we end.
        return;
    };
    assert_eq!(length, end, "two ends");
    assert_same_fields(head, &parsed);
    let Some(parts) = parts(&parsed) else { return };
    let target = parsed.path.unwrap_or_default();
    let Ok(host) = guard::check(&parts, target.as_bytes(), &limits) else { return };
    assert!(guard::names_a_host(host) && !host.contains(['/', '@', ',', ' ', '\\']), "{host}");
    let count = |name: &str| parts.headers.get_all(name).iter().count();
    assert!(count("content-length") + count("transfer-encoding") <= 1, "two framings");
    assert_eq!(count("host"), 1);
    assert_eq!(chunked, count("transfer-encoding") == 1);
});

/// The same head, one byte after the other. None where it is refused.
fn in_pieces(bytes: &[u8], limits: &Limits) -> Option<Option<Judged>> {
    let mut checked = 0;
    for length in 1..=bytes.len() {
        match judge(&bytes[..length], &mut checked, limits) {
            Ok(None) => {}
            Ok(Some(judged)) => return Some(Some(judged)),
            Err(_) => return None,
        }
    }
    Some(None)
}

/// Line by line: what a naive reader takes for names and values is what httparse takes for them.
fn assert_same_fields(head: &[u8], parsed: &httparse::Request<'_, '_>) {
    let lines: Vec<_> =
        head.split(|byte| *byte == b'\n').map(|line| &line[..line.len().max(1) - 1]).collect();
    let target = parsed.path.unwrap_or_default();
    let first = [parsed.method.unwrap_or_default(), target, "HTTP/1."].join(" ");
    assert!(lines[0].starts_with(first.as_bytes()), "another request line");
    let fields = lines[1..].iter().take_while(|line| !line.is_empty());
    assert_eq!(fields.clone().count(), parsed.headers.len(), "another number of fields");
    for (line, field) in fields.zip(parsed.headers.iter()) {
        let colon = line.iter().position(|byte| *byte == b':').expect("a colon");
        assert_eq!(&line[..colon], field.name.as_bytes(), "another name");
        assert_eq!(line[colon + 1..].trim_ascii(), field.value.trim_ascii(), "another value");
    }
}

/// The request as pingora hands it on.
fn parts(parsed: &httparse::Request<'_, '_>) -> Option<http::request::Parts> {
    let mut headers = HeaderMap::new();
    for field in parsed.headers.iter() {
        headers.append(
            HeaderName::try_from(field.name).expect("a token"),
            HeaderValue::from_bytes(field.value.trim_ascii()).expect("no control"),
        );
    }
    let version = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let request = Request::builder().method(parsed.method?).uri(parsed.path?).version(version);
    let mut parts = request.body(()).ok()?.into_parts().0;
    parts.headers = headers;
    Some(parts)
}
