use proptest::prelude::*;

use super::*;

/// Reads an answer to a GET; gives what of it is over.
fn read(bytes: &str) -> Result<Option<&str>, Malformed> {
    read_for("GET / HTTP/1.1\r\n", bytes)
}

fn read_for<'a>(request: &str, bytes: &'a str) -> Result<Option<&'a str>, Malformed> {
    let mut answer = Answer::default();
    answer.is_for(request.as_bytes());
    let used = answer.read(bytes.as_bytes())?;
    Ok(answer.has_ended().then(|| &bytes[used..]))
}

#[test]
fn where_an_answer_ends_is_found() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine",
        "HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nfine",
        "HTTP/1.0 200 \r\ncontent-length:4\r\nX: \u{e9}\t\r\n\r\nfine",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nfine",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n4;a\r\nfine\r\n0\r\nX: y\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 40\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
    ] {
        assert_eq!(read(answer), Ok(Some("")), "{answer:?}");
        let more = format!("{answer}HTTP/1.1 ");
        assert_eq!(read(&more), Ok(Some("HTTP/1.1 ")), "{answer:?}");
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
    assert_eq!(read_for("HEAD / HTTP/1.1\r\n", head), Ok(Some("")));
    assert_eq!(read_for("HEADER / HTTP/1.1\r\n", head), Ok(None));
}

#[test]
fn what_ends_with_the_connection_has_no_end_before() {
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\n",
        "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\0\n\r",
    ] {
        assert_eq!(read(answer), Ok(None), "{answer:?}");
    }
}

#[test]
fn smg_09_what_two_parsers_may_read_differently_is_refused() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 04\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 101 Switching\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n\tContent-Length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rContent-Length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0\r\n\r\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\nfine\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 4\r\nfine\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x4\r\nfine\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfineX\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n",
    ] {
        assert!(read(head).is_err(), "{head:?}");
    }
}

#[test]
fn a_head_without_an_end_is_refused_at_its_limit() {
    let begin = "HTTP/1.1 200 OK\r\n";
    let line = format!("{begin}X: {}", "a".repeat(LINE_SIZE));
    assert!(read(&line).is_err());
    let lines = format!("{begin}{}", "X: a\r\n".repeat(HEADS_SIZE / 6 + 1));
    assert!(read(&lines).is_err());
    let heads = "HTTP/1.1 100 Continue\r\n\r\n".repeat(HEADS_SIZE / 25 + 1);
    assert!(read(&heads).is_err());
}

proptest! {
    #[test]
    fn pieces_are_read_like_the_whole(
        code in prop::sample::select(vec!["100", "200", "204", "101"]),
        fields in "((Content-Length: [0-9]|Transfer-Encoding: chunked|X: a)\r?\n){0,3}",
        body in "[0-5]\r?\n[ -~]{0,6}\r?\n?",
        at in 0usize..90,
    ) {
        let text = format!("HTTP/1.1 {code} OK\r\n{fields}\r\n{body}");
        let bytes = text.as_bytes();
        let (first, second) = bytes.split_at(at.min(bytes.len()));
        let mut whole = Answer::default();
        let of_whole = whole.read(bytes);
        let mut answer = Answer::default();
        let in_pieces = answer.read(first).and_then(|used| match used == first.len() {
            true => answer.read(second).map(|more| used + more),
            false => Ok(used),
        });
        prop_assert_eq!(in_pieces.is_err(), of_whole.is_err());
        if let (Ok(in_pieces), Ok(of_whole)) = (in_pieces, of_whole) {
            prop_assert_eq!(in_pieces, of_whole);
            prop_assert_eq!(answer.has_ended(), whole.has_ended());
        }
    }
}
