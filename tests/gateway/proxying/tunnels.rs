//! WebSockets and answers without an end through the gateway.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use wxgate::app::Ended;

use crate::raw::PATIENCE;
use crate::support::config::Config;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::upstream::{Gate, Reply};

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

/// Waits for the end of a silent socket, and gives how long it took.
async fn ended(socket: &mut Socket) -> Duration {
    let begun = Instant::now();
    let end = timeout(PATIENCE, socket.next()).await.expect("it ends");
    assert!(matches!(end, None | Some(Err(_))), "{end:?}");
    begun.elapsed()
}

/// A WebSocket of this user, on which nothing is sent any more.
async fn silent(gateway: &Gateway, token: &str) -> Socket {
    gateway.upstream.on("/api/socket", Reply::echo_messages());
    lasting(gateway, "/api/socket", token).await
}

/// A WebSocket that has come to stay.
async fn lasting(gateway: &Gateway, path: &str, token: &str) -> Socket {
    let mut socket = open(gateway, path, Some(token)).await.unwrap();
    assert_echoes(&mut socket, "hello").await;
    socket
}

#[tokio::test]
async fn a_silent_websocket_ends_with_its_session_and_no_other_does() {
    let gateway = Gateway::start().await;
    let (alice, bob) = (gateway.log_in("alice").await, gateway.log_in("bob").await);
    let other_device = gateway.log_in("alice").await;
    let mut ending = silent(&gateway, &alice).await;
    let mut others = [silent(&gateway, &other_device).await, silent(&gateway, &bob).await];
    gateway.upstream.on("/public/socket", Reply::echo_messages());
    let mut public = lasting(&gateway, "/public/socket", &alice).await;
    assert_eq!(gateway.post("/logout").token(&alice).await.status, 204);
    // A second, and what a busy machine takes.
    assert!(ended(&mut ending).await < Duration::from_secs(3));
    for socket in others.iter_mut().chain([&mut public]) {
        assert_echoes(socket, "still here").await;
    }
    assert_eq!(open(&gateway, "/api/socket", Some(&bob)).await.map(drop).ok(), Some(()));
}

#[tokio::test]
async fn a_websocket_ends_when_the_lifetime_of_its_session_does() {
    let config = Config::default().key("session", "idle = \"1h\"\nlifetime = \"1h\"");
    let gateway = Gateway::with(config).await;
    let token = gateway.log_in("alice").await;
    let mut socket = silent(&gateway, &token).await;
    gateway.clock.advance(Duration::from_secs(3601));
    ended(&mut socket).await;
}

#[tokio::test]
async fn a_websocket_ends_when_the_signature_is_all_that_counts_and_the_token_ends() {
    let config =
        Config::default().key("session", "revocation = \"none\"\nidle = \"1h\"\nlifetime = \"1h\"");
    let gateway = Gateway::with(config).await;
    let token = gateway.log_in("alice").await;
    let mut socket = silent(&gateway, &token).await;
    gateway.clock.advance(Duration::from_secs(3601));
    ended(&mut socket).await;
}

#[tokio::test]
async fn a_websocket_lives_through_a_refresh_of_its_token() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    let mut socket = silent(&gateway, &token).await;
    assert_eq!(gateway.post("/refresh").token(&token).await.status, 200);
    gateway.clock.advance(Duration::from_secs(120));
    assert_eq!(gateway.get("/api/x").token(&token).await.status, 401, "the old token has ended");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_echoes(&mut socket, "still here").await;
}

#[tokio::test]
async fn a_websocket_lives_through_the_drain_and_is_closed_at_its_end() {
    let config = Config::default().key("server", "drain = \"1s\"");
    let gateway = Gateway::with(config).await;
    let token = gateway.log_in("alice").await;
    let mut socket = silent(&gateway, &token).await;
    let Gateway { app, address, .. } = gateway;
    let stopping = tokio::spawn(app.stop(false));
    eventually("connections are refused", async || TcpStream::connect(address).await.is_err())
        .await;
    assert_echoes(&mut socket, "still here").await;
    ended(&mut socket).await;
    assert_eq!(stopping.await.unwrap(), Ended::CutOff(1));
}

const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                      Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n";

#[tokio::test]
async fn server_sent_events_go_through_as_they_come_and_end_with_the_session() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    let (second, third) = (Gate::closed(), Gate::closed());
    let events = Reply::bytes(EVENTS)
        .then_wait_for(&second)
        .then("9\r\ndata: 2\n\n\r\n")
        .then_wait_for(&third)
        .then("9\r\ndata: 3\n\n\r\n")
        .then_hang();
    gateway.upstream.on("/api/events", events);
    let mut http1 = gateway.get("/api/events").token(&token).head().await;
    let by_http2 = gateway.request_by_http2(reqwest::Method::GET, "/api/events");
    let mut http2 = by_http2.token(&token).head().await;
    for response in [&mut http1, &mut http2] {
        assert_eq!(response.chunk().await.unwrap().unwrap(), "data: 1\n\n");
    }
    second.open();
    for response in [&mut http1, &mut http2] {
        assert_eq!(response.chunk().await.unwrap().unwrap(), "data: 2\n\n");
    }
    assert_eq!(gateway.post("/logout").token(&token).await.status, 204);
    // The connection of HTTP/1.1 is the stream's own, and closed though nothing comes.
    let end = timeout(PATIENCE, http1.chunk()).await.expect("it ends");
    assert!(end.is_err(), "a break and no end: {end:?}");
    // A connection of HTTP/2 may have other streams; this one gets nothing more.
    third.open();
    let end = timeout(PATIENCE, http2.chunk()).await.expect("it ends");
    assert!(end.is_err(), "a break and no end: {end:?}");
    let other = gateway.request_by_http2(reqwest::Method::GET, "/public/x").await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn a_download_goes_on_when_its_session_ends() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    let (half, rest) = ("half".repeat(10_000), Gate::closed());
    let head = "HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 80000\r\n\r\n";
    let film = Reply::bytes(format!("{head}{half}")).then_wait_for(&rest).then(half);
    gateway.upstream.on("/api/film", film);
    let mut film = gateway.get("/api/film").token(&token).head().await;
    let mut length = film.chunk().await.unwrap().unwrap().len();
    assert_eq!(gateway.post("/logout").token(&token).await.status, 204);
    tokio::time::sleep(Duration::from_secs(1)).await;
    rest.open();
    while let Some(chunk) = film.chunk().await.unwrap() {
        length += chunk.len();
    }
    assert_eq!(length, 80_000);
}
