//! WebSockets through the gateway.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::upstream::Reply;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(gateway: &Gateway, path: &str, token: Option<&str>) -> Result<Socket, Error> {
    let mut request = format!("ws://{}{path}", gateway.address).into_client_request().unwrap();
    if let Some(token) = token {
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request.headers_mut().insert("x-wx-openid", "oFORGED".parse().unwrap());
    }
    Ok(connect_async(request).await?.0)
}

async fn assert_echoes(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
}

#[tokio::test]
async fn a_websocket_goes_through_an_authenticated_route_with_the_identity() {
    let gateway = Gateway::start().await;
    gateway.upstream.on("/api/socket", Reply::echo_messages());
    let token = gateway.log_in("alice").await;
    let mut socket = open(&gateway, "/api/socket", Some(&token)).await.unwrap();
    for text in ["one", "two", &"long".repeat(50_000)] {
        assert_echoes(&mut socket, text).await;
    }
    let seen = gateway.upstream.only();
    assert_eq!(seen.read_as("x-wx-openid"), [gateway.wechat.openid("alice")]);
    assert_eq!(seen.header("upgrade").map(str::to_lowercase).as_deref(), Some("websocket"));
    assert!(!seen.holds(&token));
    socket.close(None).await.unwrap();
}

#[tokio::test]
async fn a_websocket_without_a_token_does_not_reach_the_upstream() {
    let gateway = Gateway::start().await;
    gateway.upstream.on("/api/socket", Reply::echo_messages());
    for token in [None, Some("bad")] {
        match open(&gateway, "/api/socket", token).await {
            Err(Error::Http(answer)) => assert_eq!(answer.status().as_u16(), 401),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(gateway.upstream.connections(), 0);
}

#[tokio::test]
async fn a_silent_websocket_outlives_the_times_of_requests() {
    let config = Config::default()
        .key("limits", "body_idle = \"100ms\"\nkeepalive = \"200ms\"\nheader_timeout = \"200ms\"")
        .key("upstreams.shop", "timeout = \"200ms\"");
    let gateway = Gateway::with(config).await;
    gateway.upstream.on("/public/socket", Reply::echo_messages());
    gateway.upstream.on("/public/slow", Reply::silence());
    let mut socket = open(&gateway, "/public/socket", None).await.unwrap();
    assert_echoes(&mut socket, "before").await;
    // While it is silent, others run into each of the limits, twice.
    for _ in 0..2 {
        assert_eq!(gateway.get("/public/slow").await.status, 504);
        let mut wire = gateway.wire().await;
        wire.send("POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfirst").await;
        assert_eq!(wire.answer().await.status, 408);
        assert!(gateway.wire().await.is_closed().await);
    }
    assert_echoes(&mut socket, "after").await;
}

#[tokio::test]
async fn a_refused_websocket_is_no_tunnel() {
    let gateway = Gateway::start().await;
    gateway.upstream.on("/public/socket", Reply::with_head("HTTP/1.1 403 Forbidden\r\n", "no"));
    let mut wire = gateway.wire().await;
    wire.send(
        "GET /public/socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await;
    assert_eq!(wire.answer().await.status, 403);
    let _ = wire.try_send("GET /api/smuggled HTTP/1.1\r\nHost: a\r\n\r\n").await;
    if let Some(answer) = wire.next_answer(false).await {
        assert_eq!(answer.status, 401, "it is a request like any other");
    }
    assert_eq!(gateway.upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_101_that_nobody_asked_for_is_no_tunnel() {
    let gateway = Gateway::start().await;
    let switched =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    gateway.upstream.on("/public/x", Reply::bytes(switched).then_close());
    let mut wire = gateway.wire().await;
    wire.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    if let Some(answer) = wire.next_answer(false).await {
        assert_eq!(answer.status, 502, "{answer:?}");
    }
    assert!(wire.is_closed().await);
}
