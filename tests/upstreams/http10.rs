//! Clients of HTTP/1.0, and heads before that of the answer, which they do not know.

use crate::support::gateway::Gateway;
use crate::support::server::{Seen, Server, Step, answer, bytes};

const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nConnection: close, X-Own\r\nX-Own: 1\r\n\
     X-WX-OpenID: o\r\nX-Session-Token: t\r\n\r\n";

fn reply(seen: &Seen) -> Vec<Step> {
    match seen.target() {
        "/hinted" => [bytes(HINTS), answer(200, "fine")].concat(),
        "/chunked" => {
            bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n")
        }
        _ => answer(200, "fine"),
    }
}

async fn before() -> (Server, Gateway) {
    let server = Server::start("new").await;
    server.answers(reply);
    let gateway = Gateway::before(&[server.url()], "").await;
    (server, gateway)
}

#[tokio::test]
async fn who_speaks_http10_reads_to_the_end_unless_it_asks_for_more() {
    let (_server, gateway) = before().await;
    for target in ["/plain", "/chunked", "/hinted"] {
        let mut wire = gateway.wire().await;
        wire.send(&format!("GET {target} HTTP/1.0\r\nHost: a\r\n\r\n")).await;
        let answer = wire.all().await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nfine"),
            "{answer}"
        );
        assert!(answer.contains("Connection: close\r\n"), "{answer}");
    }
    let asks = "HTTP/1.0\r\nHost: a\r\nConnection: x, Keep-Alive\r\n\r\n";
    let mut wire = gateway.wire().await;
    for _ in 0..2 {
        wire.send(&format!("GET /plain {asks}")).await;
        let answer = wire.until("\r\n\r\nfine").await;
        assert!(answer.contains("Connection: keep-alive\r\n"), "{answer}");
    }
    // Where nothing else says where it ends.
    wire.send(&format!("GET /chunked {asks}")).await;
    let answer = wire.all().await;
    assert!(answer.contains("Connection: close\r\n") && answer.ends_with("fine"), "{answer}");
}

#[tokio::test]
async fn what_only_says_that_more_will_come_says_nothing_in_the_gateways_name() {
    let (_server, gateway) = before().await;
    let mut wire = gateway.wire().await;
    wire.send("GET /hinted HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answers = wire.until("\r\n\r\nfine").await;
    let (hints, answer) = answers.split_once("\r\n\r\n").unwrap();
    assert_eq!(hints, "HTTP/1.1 103 Early Hints\r\nLink: </x>");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
