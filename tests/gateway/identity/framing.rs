//! One reading of where a request begins and ends, and no second request in what is left over.

use crate::raw::Wire;
use crate::support::gateway::Gateway;
use crate::upstream::{Reply, Seen};

/// Heads that two parsers may read differently; what follows them is a request smuggled in.
const HEADS: [&str; 24] = [
    "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 5",
    "Content-Length: 5\r\nContent-Length: 5",
    "Content-Length: 5\r\nContent-Length: 0",
    "Content-Length: 5,5",
    "Content-Length: +5",
    "Content-Length: -5",
    "Content-Length: 0x5",
    "Content-Length: 5 5",
    "Content-Length: 9223372036854775808",
    "Content-Length: 18446744073709551621",
    "Content-Length:",
    "Content-Length: five",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding:\x0bchunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding\r\n : chunked",
    "Content-Length: 5\nTransfer-Encoding: chunked",
];

const CHUNKS: [&str; 14] = [
    "\r\nhello\r\n0\r\n\r\n",
    "5;a=\nb\r\nhello\r\n0\r\n\r\n",
    "5;a=\rb\r\nhello\r\n0\r\n\r\n",
    "5 ;a\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\nX: a\n\r\n",
    "5\r\nhello\r\n0\r\nX\r\n\r\n",
    "5\r\nhello\r\n0\r\n\n",
    "5\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "ffffffffffffffff0\r\nhello\r\n0\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "5 5\r\nhello\r\n0\r\n\r\n",
];

const SMUGGLED: &str = "0\r\n\r\nGET /public/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

async fn assert_refused_and_closed(gateway: &Gateway, request: &str) {
    let mut wire = gateway.wire().await;
    wire.send(request).await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{request:?}");
    assert!(wire.is_closed().await, "{request:?}: the connection goes on");
    let smuggled = |target: &str| target.contains("smuggled");
    let seen = gateway.upstream.requests();
    assert!(!seen.iter().any(|seen| smuggled(seen.target())), "{request:?}: {seen:#?}");
}

#[tokio::test]
async fn a_body_whose_end_can_be_told_in_two_ways_is_a_400() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    let bearer = format!("Authorization: Bearer {token}\r\n");
    for head in HEADS {
        for (path, bearer) in [
            ("/api/x", bearer.as_str()),
            ("/public/x", ""),
            ("/wxLogin", ""),
            ("/session", &bearer),
            ("/unknown", ""),
        ] {
            let request =
                format!("POST {path} HTTP/1.1\r\nHost: a\r\n{bearer}{head}\r\n\r\n{SMUGGLED}");
            assert_refused_and_closed(&gateway, &request).await;
        }
    }
    let old = format!(
        "POST /public/x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{SMUGGLED}"
    );
    assert_refused_and_closed(&gateway, &old).await;
    assert_eq!(gateway.upstream.requests().len(), 0);
    assert_eq!(gateway.get("/public/after").await.status, 200);
}

/// RFC 9112, 7.1; CVE-2025-22871 (LF alone after a size), CVE-2023-39326 (long extensions).
#[tokio::test]
async fn smg_03_malformed_chunks_are_refused_and_nothing_of_them_is_a_request() {
    let gateway = Gateway::start().await;
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "e".repeat(64 << 10));
    for chunks in CHUNKS.into_iter().chain([long.as_str()]) {
        for path in ["/public/x", "/wxLogin"] {
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                 Transfer-Encoding: chunked\r\n\r\n"
            );
            let rest = format!("{chunks}GET /public/smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
            for parted in [false, true] {
                let mut wire = gateway.wire().await;
                if parted {
                    // The head and a first chunk are on their way when the rest comes.
                    wire.send(format!("{head}1\r\nx\r\n")).await;
                    if path == "/public/x" {
                        let sent = |seen: &Seen| seen.wire == b"1\r\nx\r\n" && !seen.whole;
                        gateway.upstream.until(|seen| seen.last().is_some_and(sent)).await;
                    }
                    let _ = wire.try_send(&rest).await;
                } else {
                    let _ = wire.try_send(format!("{head}{rest}")).await;
                }
                let answer = wire.answer().await;
                assert_eq!(answer.status, 400, "{path} {parted} {chunks:?}: {answer:?}");
                assert_eq!(answer.code(), "bad_request", "{path} {parted} {chunks:?}");
                assert!(wire.is_closed().await, "{chunks:?}: the connection goes on");
            }
        }
        let seen = gateway.upstream.requests();
        let smuggled = |seen: &Seen| seen.target().contains("smuggled") || seen.whole;
        assert!(!seen.iter().any(smuggled), "{chunks:?}: {seen:#?}");
    }
    assert_eq!(gateway.get("/public/after").await.status, 200);
}

