use proptest::prelude::*;

use super::*;

/// Reads an answer to a GET; gives what came after it, where it is over.
fn read(text: &str) -> Result<Option<String>, Malformed> {
    read_by(Answer::default(), text).map(|(_, rest)| rest)
}

fn read_by(mut answer: Answer, text: &str) -> Result<(String, Option<String>), Malformed> {
    let mut parts = Vec::new();
    let rest = read_on(&mut answer, text.as_bytes(), &mut parts)?;
    Ok((data(&parts), rest))
}

fn read_on(
    answer: &mut Answer,
    bytes: &[u8],
    parts: &mut Vec<HttpTask>,
) -> Result<Option<String>, Malformed> {
    let mut bytes = BytesMut::from(bytes);
    answer.read(&mut bytes, parts)?;
    Ok(answer.has_ended().then(|| String::from_utf8(bytes.to_vec()).unwrap()))
}

fn data(parts: &[HttpTask]) -> String {
    let pieces = parts.iter().filter_map(|part| match part {
        HttpTask::Body(data, _) | HttpTask::UpgradedBody(data, _) => data.clone(),
        _ => None,
    });
    pieces.map(|data| String::from_utf8(data.to_vec()).unwrap()).collect()
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
        assert_eq!(read(answer), Ok(Some(String::new())), "{answer:?}");
        let more = format!("{answer}HTTP/1.1 ");
        assert_eq!(read(&more), Ok(Some("HTTP/1.1 ".to_owned())), "{answer:?}");
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
    assert!(read_by(Answer::to(true), head).unwrap().1.is_some());
    assert!(read_by(Answer::to(false), head).unwrap().1.is_none());
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

#[test]
fn the_data_of_a_body_is_given_without_its_framing() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunked = format!("{head}4;a=b\r\nfine\r\n2\r\n, \r\n3\r\nall\r\n0\r\nX: y\r\n\r\nHTTP");
    let (body, rest) = read_by(Answer::default(), &chunked).unwrap();
    assert_eq!((body.as_str(), rest.as_deref()), ("fine, all", Some("HTTP")));
    let tunnel = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\0\n\r";
    assert_eq!(read_by(Answer::default(), tunnel).unwrap().0, "\0\n\r");
}

#[test]
fn a_connection_goes_on_where_both_ends_say_so() {
    for (head, goes_on) in [
        ("HTTP/1.1 200 OK\r\n", true),
        ("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n", true),
        ("HTTP/1.1 200 OK\r\nConnection: X, Close\r\n", false),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\n", false),
        ("HTTP/1.0 200 OK\r\n", false),
        ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", true),
    ] {
        let mut answer = Answer::default();
        let bytes = format!("{head}Content-Length: 0\r\n\r\n");
        read_on(&mut answer, bytes.as_bytes(), &mut Vec::new()).unwrap();
        assert_eq!(answer.leaves_open(), goes_on, "{head}");
    }
}

#[test]
fn names_and_values_stay_as_the_server_wrote_them() {
    let mut parts = Vec::new();
    let text = "HTTP/1.1 299 Not So Bad\r\nSet-Cookie: a=1\r\nX-OdD-cAsE:  \u{e9} \r\nset-cookie:b\r\n\r\n";
    read_on(&mut Answer::default(), text.as_bytes(), &mut parts).unwrap();
    let [HttpTask::Header(head, false)] = &parts[..] else { panic!("{parts:?}") };
    assert_eq!(head.get_reason_phrase(), Some("Not So Bad"));
    let mut wire = Vec::new();
    head.header_to_h1_wire(&mut wire);
    let wire = String::from_utf8(wire).unwrap();
    let mut lines: Vec<_> = wire.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["Set-Cookie: a=1", "X-OdD-cAsE: \u{e9}", "set-cookie: b"]);
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
        let (mut whole, mut of_whole) = (Answer::default(), Vec::new());
        let whole_end = read_on(&mut whole, bytes, &mut of_whole);
        let (mut answer, mut of_pieces) = (Answer::default(), Vec::new());
        let mut buffer = BytesMut::from(first);
        let in_pieces = answer.read(&mut buffer, &mut of_pieces).and_then(|()| {
            buffer.extend_from_slice(second);
            answer.read(&mut buffer, &mut of_pieces)
        });
        prop_assert_eq!(in_pieces.is_err(), whole_end.is_err());
        if in_pieces.is_ok() {
            prop_assert_eq!(answer.has_ended(), whole.has_ended());
            prop_assert_eq!(data(&of_pieces), data(&of_whole));
            if let Ok(Some(rest)) = whole_end {
                prop_assert_eq!(rest.as_bytes(), &buffer[..]);
            }
        }
    }
}
