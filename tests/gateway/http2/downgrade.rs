//! From HTTP/2 to HTTP/1: nothing of a request can become another one (SMG-07).

use super::assert_serves;
use crate::frames::{DATA, END_STREAM, Frames, Outcome, frame, request};
use crate::support::config::Config;
use crate::support::gateway::Gateway;

/// RFC 9113, 8.2.1 and 8.3; CVE-2026-42926 and its like.
#[tokio::test]
async fn smg_07_what_cannot_be_said_in_http1_is_reset() {
    let gateway = Gateway::start().await;
    let plain = request("GET", "/public/x", &[]);
    let with = |name, value| [plain.as_slice(), &[(name, value)]].concat();
    let mut pseudo_last = plain.clone();
    pseudo_last.insert(0, ("x-first", "1"));
    let heads = [
        with("x-a", "b\r\nx-wx-openid: forged"),
        with("x-a", "b\nx-b: c"),
        with("x-a", "b\rc"),
        with("x-a", "b\0c"),
        with("x-a\r\nx-b", "c"),
        with("x-a:x-b", "c"),
        with("x a", "c"),
        with("", "c"),
        with("X-A", "c"),
        with(":method", "POST"),
        with(":path", "/public/other"),
        with(":scheme", "https"),
        with(":authority", "b"),
        with(":unknown", "b"),
        with(":status", "200"),
        with("connection", "close"),
        with("connection", "x-wx-openid"),
        with("keep-alive", "1"),
        with("proxy-connection", "close"),
        with("upgrade", "websocket"),
        with("transfer-encoding", "chunked"),
        with("te", "gzip"),
        with("te", "trailers, gzip"),
        with("host", "b"),
        with("host", "a, b"),
        with("content-length", "5,6"),
        with("content-length", "+5"),
        with("content-length", "five"),
        pseudo_last,
        request("GET", "/public/x HTTP/1.1\r\nX-Y: z", &[]),
        request("GET", "/public/x y", &[]),
        request("GET", "", &[]),
        request("GET", "public/x", &[]),
        request("GET", "http://b/public/x", &[]),
        request("GET", "*", &[]),
        request("GET /public/x HTTP/1.1\r\nX-Y: z\r\n\r\nGET", "/public/x", &[]),
        request("CONNECT", "/public/x", &[]),
        vec![(":method", "CONNECT"), (":authority", "a:80")],
        vec![(":method", "GET"), (":path", "/public/x"), (":authority", "a")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "a")],
        vec![(":scheme", "http"), (":path", "/public/x"), (":authority", "a")],
        vec![(":method", "GET"), (":scheme", "http"), (":path", "/public/x")],
        vec![
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/public/x"),
            (":authority", "u@a"),
        ],
        vec![
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/public/x"),
            (":authority", "a\r\nx-b: c"),
        ],
    ];
    for head in heads {
        let mut frames = Frames::connect(gateway.address).await;
        frames.ask(1, &head, true).await;
        let outcome = frames.outcome(1).await;
        let refused = outcome.is_refused() || matches!(outcome, Outcome::Answer(0));
        assert!(refused, "{head:?}: {outcome:?}");
        assert_eq!(gateway.upstream.requests().len(), 0, "{head:?}");
        if !matches!(outcome, Outcome::GoAway(_) | Outcome::Closed) {
            frames.ask(3, &request("GET", "/unknown", &[]), true).await;
            assert_eq!(frames.outcome(3).await, Outcome::Answer(404), "after {head:?}");
        }
    }
    assert_serves(&gateway).await;
}

/// RFC 9113, 8.1.1: a length unlike the data is malformed; the upstream never gets a whole request.
#[tokio::test]
async fn smg_07_a_length_unlike_the_data_is_reset_and_arrives_nowhere() {
    let gateway = Gateway::start().await;
    for (length, data) in [("5", "four"), ("3", "four"), ("0", "four"), ("1000000", "four")] {
        let mut frames = Frames::connect(gateway.address).await;
        let head = request("POST", "/public/x", &[("content-length", length)]);
        frames.ask(1, &head, false).await;
        frames.try_send(frame(DATA, END_STREAM, 1, data.as_bytes())).await;
        let outcome = frames.outcome(1).await;
        assert!(outcome.is_refused(), "{length}: {outcome:?}");
        let seen = gateway.upstream.requests();
        assert!(seen.iter().all(|seen| !seen.whole), "{length}: {seen:#?}");
    }
    // No data at all for a length.
    let mut frames = Frames::connect(gateway.address).await;
    frames.ask(1, &request("POST", "/public/x", &[("content-length", "5")]), true).await;
    let outcome = frames.outcome(1).await;
    assert!(outcome.is_refused(), "{outcome:?}");
    assert!(gateway.upstream.requests().iter().all(|seen| !seen.whole));
    assert_serves(&gateway).await;
}

/// RFC 9113, 8.2.3: a cookie may come in crumbs; a server of HTTP/1 expects one line.
#[tokio::test]
async fn smg_07_cookie_crumbs_are_joined_before_anybody_looks_at_them() {
    let config =
        Config::default().key("session", "token_from = [\"cookie:t\"]\ncookie = { name = \"t\" }");
    let gateway = Gateway::with(config).await;
    let token = gateway.log_in("alice").await;
    let crumb = format!("t={token}");
    let mut frames = Frames::connect(gateway.address).await;
    let cookies = [("cookie", "a=1"), ("cookie", crumb.as_str()), ("cookie", "b=2; c=3")];
    frames.ask(1, &request("GET", "/api/x", &cookies), true).await;
    assert_eq!(frames.outcome(1).await, Outcome::Answer(200));
    let seen = gateway.upstream.only();
    assert_eq!(seen.all("cookie"), ["a=1; b=2; c=3"]);
    assert_eq!(seen.header("x-wx-openid"), Some(gateway.wechat.openid("alice").as_str()));
    // Two tokens in two crumbs are as bad as in one line.
    let doubled = [("cookie", crumb.as_str()), ("cookie", crumb.as_str())];
    frames.ask(3, &request("GET", "/api/x", &doubled), true).await;
    assert_eq!(frames.outcome(3).await, Outcome::Answer(400));
    assert_eq!(gateway.upstream.requests().len(), 1);
}

/// HDR-06: what comes in trailers is no header.
#[tokio::test]
async fn hdr_06_smg_07_trailers_are_not_merged() {
    use crate::frames::{END_HEADERS, HEADERS, fields};
    let gateway = Gateway::start().await;
    let mut frames = Frames::connect(gateway.address).await;
    frames.ask(1, &request("POST", "/public/x", &[]), false).await;
    frames.send(frame(DATA, 0, 1, b"body")).await;
    let trailers = fields(&[("x-wx-openid", "forged"), ("x-b", "c")]);
    frames.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &trailers)).await;
    assert_eq!(frames.outcome(1).await, Outcome::Answer(200));
    let seen = gateway.upstream.only();
    assert_eq!((seen.body.as_slice(), seen.holds("forged")), (b"body".as_slice(), false));
    // A pseudo-header in a trailer is malformed (RFC 9113, 8.1); h2 drops it without a word.
    frames.ask(3, &request("POST", "/public/x", &[]), false).await;
    let trailers = fields(&[(":path", "/api/x")]);
    frames.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, &trailers)).await;
    frames.outcome(3).await;
    assert!(gateway.upstream.requests().iter().all(|seen| seen.target() == "/public/x"));
    assert_serves(&gateway).await;
}
