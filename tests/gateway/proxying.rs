//! How requests get to the service behind the gateway, and answers back.

mod bodies;
mod failing;
mod hasty;
mod limits;
mod routes;
mod tunnels;

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::upstream::Upstream;

#[tokio::test]
async fn many_requests_go_over_one_connection_to_the_upstream() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    for number in 0..20 {
        let path = if number % 2 == 0 { "/public/x" } else { "/api/x" };
        assert_eq!(gateway.get(path).token(&token).await.status, 200);
    }
    assert_eq!(gateway.upstream.connections(), 1);
    assert_eq!(gateway.upstream.requests().len(), 20);
}

#[tokio::test]
async fn the_servers_of_an_upstream_take_turns() {
    let other = Upstream::start().await;
    let servers = format!("servers = [\"${{UPSTREAM}}\", \"{}\"]", other.url());
    let gateway = Gateway::with(Config::default().table("upstreams.shop", &servers)).await;
    for _ in 0..10 {
        assert_eq!(gateway.get("/public/x").await.status, 200);
    }
    assert_eq!((gateway.upstream.requests().len(), other.requests().len()), (5, 5));
}

#[tokio::test]
async fn a_unix_socket_is_listened_on_and_an_upstream_too() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let folder = tempfile::tempdir().unwrap();
    let (front, back) = (folder.path().join("front"), folder.path().join("back"));
    let service = tokio::net::UnixListener::bind(&back).unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = service.accept().await.unwrap();
        let mut request = vec![0; 64 << 10];
        let length = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let listen = format!("listen = [\"127.0.0.1:0\", \"unix:{}\"]", front.display());
    let config = Config::default()
        .table("server", &listen)
        .table("upstreams.shop", &format!("servers = [\"unix:{}\"]", back.display()));
    let _gateway = Gateway::with(config).await;
    let mut client = None;
    crate::support::eventually("the socket is there", async || {
        client = tokio::net::UnixStream::connect(&front).await.ok();
        client.is_some()
    })
    .await;
    let mut client = client.unwrap();
    client
        .write_all(b"GET /public/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("hi"), "{answer}");
    assert!(serving.await.unwrap().starts_with("GET /public/x HTTP/1.1\r\n"));
}
