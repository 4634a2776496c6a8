//! Where an upstream's answer ends, said in one way.

use http::Version;
use http::header::TRANSFER_ENCODING;
use pingora_http::ResponseHeader;

use crate::policy::guard::is_chunked;

/// Refuses what two readers may end in two places (RFC 9112, 6.1 and 6.3). On connections of our own that
/// was done before (`proxy::upstream_connection`). This is for a server that was asked for HTTP/2 and turns
/// out to have none: its first answer comes by pingora's connection, which serves no other request.
pub(super) fn check(answer: &ResponseHeader) -> Result<(), &'static str> {
    let mut encodings = answer.headers.get_all(TRANSFER_ENCODING).iter();
    let Some(encoding) = encodings.next() else { return Ok(()) };
    if !is_chunked(encoding.as_bytes()) || encodings.next().is_some() {
        return Err("it answered with a Transfer-Encoding other than `chunked`");
    }
    if answer.version == Version::HTTP_10 {
        return Err("it answered in HTTP/1.0 with a Transfer-Encoding");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(version: Version, encodings: &[&str]) -> bool {
        let mut answer = ResponseHeader::build(200, None).unwrap();
        answer.set_version(version);
        for encoding in encodings {
            answer.append_header(TRANSFER_ENCODING, *encoding).unwrap();
        }
        check(&answer).is_ok()
    }

    #[test]
    fn smg_09_an_answer_is_framed_in_one_way() {
        assert!(checked(Version::HTTP_11, &[]) && checked(Version::HTTP_10, &[]));
        assert!(checked(Version::HTTP_11, &["chunked"]) && checked(Version::HTTP_11, &["Chunked"]));
        for encodings in [
            ["gzip"].as_slice(),
            &["gzip, chunked"],
            &["chunked, chunked"],
            &["chunked", "chunked"],
            &["chunked", "identity"],
            &["xchunked"],
            &[""],
        ] {
            assert!(!checked(Version::HTTP_11, encodings), "{encodings:?}");
        }
        assert!(!checked(Version::HTTP_10, &["chunked"]));
    }
}
