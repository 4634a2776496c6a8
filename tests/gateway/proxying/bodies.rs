//! Bodies both ways, as they come.

use futures_util::StreamExt;
use reqwest::Method;

use crate::raw::Wire;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::upstream::{Gate, Reply};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn an_answer_arrives_as_it_is_made() {
    let gateway = Gateway::start().await;
    let gate = Gate::closed();
    let reply = Reply::bytes(format!("{CHUNKED}5\r\nfirst\r\n")).then_wait_for(&gate);
    gateway.upstream.on("/public/x", reply.then("4\r\nlast\r\n0\r\n\r\n"));
    let mut wire = gateway.wire().await;
    wire.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(wire.bytes(1).await);
    }
    assert_eq!(wire.chunk().await.as_deref(), Some(b"first".as_slice()));
    gate.open();
    assert_eq!(wire.chunk().await.as_deref(), Some(b"last".as_slice()));
    assert_eq!(wire.chunk().await.as_deref(), Some(b"".as_slice()));
}

#[tokio::test]
async fn a_body_goes_up_as_it_comes() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    let mut wire = gateway.wire().await;
    wire.send(format!(
        "POST /api/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
         Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
    ))
    .await;
    gateway.upstream.until(|seen| seen.first().is_some_and(|it| it.body == b"first")).await;
    assert!(!gateway.upstream.only().whole);
    wire.send("4\r\nlast\r\n0\r\n\r\n").await;
    assert_eq!(wire.answer().await.status, 200);
    let seen = gateway.upstream.only();
    assert_eq!((seen.body.as_slice(), seen.whole), (b"firstlast".as_slice(), true));
}

#[tokio::test]
async fn an_upstream_may_answer_before_the_body_has_come() {
    let gateway = Gateway::start().await;
    gateway.upstream.on("/public/x", Reply::ok("early").before_the_body());
    let mut wire = gateway.wire().await;
    wire.send("POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfirst").await;
    assert_eq!(wire.answer().await.text(), "early");
}

#[tokio::test]
async fn large_bodies_arrive_whole_both_ways() {
    let gateway = Gateway::start().await;
    let large: Vec<u8> = (0..5_000_000_u32).map(|number| (number % 251) as u8).collect();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", large.len());
    gateway.upstream.on("/public/x", Reply::bytes([head.as_bytes(), &large].concat()));
    for request in [
        gateway.post("/public/x").body(large.clone()),
        gateway.request_by_http2(Method::POST, "/public/x").body(large.clone()),
    ] {
        let answer = request.await;
        assert!(answer.status == 200 && answer.whole);
        assert!(answer.body == large, "{} bytes came back", answer.body.len());
        assert!(gateway.upstream.last().body == large, "{}", gateway.upstream.last().body.len());
    }
}

#[tokio::test]
async fn a_streamed_answer_reaches_http2_as_it_is_made() {
    let gateway = Gateway::start().await;
    let gate = Gate::closed();
    let reply = Reply::bytes(format!("{CHUNKED}5\r\nfirst\r\n")).then_wait_for(&gate);
    gateway.upstream.on("/public/x", reply.then("4\r\nlast\r\n0\r\n\r\n"));
    let response = gateway.request_by_http2(Method::GET, "/public/x").head().await;
    let mut chunks = futures_util::stream::unfold(response, async |mut response| {
        let chunk = response.chunk().await.unwrap()?;
        Some((chunk, response))
    })
    .boxed_local();
    assert_eq!(chunks.next().await.unwrap(), "first");
    gate.open();
    assert_eq!(chunks.next().await.unwrap(), "last");
    // An empty one may come last, which ends the stream.
    assert!(chunks.all(async |chunk| chunk.is_empty()).await);
}

#[tokio::test]
async fn a_head_request_has_the_head_and_no_body() {
    let gateway = Gateway::start().await;
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nX-Own: kept\r\n\r\n";
    gateway.upstream.on("/public/x", Reply::bytes(head));
    let mut wire = gateway.wire().await;
    for (path, status) in
        [("/public/x", 200), ("/unknown", 404), ("/api/x", 401), ("/public/x", 200)]
    {
        wire.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let answer = wire.answer_to_head().await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.header("content-length").is_some());
    }
    assert_eq!(gateway.upstream.requests().len(), 2);
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_told_to_go_on() {
    let gateway = Gateway::start().await;
    let code = gateway.wechat.code("alice");
    let body = format!("code={code}");
    let mut wire = gateway.wire().await;
    wire.send(format!(
        "POST /wxLogin HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ))
    .await;
    assert_eq!(wire.answer().await.status, 100);
    wire.send(&body).await;
    assert_eq!(wire.answer().await.status, 200);

    let told = Reply::bytes("HTTP/1.1 100 Continue\r\n\r\n").before_the_body();
    let gate = Gate::closed();
    let then = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";
    gateway.upstream.on("/public/x", told.then_wait_for(&gate).then(then));
    let mut wire = gateway.wire().await;
    wire.send(
        "POST /public/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
    )
    .await;
    assert_eq!(wire.answer().await.status, 100);
    wire.send("body").await;
    gate.open();
    assert_eq!(wire.answer().await.text(), "done");
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_refused_before_it_sends() {
    let gateway = Gateway::with(Config::default().key("limits", "body_size = \"1KiB\"")).await;
    for (path, length, status) in
        [("/api/x", 4, 401), ("/public/x", 4096, 413), ("/unknown", 4, 404)]
    {
        let mut wire = gateway.wire().await;
        wire.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        ))
        .await;
        assert_eq!(wire.answer().await.status, status, "{path}");
    }
    assert_eq!(gateway.upstream.connections(), 0);
}

/// The answer to the first request comes before its body was read; what is left of the body must be
/// read as nothing else (SMG-06).
#[tokio::test]
async fn a_body_that_nobody_read_is_never_the_next_request() {
    let gateway = Gateway::start().await;
    let smuggled = "GET /public/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let next = "GET /public/next HTTP/1.1\r\nHost: a\r\n\r\n";
    for (path, status) in [("/api/x", 401), ("/unknown", 404), ("/session", 401), ("/logout", 401)]
    {
        let length = smuggled.len();
        let request =
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let mut wire = gateway.wire().await;
        wire.send(&request).await;
        assert_eq!(wire.answer().await.status, status);
        // An error means that the gateway has closed by now, which is as good.
        if wire.try_send(format!("{smuggled}{next}")).await.is_ok()
            && let Some(answer) = wire.next_answer(false).await
        {
            assert_eq!(answer.status, 200, "{path}");
        }
    }
    for seen in gateway.upstream.requests() {
        assert_eq!(seen.target(), "/public/next");
    }
}

#[tokio::test]
async fn requests_that_come_at_once_are_answered_in_order_or_not_at_all() {
    let gateway = Gateway::start().await;
    for number in 0..3 {
        let path = format!("/public/{number}");
        gateway.upstream.on(&path, Reply::ok(&number.to_string()));
    }
    let mut wire = gateway.wire().await;
    let request = |number: usize| format!("GET /public/{number} HTTP/1.1\r\nHost: a\r\n\r\n");
    wire.send((0..3).map(request).collect::<String>()).await;
    assert_eq!(wire.answer().await.text(), "0");
    for number in 1..3 {
        let Some(answer) = wire.next_answer(false).await else { break };
        assert_eq!(answer.text(), number.to_string());
    }
    let old = Wire::ask(gateway.address, "GET /public/1 HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert_eq!((old.status, old.text().as_str()), (200, "1"));
}
