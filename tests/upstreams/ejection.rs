//! Servers that fail are left out, but never all; where none can be connected to, nobody waits.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::server::{Deaf, Server, answer};

const EJECT: &str = "eject = { failures = 3, for = \"30s\" }\nretries = 0";

#[tokio::test]
async fn a_server_that_answers_with_errors_is_left_out_and_comes_back_later() {
    let (bad, good) = (Server::start("bad").await, Server::start("good").await);
    bad.answers(|_| answer(500, "bad"));
    let gateway = Gateway::before(&[bad.url(), good.url()], EJECT).await;
    for _ in 0..20 {
        gateway.get("/").await;
    }
    assert_eq!(bad.seen().len(), 3);
    bad.answers(|_| answer(200, "mended"));
    gateway.clock.advance(Duration::from_secs(20));
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.text(), "good");
    }
    gateway.clock.advance(Duration::from_secs(25));
    for _ in 0..10 {
        gateway.get("/").await;
    }
    assert_eq!(bad.seen().len(), 3 + 5, "its full share, ten seconds after it came back");
}

#[tokio::test]
async fn never_more_than_half_of_the_servers_are_left_out() {
    let servers = [Server::start("a").await, Server::start("b").await, Server::start("c").await];
    for server in &servers {
        server.answers(|_| answer(503, "all is lost"));
    }
    let urls: Vec<_> = servers.iter().map(Server::url).collect();
    let gateway = Gateway::before(&urls, EJECT).await;
    for _ in 0..60 {
        assert_eq!(gateway.get("/").await.text(), "all is lost", "their own answer goes through");
    }
    let out = servers.iter().filter(|server| server.seen().len() <= 4).count();
    assert_eq!(out, 1, "of three");
}

/// Who sends half a body lets the upstream wait as long as he likes: that is no failure of its.
#[tokio::test]
async fn no_client_can_have_a_server_left_out_by_being_slow() {
    let servers = [Server::start("a").await, Server::start("b").await];
    let urls = servers.each_ref().map(Server::url);
    let route = "[[routes]]\npath = \"/upload\"\nupstream = \"shop\"\nauth = \"none\"\n\
                 timeout = \"100ms\"\n[limits]\nbody_idle = \"100ms\"";
    let gateway = Gateway::with(&urls, EJECT, route).await;
    for _ in 0..10 {
        let mut wire = gateway.wire().await;
        wire.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf").await;
        assert!(wire.all().await.contains("request_timeout"));
    }
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    assert_eq!(servers.each_ref().map(|server| server.seen().len()), [5, 5]);
}

#[tokio::test]
async fn a_single_server_is_never_left_out_for_its_answers() {
    let server = Server::start("only").await;
    server.answers(|_| answer(500, "sorry"));
    let gateway = Gateway::before(&[server.url()], EJECT).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/").await.text(), "sorry");
    }
}

#[tokio::test]
async fn a_server_that_can_be_connected_to_again_gets_requests_again() {
    let mut server = Server::start("back").await;
    let gateway = Gateway::before(&[server.url()], EJECT).await;
    assert_eq!(gateway.get("/").await.text(), "back");
    server.stop().await;
    for _ in 0..20 {
        let answer = gateway.get("/").await;
        assert!(matches!(answer.status, 502 | 503), "{answer:?}");
    }
    assert_eq!(gateway.get("/").await.code(), "upstream_unavailable");
    server.start_again();
    eventually("it is used again", async || gateway.get("/").await.status == 200).await;
}

#[tokio::test]
async fn nobody_waits_for_a_service_that_cannot_be_connected_to() {
    let servers = [Deaf::start().await, Deaf::start().await];
    let servers = servers.each_ref().map(Deaf::url);
    let keys = format!("{EJECT}\nconnect_timeout = \"2s\"");
    let gateway = Gateway::before(&servers, &keys).await;
    let first = join_all((0..12).map(|_| gateway.get("/"))).await;
    assert!(first.iter().all(|answer| answer.status == 503));
    let begun = Instant::now();
    for _ in 0..20 {
        let answer = gateway.post("/").await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "upstream_unavailable"));
        assert!(answer.header("retry-after").is_some());
    }
    // Half of what waiting for connections would take.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_that_refuses_is_passed_over_without_a_retry_for_each_request() {
    let (mut gone, there) = (Server::start("gone").await, Server::start("there").await);
    gone.stop().await;
    let keys = "eject = { failures = 2 }\nretries = 1";
    let gateway = Gateway::before(&[gone.url(), there.url()], keys).await;
    for _ in 0..40 {
        // POST too: nothing was sent to the one that refused.
        assert_eq!(gateway.post("/").await.text(), "there");
    }
    assert_eq!(there.seen().len(), 40);
}
