//! PROXY headers: whom they name is the client, and from whom they are taken.

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};

use super::{Certificate, GET, assert_ok, listening, on, shake_hands};
use crate::raw::Wire;
use crate::support::config::Config;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::upstream::Seen;

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 192.0.2.9 56324 443\r\n";
const SPOOFED: &str = "GET /public/x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n";

/// A gateway whose second listener takes PROXY headers from these networks.
async fn gateway(trusted: &str, keys: &str) -> Gateway {
    Gateway::with(config(trusted, keys)).await
}

fn config(trusted: &str, keys: &str) -> Config {
    let listener = on(&format!("proxy_protocol = true{keys}"));
    listening(&[listener])
        .key("server", &format!("trusted_proxies = [{trusted}]"))
        .key("limits", "header_timeout = \"500ms\"")
}

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[command, family], &length, block].concat()
}

/// Where the upstream was told that a request came from.
fn origin(seen: &Seen) -> (Option<&str>, Option<&str>) {
    (seen.header("x-forwarded-for"), seen.header("x-real-ip"))
}

#[tokio::test]
async fn whom_the_header_names_is_the_client() {
    let gateway = gateway("\"127.0.0.0/8\"", "").await;
    let mut block = [192, 0, 2, 8, 192, 0, 2, 9, 0, 1, 0, 2].to_vec();
    // A value of type PP2_TYPE_UNIQUE_ID, which is skipped.
    block.extend([5, 0, 3, 1, 2, 3]);
    let cases = [
        (V1.to_vec(), "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::9 1 2\r\n".to_vec(), "2001:db8::7"),
        (v2(0x21, 0x11, &block), "192.0.2.8"),
    ];
    for (header, client) in cases {
        let mut wire = Wire::connect(gateway.listener(1)).await;
        wire.send([&header, SPOOFED.as_bytes()].concat()).await;
        assert_ok(&wire.answer().await);
        let seen = gateway.upstream.last();
        assert_eq!(origin(&seen), (Some(client), Some(client)));
        // And of every later request on the connection.
        wire.send(SPOOFED).await;
        assert_ok(&wire.answer().await);
        assert_eq!(origin(&gateway.upstream.last()), (Some(client), Some(client)));
    }
}

#[tokio::test]
async fn http2_has_the_client_of_the_header_too() {
    let gateway = gateway("\"127.0.0.0/8\"", "").await;
    let mut stream = TcpStream::connect(gateway.listener(1)).await.unwrap();
    stream.write_all(V1).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let driving = tokio::spawn(connection);
    let request = http::Request::get("http://a/public/x").body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    let seen = gateway.upstream.last();
    assert_eq!(origin(&seen), (Some("192.0.2.7"), Some("192.0.2.7")));
    driving.abort();
}

#[tokio::test]
async fn a_client_that_is_a_trusted_proxy_itself_is_believed() {
    let gateway = gateway("\"127.0.0.0/8\", \"192.0.2.7\"", "").await;
    let request = [V1, SPOOFED.as_bytes()].concat();
    assert_ok(&Wire::ask(gateway.listener(1), request).await);
    let seen = gateway.upstream.last();
    assert_eq!(origin(&seen), (Some("6.6.6.6, 192.0.2.7"), Some("6.6.6.6")));
}

#[tokio::test]
async fn a_header_that_names_nobody_leaves_the_peer() {
    let gateway = gateway("\"127.0.0.0/8\"", "").await;
    for header in [v2(0x20, 0x11, &[1; 12]), v2(0x20, 0, &[]), b"PROXY UNKNOWN\r\n".to_vec()] {
        let request = [&header, GET.as_bytes()].concat();
        assert_ok(&Wire::ask(gateway.listener(1), request).await);
        let seen = gateway.upstream.last();
        assert_eq!(origin(&seen), (Some("127.0.0.1"), Some("127.0.0.1")));
    }
}

#[tokio::test]
async fn a_header_that_is_missing_garbled_or_slow_closes_the_connection() {
    let gateway = gateway("\"127.0.0.0/8\"", "").await;
    for header in [
        &b""[..],
        b"PROXY TCP4 192.0.2.7",
        b"PROXY TCP4 192.0.2.7 192.0.2.9 56324 443\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.9 56324 99999\r\n",
        &v2(0x21, 0x11, &[0; 11]),
        &v2(0x31, 0x11, &[0; 12]),
        &v2(0x21, 0x11, &[0; 5000]),
    ] {
        let mut wire = Wire::connect(gateway.listener(1)).await;
        let complete = header.is_empty() || header.ends_with(b"\n") || header[0] == b'\r';
        let request = if complete { GET.as_bytes() } else { b"" };
        let _ = wire.try_send([header, request].concat()).await;
        assert!(wire.is_closed().await, "{header:?}");
    }
    // Byte by byte is slow in all.
    let mut wire = Wire::connect(gateway.listener(1)).await;
    for byte in V1 {
        if wire.try_send([*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(wire.is_closed().await);
    // The listener without PROXY headers takes none.
    let mut wire = Wire::connect(gateway.listener(0)).await;
    wire.send([V1, GET.as_bytes()].concat()).await;
    assert!(wire.next_answer(false).await.is_none_or(|answer| answer.status == 400));
    assert_eq!(gateway.upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_peer_that_is_no_trusted_proxy_is_closed() {
    let gateway = gateway("\"10.0.0.0/8\"", "").await;
    let mut wire = Wire::connect(gateway.listener(1)).await;
    let _ = wire.try_send([V1, GET.as_bytes()].concat()).await;
    assert!(wire.is_closed().await);
    assert_eq!(gateway.upstream.requests().len(), 0);
    assert_ok(&Wire::ask(gateway.listener(0), GET).await);
}

#[tokio::test]
async fn the_header_comes_before_tls() {
    let certificate = Certificate::new();
    let tls = format!(", tls = {}", certificate.table(""));
    let gateway = gateway("\"127.0.0.0/8\"", &tls).await;
    let mut stream = TcpStream::connect(gateway.listener(1)).await.unwrap();
    stream.write_all(V1).await.unwrap();
    let client = certificate.authority.client(&[], None);
    let mut wire = Wire::over(shake_hands(stream, client).await.unwrap());
    wire.send(SPOOFED).await;
    assert_ok(&wire.answer().await);
    let seen = gateway.upstream.last();
    assert_eq!(origin(&seen), (Some("192.0.2.7"), Some("192.0.2.7")));
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
}

#[tokio::test]
async fn on_a_unix_socket_the_header_is_taken_from_whoever_may_connect() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("front");
    let listener = format!("{{ address = \"unix:{}\", proxy_protocol = true }}", path.display());
    let gateway = Gateway::with(listening(&[listener])).await;
    let mut stream = None;
    eventually("the socket is there", async || {
        stream = UnixStream::connect(&path).await.ok();
        stream.is_some()
    })
    .await;
    let mut wire = Wire::over(stream.unwrap());
    wire.send([V1, SPOOFED.as_bytes()].concat()).await;
    assert_ok(&wire.answer().await);
    assert_eq!(origin(&gateway.upstream.last()), (Some("192.0.2.7"), Some("192.0.2.7")));
}
