//! The token inside of the upstream's own JSON.

use super::{JSON, config, json_reply};
use crate::raw::Answer;
use crate::support::gateway::Gateway;
use crate::upstream::{Gate, Reply};

const AT: &str = r#", token_at = "/data/token""#;

async fn enter(gateway: &Gateway) -> Answer {
    let code = gateway.wechat.code("alice");
    gateway.get(&format!("/enter?code={code}")).header("accept-encoding", "gzip, br").await
}

fn token_of(answer: &Answer) -> String {
    answer.header("x-session-token").unwrap_or_else(|| panic!("no token: {answer:?}")).to_owned()
}

#[tokio::test]
async fn the_token_is_put_at_its_pointer_whatever_the_framing() {
    let gateway = Gateway::with(config(AT)).await;
    let typed = "Content-Type: application/json; charset=utf-8\r\n";
    for (what, reply) in [
        ("a length", json_reply(r#"{"code":0,"data":{"id":7}}"#)),
        (
            "chunks",
            Reply::bytes(format!("HTTP/1.1 200 OK\r\n{typed}Transfer-Encoding: chunked\r\n\r\n"))
                .then("9\r\n{\"code\":0\r\n")
                .then("11\r\n,\"data\":{\"id\":7}}\r\n0\r\n\r\n"),
        ),
        (
            "HTTP/1.0",
            Reply::bytes(format!("HTTP/1.0 200 OK\r\n{typed}\r\n"))
                .then(r#"{"code":0,"data":{"id":7}}"#)
                .then_close(),
        ),
        (
            "the end of the connection",
            Reply::bytes(format!("HTTP/1.1 200 OK\r\n{typed}Connection: close\r\n\r\n"))
                .then(r#"{"code":0,"data":{"id":7}}"#)
                .then_close(),
        ),
        (
            "a problem-like type",
            Reply::with_head(
                "HTTP/1.1 201 Created\r\nContent-Type: application/vnd.shop+JSON\r\n",
                r#"{"code":0,"data":{"id":7}}"#,
            ),
        ),
    ] {
        gateway.upstream.on("/enter", reply);
        for http2 in [false, true] {
            let code = gateway.wechat.code("alice");
            let path = format!("/enter?code={code}");
            let answer = match http2 {
                false => gateway.get(&path).await,
                true => gateway.request_by_http2(reqwest::Method::GET, &path).await,
            };
            let token = token_of(&answer);
            let expected = format!(r#"{{"code":0,"data":{{"id":7,"token":"{token}"}}}}"#);
            assert_eq!((answer.text(), answer.whole), (expected, true), "{what}, HTTP/2 {http2}");
            assert_eq!(gateway.get("/api/x").token(&token).await.status, 200, "{what}");
        }
    }
}

#[tokio::test]
async fn the_connection_goes_on_after_a_rewritten_answer() {
    let gateway = Gateway::with(config(AT)).await;
    gateway.upstream.on("/enter", json_reply(r#"{"data":{}}"#));
    let mut wire = gateway.wire().await;
    for _ in 0..3 {
        let code = gateway.wechat.code("alice");
        wire.send(format!("GET /enter?code={code} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let answer = wire.answer().await;
        assert!(answer.whole && answer.json()["data"]["token"].is_string());
        wire.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(wire.answer().await.text(), "hello from the upstream");
    }
    assert_eq!(gateway.upstream.connections(), 1);
}

#[tokio::test]
async fn chunks_go_out_in_http_1_1_where_the_upstream_speaks_1_0() {
    let gateway = Gateway::with(config(AT)).await;
    let head = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n";
    gateway.upstream.on("/enter", Reply::bytes(head).then(r#"{"data":{}}"#).then_close());
    let code = gateway.wechat.code("alice");
    let mut wire = gateway.wire().await;
    wire.send(format!("GET /enter?code={code} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    assert_eq!(String::from_utf8_lossy(&wire.bytes(12).await), "HTTP/1.1 200");
}

#[tokio::test]
async fn an_old_client_gets_the_token_too() {
    let gateway = Gateway::with(config(AT)).await;
    gateway.upstream.on("/enter", json_reply(r#"{"data":{}}"#));
    let code = gateway.wechat.code("alice");
    let mut wire = gateway.wire().await;
    wire.send(format!("GET /enter?code={code} HTTP/1.0\r\nHost: a\r\n\r\n")).await;
    let answer = wire.answer().await;
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(answer.json()["data"]["token"], token_of(&answer));
}

#[tokio::test]
async fn the_upstream_is_not_asked_for_a_compressed_answer() {
    let gateway = Gateway::with(config(AT)).await;
    enter(&gateway).await;
    assert_eq!(gateway.upstream.last().header("accept-encoding"), None);
    let plain = Gateway::with(config("")).await;
    enter(&plain).await;
    assert_eq!(plain.upstream.last().header("accept-encoding"), Some("gzip, br"));
}

#[tokio::test]
async fn what_cannot_hold_a_token_passes_as_it_is_with_the_token_in_the_header() {
    let gateway = Gateway::with(config(AT)).await;
    let large = format!(r#"{{"data":{{}},"x":"{}"}}"#, "x".repeat(1 << 20));
    for (what, head, body) in [
        ("no JSON type", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", r#"{"data":{}}"#),
        ("no type", "HTTP/1.1 200 OK\r\n", r#"{"data":{}}"#),
        ("no JSON", JSON, "<html>"),
        ("nothing", JSON, ""),
        ("no place", JSON, r#"{"data":1}"#),
        ("an array", JSON, r#"[1]"#),
        ("large", JSON, &large),
    ] {
        gateway.upstream.on("/enter", Reply::with_head(head, body));
        let answer = enter(&gateway).await;
        assert_eq!(
            (answer.status, answer.whole, answer.text() == body),
            (200, true, true),
            "{what}"
        );
        assert_eq!(gateway.get("/api/x").token(&token_of(&answer)).await.status, 200, "{what}");
    }
}

#[tokio::test]
async fn an_answer_without_a_body_keeps_having_none() {
    let gateway = Gateway::with(config(AT)).await;
    let typed = "Content-Type: application/json\r\n";
    gateway.upstream.on("/enter", Reply::bytes(format!("HTTP/1.1 204 No Content\r\n{typed}\r\n")));
    let mut wire = gateway.wire().await;
    let code = gateway.wechat.code("alice");
    wire.send(format!("GET /enter?code={code} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, answer.header("transfer-encoding")), (204, None), "{answer:?}");
    token_of(&answer);
    wire.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(wire.answer().await.text(), "hello from the upstream");

    gateway.upstream.on("/enter", json_reply(r#"{"data":{}}"#));
    let code = gateway.wechat.code("alice");
    wire.send(format!("HEAD /enter?code={code} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    let answer = wire.answer_to_head().await;
    assert_eq!(answer.status, 200);
    wire.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(wire.answer().await.text(), "hello from the upstream");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_seen_to_break() {
    let gateway = Gateway::with(config(AT)).await;
    let head = format!("{JSON}Content-Length: 100\r\n\r\n");
    gateway.upstream.on("/enter", Reply::bytes(head).then(r#"{"data":{}"#).then_close());
    let code = gateway.wechat.code("alice");
    let mut wire = gateway.wire().await;
    wire.send(format!("GET /enter?code={code} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    if let Some(answer) = wire.next_answer(false).await {
        assert!(!answer.whole || answer.status == 502, "{answer:?} {}", answer.text());
    }
}

#[tokio::test]
async fn a_slow_answer_is_put_together() {
    let gateway = Gateway::with(config(AT)).await;
    let gate = Gate::closed();
    let head = format!("{JSON}Content-Length: 11\r\n\r\n");
    gateway
        .upstream
        .on("/enter", Reply::bytes(head).then(r#"{"data"#).then_wait_for(&gate).then(r#"":{}}"#));
    let code = gateway.wechat.code("alice");
    let answer = gateway.get(&format!("/enter?code={code}")).head().await;
    assert_eq!(answer.status(), 200);
    gate.open();
    let body: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert!(body["data"]["token"].is_string());
}
