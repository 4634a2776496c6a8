//! A WebSocket through to servers of each kind, and what becomes of a connection that was made for one.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::certificates::Authority;
use crate::support::gateway::{Gateway, file};
use crate::support::http2::Http2Server;
use crate::support::server::{Seen, Server, Step, answer, bytes, socket};

const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// What the client asks for a tunnel with, and more of its head.
fn handshake(more: &str) -> String {
    format!(
        "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// Switches, and answers what comes through the tunnel.
fn through(seen: &Seen) -> Vec<Step> {
    match seen.target() {
        "/socket" => bytes(SWITCHED),
        inside => [bytes(&format!("{inside} came through")), vec![Step::Close]].concat(),
    }
}

async fn assert_goes_through(gateway: &Gateway) {
    let mut wire = gateway.wire().await;
    wire.send(&handshake("")).await;
    assert!(wire.until("\r\n\r\n").await.starts_with("HTTP/1.1 101 "));
    wire.send("GET /inside HTTP/1.1\r\n\r\n").await;
    assert_eq!(wire.all().await, "/inside came through");
}

#[tokio::test]
async fn a_websocket_goes_through_to_a_server_of_http() {
    let server = Server::start("plain").await;
    server.answers(through);
    assert_goes_through(&Gateway::before(&[server.url()], "").await).await;
}

#[tokio::test]
async fn a_websocket_goes_through_to_a_server_of_https() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    authority.write(&folder.path().join("ca.crt"));
    let server = Server::tls("secure", authority.server("localhost", None)).await;
    server.answers(through);
    let url = format!("https://localhost:{}", server.address.port());
    let file = file(&[url], "tls = { ca = \"ca.crt\" }", "");
    assert_goes_through(&Gateway::reading(&file, folder.path()).await).await;
}

#[tokio::test]
async fn a_websocket_goes_through_to_a_server_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = socket(&folder);
    let (record, _accepting) = Server::unix("socket", &path);
    record.answers(std::sync::Arc::new(through));
    assert_goes_through(&Gateway::before(&[format!("unix:{}", path.display())], "").await).await;
}

#[tokio::test]
async fn a_handshake_with_a_body_is_answered() {
    let server = Server::start("plain").await;
    server.answers(|_| answer(403, "no"));
    let gateway = Gateway::before(&[server.url()], "").await;
    for more in ["Content-Length: 4\r\n", "Content-Length: 0\r\n"] {
        let mut wire = gateway.wire().await;
        wire.send(&handshake(more)).await;
        if more.contains('4') {
            wire.send("body").await;
        }
        assert!(wire.until("\r\n\r\nno").await.starts_with("HTTP/1.1 403 "), "{more}");
    }
    assert_eq!(server.seen()[0].body, "body");
}

/// The time of the route, for servers that say nothing and half a head.
#[tokio::test]
async fn a_handshake_is_answered_in_time_or_it_is_504() {
    let route =
        "[[routes]]\npath = \"/socket\"\nupstream = \"shop\"\nauth = \"none\"\ntimeout = \"700ms\"";
    for begun in ["", "HTTP/1.1 101 Switch"] {
        let server = Server::start("silent").await;
        server.answers(move |_| [bytes(begun), vec![Step::Hang]].concat());
        let gateway = Gateway::with(&[server.url()], "timeout = \"10s\"", route).await;
        let (started, mut wire) = (Instant::now(), gateway.wire().await);
        wire.send(&handshake("")).await;
        let answer = wire.until("}").await;
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
        assert!(answer.contains("upstream_timeout"), "{answer}");
        assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
        assert_eq!(server.seen().len(), 1, "it is not asked again");
    }
}

#[tokio::test]
async fn a_tunnel_may_be_silent_for_longer_than_its_answer_may_take() {
    let server = Server::start("quiet").await;
    server.answers(|seen| match seen.target() {
        "/socket" => {
            let late = vec![Step::Wait(Duration::from_millis(900)), Step::Send(b"late".to_vec())];
            [bytes(SWITCHED), late, vec![Step::Close]].concat()
        }
        _ => answer(200, "no tunnel"),
    });
    let gateway = Gateway::before(&[server.url()], "timeout = \"300ms\"").await;
    let mut wire = gateway.wire().await;
    wire.send(&handshake("")).await;
    assert!(wire.until("\r\n\r\n").await.starts_with("HTTP/1.1 101 "));
    assert_eq!(wire.all().await, "late");
}

/// It was made in a way that others are not, and a request that follows is none of a tunnel.
#[tokio::test]
async fn the_connection_of_a_refused_tunnel_serves_nothing_else() {
    let server = Server::start("plain").await;
    server.answers(|_| answer(403, "no"));
    let gateway = Gateway::before(&[server.url()], "").await;
    for _ in 0..3 {
        let mut wire = gateway.wire().await;
        wire.send(&handshake("")).await;
        wire.until("\r\n\r\nno").await;
        assert_eq!(gateway.get("/").await.status, 403);
    }
    let seen = server.seen();
    let of = |target: &str| seen.iter().filter(|seen| seen.target() == target).collect::<Vec<_>>();
    assert!(of("/socket").iter().all(|seen| seen.nth == 1), "{seen:?}");
    let first = of("/")[0].connection;
    assert!(of("/").iter().all(|seen| seen.connection == first), "{seen:?}");
}

/// What was asked for makes no tunnel: an answer that is none breaks off like any other.
#[tokio::test]
async fn an_answer_that_refuses_a_tunnel_comes_in_time_or_breaks_off() {
    let server = Server::start("stalling").await;
    let part = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart";
    server.answers(move |_| [bytes(part), vec![Step::Hang]].concat());
    let gateway = Gateway::before(&[server.url()], "timeout = \"300ms\"").await;
    let mut wire = gateway.wire().await;
    wire.send(&handshake("")).await;
    let answer = wire.all().await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\npart"), "{answer}");
}

/// Nobody reads on, at neither end: without a bound it would stay for ever.
#[tokio::test]
async fn a_tunnel_whose_server_takes_nothing_ends() {
    let server = Server::start("deaf").await;
    server.answers(|_| [bytes(SWITCHED), vec![Step::Hang]].concat());
    let gateway = Gateway::before(&[server.url()], "timeout = \"300ms\"").await;
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    client.write_all(handshake("").as_bytes()).await.unwrap();
    while client.write_all(&[0; 64 << 10]).await.is_ok() {}
}

/// HTTP/2 without TLS has no upgrade of HTTP/1; the request is an ordinary one.
#[tokio::test]
async fn a_server_of_h2c_gets_a_request_and_no_tunnel() {
    let server = Http2Server::start(None).await;
    let gateway = Gateway::before(&[format!("h2c://{}", server.address)], "").await;
    let mut wire = gateway.wire().await;
    wire.send(&handshake("")).await;
    let answer = wire.until("0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("GET a /socket"), "{answer}");
}

#[tokio::test]
async fn a_server_of_h2c_that_is_asked_for_a_tunnel_answers_in_time_or_it_is_504() {
    let server = Http2Server::start(None).await;
    let servers = [format!("h2c://{}", server.address)];
    let gateway = Gateway::before(&servers, "timeout = \"300ms\"").await;
    let mut wire = gateway.wire().await;
    wire.send(&handshake("").replace("/socket", "/hang")).await;
    let answer = wire.until("}").await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
}
