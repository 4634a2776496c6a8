//! What a client may send, and how slowly.

use crate::raw::Wire;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::upstream::{Gate, Reply};

#[tokio::test]
async fn a_declared_body_over_the_limit_is_a_413_before_it_is_read() {
    let config = Config::default()
        .key("limits", "body_size = \"1KiB\"")
        .route(r#"path = "/large", upstream = "shop", auth = "none", body_size = "2KiB""#);
    let gateway = Gateway::with(config).await;
    for (path, length, status) in [
        ("/public/x", 1024, 200),
        ("/public/x", 1025, 413),
        ("/large", 2048, 200),
        ("/large", 2049, 413),
    ] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let mut wire = gateway.wire().await;
        wire.send(&head).await;
        if status == 200 {
            wire.send("x".repeat(length)).await;
        }
        let answer = wire.answer().await;
        assert_eq!(answer.status, status, "{head}");
    }
    assert_eq!(gateway.upstream.requests().len(), 2);
}

#[tokio::test]
async fn a_streamed_body_over_the_limit_is_a_413_and_does_not_arrive_whole() {
    let gateway = Gateway::with(Config::default().key("limits", "body_size = \"1KiB\"")).await;
    let head = "POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("200\r\n{}\r\n", "x".repeat(512));
    let mut wire = gateway.wire().await;
    wire.send(format!("{head}{chunk}{chunk}0\r\n\r\n")).await;
    assert_eq!(wire.answer().await.status, 200);
    let mut wire = gateway.wire().await;
    wire.send(format!("{head}{chunk}{chunk}1\r\nx\r\n0\r\n\r\n")).await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    let over: Vec<_> = gateway.upstream.requests().split_off(1);
    assert!(over.iter().all(|seen| !seen.whole), "{over:#?}");
}

/// The client sends on: it must be able to read the answer all the same, and not meet a reset.
#[tokio::test]
async fn a_client_that_sends_a_large_body_can_read_its_refusal() {
    let gateway = Gateway::start().await;
    let body = vec![b'x'; 3 << 20];
    for (path, status) in [("/api/x", 401), ("/unknown", 404), ("/wxLogin", 413)] {
        for _ in 0..5 {
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let mut wire = gateway.wire().await;
            wire.send(&head).await;
            // It may be closed before all of it is sent.
            let _ = wire.try_send(&body).await;
            let answer = wire.next_answer(false).await;
            let answer = answer.unwrap_or_else(|| panic!("{path}: the answer was lost"));
            assert_eq!(answer.status, status, "{path}");
            assert!(answer.whole);
        }
    }
}

/// Bytes that meet a closed socket are answered by a reset, and a reset may take the answer with it.
#[tokio::test]
async fn a_client_that_was_refused_may_go_on_sending_for_a_moment() {
    let gateway = Gateway::start().await;
    let large = "POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n";
    let malformed = "POST /public/x HTTP/1.1\r\nHost: a b\r\nContent-Length: 20000000\r\n\r\n";
    for (head, status) in [(large, 413), (malformed, 400)] {
        let mut wire = gateway.wire().await;
        wire.send(head).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")));
        for part in 0..16 {
            let sent = wire.try_send(vec![b'x'; 64 << 10]).await;
            assert!(sent.is_ok(), "{status}: {sent:?} at part {part}");
        }
        assert!(wire.is_closed().await);
    }
}

#[tokio::test]
async fn a_long_target_is_a_414() {
    let gateway = Gateway::start().await;
    for length in [8 << 10, 9 << 10, 32 << 10, 100 << 10, 1 << 20] {
        let target = format!("/public/{}", "a".repeat(length));
        let mut wire = gateway.wire().await;
        let _ = wire.try_send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let answer = wire.next_answer(false).await;
        let answer = answer.unwrap_or_else(|| panic!("{length}: the answer was lost"));
        assert_eq!((answer.status, answer.code().as_str()), (414, "uri_too_long"), "{length}");
    }
    let fits = format!("/public/{}", "a".repeat((8 << 10) - 8));
    assert_eq!(gateway.get(&fits).await.status, 200);
    assert_eq!(gateway.upstream.only().target(), fits);
}