/// The answer has begun, so that nothing is left but to break off.
#[tokio::test]
async fn smg_03_a_malformed_chunk_after_the_answer_has_begun_ends_the_connection() {
    let gateway = Gateway::start().await;
    let begun = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nha\r\n";
    gateway.upstream.on("/public/early", Reply::bytes(begun).before_the_body().then_hang());
    let mut wire = gateway.wire().await;
    let head = "POST /public/early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    wire.send(format!("{head}1\r\nx\r\n")).await;
    let begun = wire.bytes(15).await;
    assert_eq!(begun, b"HTTP/1.1 200 OK");
    let _ = wire.try_send("\r\nhello\r\n0\r\n\r\n").await;
    let rest = String::from_utf8_lossy(&wire.rest().await).into_owned();
    assert!(rest.ends_with("\r\n2\r\nha\r\n"), "half an answer and nothing more: {rest}");
    assert!(gateway.upstream.requests().iter().all(|seen| !seen.whole));
    assert_eq!(gateway.get("/public/after").await.status, 200);
}

#[tokio::test]
async fn a_proper_chunked_body_arrives() {
    let gateway = Gateway::start().await;
    let chunks = "2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    let head = "POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n";
    let answer = Wire::ask(gateway.address, format!("{head}{chunks}")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(gateway.upstream.only().body, b"hello");
}

/// In whatever pieces it comes; and the connection goes on.
#[tokio::test]
async fn smg_03_a_chunked_body_in_pieces_arrives_and_the_connection_goes_on() {
    let gateway = Gateway::start().await;
    let request = "POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                   2;a=b\r\nhe\r\n0000003\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n";
    let mut wire = gateway.wire().await;
    for at in (1..request.len()).step_by(7) {
        let (first, second) = request.split_at(at);
        wire.send(first).await;
        tokio::task::yield_now().await;
        wire.send(second).await;
        assert_eq!(wire.answer().await.status, 200, "{at}");
        let seen = gateway.upstream.last();
        assert_eq!((seen.body.as_slice(), seen.holds("X-Sum")), (b"hello".as_slice(), false));
        wire.send("GET /public/y HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(wire.answer().await.status, 200, "after {at}");
    }
}

#[tokio::test]
async fn no_tunnel_is_dug_by_connect_h2c_or_another_protocol() {
    let gateway = Gateway::start().await;
    for request in [
        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
        "CONNECT /public/x HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let answer = Wire::ask(gateway.address, request).await;
        assert!(matches!(answer.status, 400 | 405), "{answer:?}");
        assert!(matches!(answer.code().as_str(), "bad_request" | "method_not_allowed"));
    }
    for upgrade in ["h2c", "anything", "TLS/1.0"] {
        let mut wire = gateway.wire().await;
        wire.send(format!(
            "GET /public/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n\
             Upgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n\
             GET /public/pipelined HTTP/1.1\r\nHost: a\r\n\r\n"
        ))
        .await;
        let answer = wire.answer().await;
        assert_ne!(answer.status, 101, "{upgrade}");
        if let Some(seen) = gateway.upstream.requests().last() {
            assert_eq!(seen.header("upgrade"), None, "{upgrade}:\n{}", seen.head);
        }
    }
}
