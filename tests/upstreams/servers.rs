//! What is spoken with a server: HTTP/1.1, HTTP/2 without TLS, a unix socket.

use std::path::Path;

use reqwest::Method;

use crate::support::gateway::{Gateway, file};
use crate::support::http2::Http2Server;
use crate::support::server::{Server, socket};

#[tokio::test]
async fn a_server_of_http_is_reached_by_its_name() {
    let server = Server::start("plain").await;
    let url = format!("http://localhost:{}", server.address.port());
    // localhost may have an IPv6 address, where nobody listens: that is what retries are for.
    let gateway = Gateway::before(&[url], "").await;
    for _ in 0..4 {
        assert_eq!(gateway.get("/a?b=c").await.text(), "plain");
    }
    assert!(server.seen().iter().all(|seen| seen.target() == "/a?b=c"));
}

#[tokio::test]
async fn a_server_on_a_unix_socket_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let path = socket(&folder);
    let (record, _accepting) = Server::unix("socket", &path);
    let gateway = Gateway::before(&[format!("unix:{}", path.display())], "").await;
    assert_eq!(gateway.get("/a").await.text(), "socket");
    assert_eq!(gateway.post("/b").await.text(), "socket");
    let seen = record.seen();
    assert_eq!(seen[1].connection, 1, "connections are kept");
    assert_eq!(seen[0].all("host"), [gateway.address.to_string()]);
}

#[tokio::test]
async fn h2c_speaks_http2_with_many_requests_on_one_connection() {
    let server = Http2Server::start(None).await;
    let gateway = Gateway::before(&[format!("h2c://{}", server.address)], "").await;
    let authority = gateway.address;
    assert_eq!(gateway.get("/a").await.text(), format!("GET {authority} /a"));
    assert_eq!(gateway.post("/b").await.text(), format!("POST {authority} /b"));
    let by_http2 = gateway.ask_by_http2(Method::GET, "/c").await;
    assert_eq!(by_http2.text(), format!("GET {authority} /c"));
    let slow: Vec<_> = (0..20).map(|_| gateway.get("/slow")).collect();
    let answers = futures_util::future::join_all(slow).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert!(server.connections() < 5, "{} connections", server.connections());
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_refused_whatever_is_spoken() {
    let (plain, http2) = (Server::start("plain").await, Http2Server::start(None).await);
    for url in [plain.url(), format!("h2c://{}", http2.address)] {
        let text = file(&[url], "", "[limits]\nbody_size = \"1KiB\"");
        let gateway = Gateway::reading(&text, Path::new("")).await;
        let mut wire = gateway.wire().await;
        let head = "POST /wait HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        wire.send(&format!("{head}800\r\n{}\r\n", "x".repeat(0x800))).await;
        let answer = wire.all().await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
}

#[tokio::test]
async fn a_stream_that_http2_refused_is_tried_again_but_not_a_post() {
    let server = Http2Server::start(None).await;
    let gateway = Gateway::before(&[format!("h2c://{}", server.address)], "").await;
    assert_eq!(gateway.get("/refused").await.status, 502);
    assert_eq!(server.requests(), 2, "REFUSED_STREAM says that nothing was done (RFC 9113, 8.7)");
    assert_eq!(gateway.post("/refused").await.status, 502);
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_unavailable_and_holds_up_nothing_else() {
    let server = Server::start("there").await;
    let lost = ["http://nowhere.invalid".to_owned()];
    let gateway = Gateway::before(&lost, "").await;
    let answer = gateway.get("/").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "upstream_unavailable"));
    let gateway = Gateway::before(&[lost[0].clone(), server.url()], "").await;
    assert_eq!(gateway.get("/").await.text(), "there");
}