#[tokio::test]
async fn large_or_many_headers_are_a_431() {
    let gateway = Gateway::start().await;
    for lines in [
        format!("X: {}\r\n", "a".repeat(32 << 10)),
        format!("X: {}\r\n", "a".repeat(1 << 20)),
        "X: a\r\n".repeat(101),
        "X: a\r\n".repeat(100_000),
    ] {
        for path in ["/public/x", "/api/x", "/session", "/unknown"] {
            let mut wire = gateway.wire().await;
            let _ = wire.try_send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).await;
            let answer = wire.next_answer(false).await.expect("an answer");
            assert_eq!((answer.status, answer.code().as_str()), (431, "headers_too_large"));
        }
    }
    assert_eq!(gateway.upstream.requests().len(), 0);
    let many = format!("GET /public/x HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: a\r\n".repeat(99));
    assert_eq!(Wire::ask(gateway.address, many).await.status, 200);
}

#[tokio::test]
async fn a_head_that_comes_too_slowly_is_a_408() {
    let gateway =
        Gateway::with(Config::default().key("limits", "header_timeout = \"300ms\"")).await;
    let mut wire = gateway.wire().await;
    wire.send("GET /public/x HTTP/1.1\r\nHost: a\r\n").await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "request_timeout"));
    assert!(wire.is_closed().await);
    // Each byte is in time, and all of it is not; also for the second request of a connection.
    let mut wire = gateway.wire().await;
    wire.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(wire.answer().await.status, 200);
    let drip = async |wire: &mut Wire| {
        for byte in format!("GET /public/x HTTP/1.1\r\nX: {}", "a".repeat(1000)).bytes() {
            if wire.try_send([byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(2), drip(&mut wire)).await.ok();
    let answer = wire.next_answer(false).await;
    assert!(answer.is_none_or(|answer| answer.status == 408));
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let config = Config::default().key("limits", "keepalive = \"1s\"\nheader_timeout = \"300ms\"");
    let gateway = Gateway::with(config).await;
    let mut fresh = gateway.wire().await;
    let mut used = gateway.wire().await;
    used.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(used.answer().await.status, 200);
    assert!(fresh.is_closed().await, "it never sent a byte");
    // The other one is kept for longer.
    used.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(used.answer().await.status, 200);
    assert!(used.is_closed().await, "it was idle");
}

#[tokio::test]
async fn a_body_that_stops_coming_is_a_408() {
    let gateway = Gateway::with(Config::default().key("limits", "body_idle = \"300ms\"")).await;
    for path in ["/public/x", "/wxLogin"] {
        let mut wire = gateway.wire().await;
        wire.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\nfirst"
        ))
        .await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (408, "request_timeout"), "{path}");
        assert!(wire.is_closed().await);
    }
}

/// slowhttptest -B: a byte now and then, each before the next is overdue.
#[tokio::test]
async fn dos_02_a_body_that_comes_byte_by_byte_is_a_408() {
    let limits = "body_idle = \"500ms\"";
    let gateway = Gateway::with(Config::default().key("limits", limits)).await;
    for framing in ["Content-Length: 100000", "Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut wire = gateway.wire().await;
        wire.send(format!("POST /public/x HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n")).await;
        let dripping = async {
            let part = if framing.contains("chunked") { "1\r\nx\r\n" } else { "x" };
            while wire.try_send(part).await.is_ok() {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                if gateway.upstream.requests().iter().any(|seen| seen.whole) {
                    break;
                }
            }
            wire.next_answer(false).await
        };
        let answer = dripping.await;
        assert!(answer.is_none_or(|answer| answer.status == 408), "{framing}");
        assert!(gateway.upstream.requests().iter().all(|seen| !seen.whole), "{framing}");
    }
    assert_eq!(gateway.get("/public/after").await.status, 200);
}

