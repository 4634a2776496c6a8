//! Upstreams that answer badly: the client sees the break, and the connection is not used again.

use std::time::Duration;

use reqwest::Method;

use crate::support::gateway::Gateway;
use crate::support::server::{Seen, Server, Step, answer, bytes};

/// Begins answers that break off, one for each way to say how long they are.
const HALVES: [&str; 2] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf of it\r\n",
];

fn broken(half: &'static str, end: Step) -> impl Fn(&Seen) -> Vec<Step> {
    move |seen| match seen.target() {
        "/broken" => {
            let pause = Step::Wait(Duration::from_millis(100));
            [bytes(half), vec![pause, end.clone()]].concat()
        }
        _ => answer(200, "fine"),
    }
}

#[tokio::test]
async fn smg_09_rel_05_a_break_in_the_body_is_a_break_for_the_client() {
    for half in HALVES {
        for end in [Step::Reset, Step::Close] {
            let server = Server::start("broken").await;
            server.answers(broken(half, end.clone()));
            let gateway = Gateway::before(&[server.url()], "").await;
            let answer = gateway.get("/broken").await;
            assert_eq!((answer.status, answer.body), (200, None), "{half} {end:?}");
            let answer = gateway.ask_by_http2(Method::GET, "/broken").await;
            assert_eq!((answer.status, answer.body), (200, None), "{half} {end:?} by HTTP/2");
            assert_eq!(gateway.get("/next").await.text(), "fine");
            let next = server.seen().into_iter().find(|seen| seen.target() == "/next").unwrap();
            assert_eq!(next.nth, 1, "a connection of its own");
            let tries = server.seen().iter().filter(|it| it.target() == "/broken").count();
            assert_eq!(tries, 2, "half an answer is not asked for again");
        }
    }
}

#[tokio::test]
async fn smg_09_no_last_chunk_is_made_up_on_the_wire() {
    for half in HALVES {
        let server = Server::start("broken").await;
        server.answers(broken(half, Step::Reset));
        let gateway = Gateway::before(&[server.url()], "").await;
        let mut wire = gateway.wire().await;
        wire.send("GET /broken HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n")
            .await;
        let all = wire.all().await;
        assert!(all.starts_with("HTTP/1.1 200") && all.contains("half of it"), "{all}");
        assert!(!all.contains("\r\n0\r\n") && !all.contains("fine"), "{all}");
    }
}
