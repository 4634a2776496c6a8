//! One reading of where a request begins and ends, and no second request in what is left over.

use crate::raw::Wire;
use crate::support::gateway::Gateway;

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

const CHUNKS: [&str; 7] = [
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

// httparse takes no size for a size of nothing, and any byte in an extension.
#[tokio::test]
#[ignore = "a fault that is left: the size of a chunk may be missing, and LF be in its extension"]
async fn a_chunk_without_a_size_or_with_a_line_feed_is_a_400() {
    let gateway = Gateway::start().await;
    let head = "POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for chunks in ["5;a=\nb\r\nhello\r\n0\r\n\r\n", "\r\nhello\r\n0\r\n\r\n"] {
        let answer = Wire::ask(gateway.address, format!("{head}{chunks}")).await;
        assert_eq!(answer.status, 400, "{chunks:?}");
    }
}

#[tokio::test]
async fn malformed_chunks_are_refused_and_nothing_of_them_is_a_request() {
    let gateway = Gateway::start().await;
    for chunks in CHUNKS {
        for path in ["/public/x", "/wxLogin"] {
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                 Transfer-Encoding: chunked\r\n\r\n"
            );
            let request = format!("{head}{chunks}GET /public/smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
            let mut wire = gateway.wire().await;
            wire.send(&request).await;
            let answer = wire.answer().await;
            assert_eq!(answer.status, 400, "{request:?}: {answer:?}");
            assert_eq!(answer.code(), "bad_request", "{request:?}");
            assert!(wire.is_closed().await, "{request:?}: the connection goes on");
        }
    }
    let seen = gateway.upstream.requests();
    assert!(!seen.iter().any(|seen| seen.target().contains("smuggled") || seen.whole), "{seen:#?}");
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