#[tokio::test]
async fn a_slow_answer_is_no_slow_body() {
    let config = Config::default().key("limits", "body_idle = \"200ms\"");
    let gateway = Gateway::with(config).await;
    let gate = Gate::closed();
    gateway.upstream.on("/public/slow", Reply::ok("late").once(&gate));
    let mut waiting = gateway.wire().await;
    waiting.send("POST /public/slow HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody").await;
    gateway.upstream.until(|seen| seen.first().is_some_and(|it| it.whole)).await;
    // Another client runs into the limit; by then the first has waited for longer.
    for _ in 0..2 {
        let mut slow = gateway.wire().await;
        slow.send("POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfirst").await;
        assert_eq!(slow.answer().await.status, 408);
    }
    gate.open();
    assert_eq!(waiting.answer().await.text(), "late");
}

#[tokio::test]
async fn an_upload_may_pause_for_longer_than_the_upstream_may_for_its_answer() {
    let gateway =
        Gateway::with(Config::default().key("upstreams.shop", "timeout = \"200ms\"")).await;
    gateway.upstream.on("/public/silent", Reply::silence());
    let small = ["Content-Length: 9\r\n\r\n", "one", "two", "end"];
    let large = "x".repeat(70_000);
    let of_a_length = ["Content-Length: 70006\r\n\r\n", "one", &large, "end"];
    let chunked = [
        "Transfer-Encoding: chunked\r\n\r\n",
        "3\r\none\r\n",
        "3\r\ntwo\r\n",
        "3\r\nend\r\n0\r\n\r\n",
    ];
    for upload in [small, of_a_length, chunked] {
        let mut wire = gateway.wire().await;
        wire.send("POST /public/x HTTP/1.1\r\nHost: a\r\n").await;
        for part in upload {
            // Another request runs into the upstream's timeout meanwhile.
            assert_eq!(gateway.get("/public/silent").await.status, 504);
            wire.send(part).await;
        }
        assert_eq!(wire.answer().await.status, 200);
        let mut uploads =
            gateway.upstream.requests().into_iter().filter(|it| it.target() == "/public/x");
        let seen = uploads.next_back().unwrap();
        assert!(seen.whole && seen.body.starts_with(b"one") && seen.body.ends_with(b"end"));
    }
}

/// Small bodies, which most are, do not give an upstream more time.
#[tokio::test]
async fn a_silent_upstream_has_its_timeout_and_no_more_after_a_body() {
    let config = Config::default()
        .key("upstreams.shop", "timeout = \"200ms\"")
        .key("limits", "body_idle = \"60s\"");
    let gateway = Gateway::with(config).await;
    gateway.upstream.on("/public/silent", Reply::silence());
    let answer = gateway.post("/public/silent").body("a small body").await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "upstream_timeout"));
    assert_eq!(gateway.upstream.only().body, b"a small body");
    let by_http2 = gateway.request_by_http2(reqwest::Method::POST, "/public/silent");
    assert_eq!(by_http2.body("another").await.status, 504);
}

#[tokio::test]
async fn connections_over_the_limit_are_closed() {
    let gateway = Gateway::with(Config::default().key("limits", "connections = 2")).await;
    let get = "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n";
    let (mut one, mut other) = (gateway.wire().await, gateway.wire().await);
    for wire in [&mut one, &mut other] {
        wire.send(get).await;
        assert_eq!(wire.answer().await.status, 200);
    }
    let mut third = gateway.wire().await;
    let _ = third.try_send(get).await;
    assert!(third.next_answer(false).await.is_none());
    drop(one);
    crate::support::eventually("there is room again", async || {
        let mut wire = gateway.wire().await;
        let _ = wire.try_send(get).await;
        wire.next_answer(false).await.is_some_and(|answer| answer.status == 200)
    })
    .await;
}
