//! How long the gateway waits: for a connection, for the first byte, and between bytes.

use std::time::{Duration, Instant};

use crate::support::gateway::Gateway;
use crate::support::server::{Deaf, Server, Step, bytes};

const ROUTES: &str = "[[routes]]\npath = \"/quick/**\"\nupstream = \"shop\"\nauth = \"none\"\n\
                      timeout = \"700ms\"\nconnect_timeout = \"700ms\"";
/// What takes this long took the short time of the route and not the long one of the upstream.
const QUICK: Duration = Duration::from_secs(6);

#[tokio::test]
async fn the_first_byte_of_an_answer_comes_in_time_or_it_is_504() {
    let server = Server::start("silent").await;
    server.answers(|_| vec![Step::Hang]);
    let gateway = Gateway::with(&[server.url()], "timeout = \"10s\"", ROUTES).await;
    let begun = Instant::now();
    let answer = gateway.get("/quick/a").await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "upstream_timeout"));
    assert!(begun.elapsed() < QUICK, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_answer_that_stalls_is_broken_off() {
    let server = Server::start("stalling").await;
    server.answers(|_| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
        [bytes(head), vec![Step::Hang]].concat()
    });
    let gateway = Gateway::with(&[server.url()], "timeout = \"10s\"", ROUTES).await;
    let begun = Instant::now();
    let answer = gateway.get("/quick/a").await;
    assert_eq!((answer.status, answer.body), (200, None));
    assert!(begun.elapsed() < QUICK, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_answer_that_goes_on_may_take_longer_than_the_timeout() {
    let server = Server::start("steady").await;
    server.answers(|_| {
        let mut steps = bytes("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
        for _ in 0..8 {
            steps.extend([Step::Wait(Duration::from_millis(200)), Step::Send(b"x".to_vec())]);
        }
        steps
    });
    let gateway = Gateway::before(&[server.url()], "timeout = \"1200ms\"").await;
    assert_eq!(gateway.get("/").await.text(), "xxxxxxxx");
}

#[tokio::test]
async fn a_connection_comes_about_in_time_or_it_is_503() {
    let server = Deaf::start().await;
    let keys = "connect_timeout = \"10s\"\nretries = 0";
    let gateway = Gateway::with(&[server.url()], keys, ROUTES).await;
    let begun = Instant::now();
    let answer = gateway.get("/quick/a").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "upstream_unavailable"));
    assert!(begun.elapsed() < QUICK, "{:?}", begun.elapsed());
}
