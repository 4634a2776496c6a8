//! What a client is told when the service behind the gateway fails, and what is sent again.

use std::time::Duration;

use reqwest::Method;

use crate::raw::Answer;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::process::Process;
use crate::support::timed;
use crate::upstream::Reply;

fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("x-request-id"), answer.json()["request_id"].as_str());
}

#[tokio::test]
async fn an_upstream_that_is_down_is_a_503_that_says_when_to_come_again() {
    // Bound and not listening: connections are refused, and nobody else gets the port.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    let gateway = Gateway::with(Config::default().variable("UPSTREAM", url)).await;
    let token = gateway.log_in("alice").await;
    for method in [Method::GET, Method::POST] {
        let answer = gateway.request(method, "/api/x").token(&token).await;
        assert_problem(&answer, 503, "upstream_unavailable");
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(gateway.get("/session").token(&token).await.status, 200);
}

#[tokio::test]
async fn where_one_server_is_down_the_other_gets_the_request_even_a_post() {
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let servers =
        format!("servers = [\"http://{}\", \"${{UPSTREAM}}\"]", closed.local_addr().unwrap());
    let gateway = Gateway::with(Config::default().table("upstreams.shop", &servers)).await;
    for number in 0..4 {
        let answer = gateway.post("/public/x").body(format!("{number}")).await;
        assert_eq!(answer.status, 200, "{number}");
        assert_eq!(gateway.upstream.last().body, number.to_string().as_bytes());
    }
    assert_eq!(gateway.upstream.requests().len(), 4);
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_in_time_is_a_504() {
    let config = Config::default()
        .key("upstreams.shop", "timeout = \"300ms\"")
        .route(r#"path = "/patient", upstream = "shop", auth = "none", timeout = "600ms""#);
    let gateway = Gateway::with(config).await;
    for (path, least) in [("/public/x", 250), ("/patient", 550)] {
        gateway.upstream.on(path, Reply::silence());
        for method in [Method::GET, Method::POST] {
            let (answer, took) = timed(async { gateway.request(method, path).await }).await;
            assert_problem(&answer, 504, "upstream_timeout");
            assert!(took > Duration::from_millis(least), "{path} after {took:?}");
        }
    }
    assert_eq!(gateway.upstream.requests().len(), 4, "one was sent again");
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_a_502() {
    let gateway = Gateway::start().await;
    for bytes in ["nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Le", "SSH-2.0-x\r\n"] {
        gateway.upstream.on("/public/x", Reply::bytes(bytes).then_close());
        for method in [Method::GET, Method::POST] {
            let answer = gateway.request(method, "/public/x").await;
            assert_problem(&answer, 502, "upstream_error");
        }
    }
    gateway.upstream.on("/public/x", Reply::reset());
    assert_problem(&gateway.post("/public/x").await, 502, "upstream_error");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_seen_to_break_off() {
    let gateway =
        Gateway::with(Config::default().key("upstreams.shop", "timeout = \"300ms\"")).await;
    let sized = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    for head in [sized, chunked] {
        for reply in [
            Reply::bytes(head).then_reset(),
            Reply::bytes(head).then_close(),
            Reply::bytes(head).then_hang(),
        ] {
            gateway.upstream.on("/public/x", reply.clone());
            let mut wire = gateway.wire().await;
            wire.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
            if let Some(answer) = wire.next_answer(false).await {
                assert!(!answer.whole || answer.status >= 500, "{reply:?}: {answer:?}");
            }
            assert!(wire.is_closed().await);
            let by_http2 = gateway.request_by_http2(Method::GET, "/public/x").await;
            assert!(!by_http2.whole || by_http2.status >= 500, "{reply:?}: {by_http2:?}");
        }
    }
    // Nothing is left over on a connection for the next request.
    gateway.upstream.on("/public/x", Reply::ok("sound"));
    assert_eq!(gateway.get("/public/x").await.text(), "sound");
}

/// Leaves an idle connection to the upstream behind, on which the next request meets `reply`.
async fn with_a_dead_connection(gateway: &Gateway, reply: Reply) {
    assert_eq!(gateway.get("/public/warm").await.status, 200);
    gateway.upstream.on("/public/x", reply);
}

#[tokio::test]
async fn a_post_is_never_sent_twice() {
    for reply in [Reply::hang_up(), Reply::reset()] {
        let gateway = Gateway::start().await;
        with_a_dead_connection(&gateway, reply).await;
        let answer = gateway.post("/public/x").body("order").await;
        assert_problem(&answer, 502, "upstream_error");
        assert_eq!(gateway.upstream.requests().len(), 2, "{:#?}", gateway.upstream.requests());
        let seen = gateway.upstream.requests();
        assert_eq!(seen[0].connection, seen[1].connection, "the connection was a new one");
    }
}

#[tokio::test]
async fn a_get_is_sent_once_more_where_a_kept_connection_gave_nothing_back() {
    for (retries, sent) in [("", 2), ("retries = 0", 1), ("retries = 3", 2)] {
        let gateway = Gateway::with(Config::default().key("upstreams.shop", retries)).await;
        with_a_dead_connection(&gateway, Reply::hang_up()).await;
        let answer = gateway.get("/public/x").await;
        // On the new connection it meets the same, which is not tried again.
        assert_problem(&answer, 502, "upstream_error");
        let seen: Vec<_> = gateway.upstream.requests().split_off(1);
        assert_eq!(seen.len(), sent, "{retries}: {seen:#?}");
        assert!(sent == 1 || seen[0].connection != seen[1].connection);
    }
}

#[tokio::test]
async fn a_get_on_a_connection_that_the_upstream_has_closed_succeeds() {
    let gateway = Gateway::start().await;
    for number in 0..10 {
        let path = format!("/public/{number}");
        let closing = Reply::ok("sound").then_close();
        gateway.upstream.on(&path, closing);
        assert_eq!(gateway.get(&path).await.text(), "sound", "{number}");
    }
    assert_eq!(gateway.upstream.requests().len(), 10);
}

#[tokio::test]
async fn several_dead_connections_are_not_all_tried() {
    let gateway = Gateway::start().await;
    let gate = crate::upstream::Gate::closed();
    gateway.upstream.on("/public/held", Reply::ok("held").once(&gate));
    let held =
        futures_util::future::join_all((0..5).map(|_| async { gateway.get("/public/held").await }));
    let opened = async {
        gateway.upstream.until(|seen| seen.len() == 5).await;
        gate.open();
    };
    tokio::join!(held, opened);
    assert_eq!(gateway.upstream.connections(), 5);
    gateway.upstream.on("/public/x", Reply::hang_up());
    assert_problem(&gateway.get("/public/x").await, 502, "upstream_error");
    let tries = gateway.upstream.requests().len() - 5;
    assert_eq!(tries, 2, "retries = 1 is one more");
}

/// The state is said when it changes, not with every request that meets it.
#[tokio::test]
async fn an_upstream_that_is_down_does_not_fill_the_log() {
    // Bound and not listening: connections are refused, and nobody else gets the port.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    let config =
        Config::default().variable("UPSTREAM", url).variable("WECHAT", "http://127.0.0.1:1");
    let mut gateway = Process::start(&config).await;
    let request = "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n";
    for _ in 0..50 {
        assert_eq!(crate::raw::Wire::ask(gateway.address, request).await.status, 503);
    }
    gateway.until_logged("none of its servers can be connected to").await;
    let log = gateway.log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    let counted = |text: &str| warnings.iter().filter(|line| line.contains(text)).count();
    assert_eq!(counted("it gets no requests until it can"), 1, "{warnings:#?}");
    assert_eq!(counted("none of its servers"), 0, "{warnings:#?}");
    assert!(warnings.len() < 10, "{warnings:#?}");
}
