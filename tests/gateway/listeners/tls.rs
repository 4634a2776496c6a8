//! TLS on a listener.

use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConnection, HandshakeKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Certificate, GET, NAME, assert_ok, connect, listening, on};
use crate::certificates::Authority;
use crate::raw::{Wire, position};
use crate::support::config::Config;
use crate::support::gateway::Gateway;

/// A gateway whose second listener speaks TLS.
async fn gateway(certificate: &Certificate, keys: &str, change: fn(Config) -> Config) -> Gateway {
    let tls = format!("tls = {}", certificate.table(keys));
    Gateway::with(change(listening(&[on(&tls)]))).await
}

fn unchanged(config: Config) -> Config {
    config
}

fn short(config: Config) -> Config {
    config.key("limits", "header_timeout = \"300ms\"\nconnections = 2")
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_and_the_upstream_is_told_of_https() {
    let certificate = Certificate::new();
    let gateway = gateway(&certificate, "", unchanged).await;
    let (plain, address) = (gateway.listener(0), gateway.listener(1));
    let authority = std::fs::read(certificate.path("ca.crt")).unwrap();
    let token = gateway.log_in("alice").await;
    for (http1_only, version) in [(false, http::Version::HTTP_2), (true, http::Version::HTTP_11)] {
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([reqwest::Certificate::from_pem(&authority).unwrap()])
            .resolve(NAME, address);
        let client = if http1_only { client.http1_only() } else { client };
        let url = format!("https://{NAME}:{}/api/x", address.port());
        let request = client.build().unwrap().get(url).bearer_auth(&token);
        let answer = request.header("x-forwarded-proto", "http").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        let seen = gateway.upstream.last();
        assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
        assert!(seen.header("forwarded").unwrap().ends_with(";proto=https"), "{}", seen.head);
        assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(seen.read_as("x-wx-openid"), [gateway.wechat.openid("alice")]);
    }
    assert_ok(&Wire::ask(plain, GET).await);
    assert_eq!(gateway.upstream.last().header("x-forwarded-proto"), Some("http"));
}

#[tokio::test]
async fn http11_is_spoken_without_alpn_and_http2_by_alpn_only() {
    let certificate = Certificate::new();
    let gateway = gateway(&certificate, "", unchanged).await;
    for protocols in [&[][..], &["http/1.1"]] {
        let client = certificate.authority.client(protocols, None);
        let mut wire = Wire::over(connect(gateway.listener(1), client).await.unwrap());
        for _ in 0..2 {
            wire.send(GET).await;
            assert_ok(&wire.answer().await);
        }
        wire.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        assert_eq!(wire.answer().await.status, 400);
    }
    let client = certificate.authority.client(&["spdy/3"], None);
    assert!(connect(gateway.listener(1), client).await.is_err());
}

#[tokio::test]
async fn tls_12_is_the_least() {
    let certificate = Certificate::new();
    let gateway = gateway(&certificate, "", unchanged).await;
    for version in [&TLS12, &TLS13] {
        let client = certificate.authority.client_of(&[version], &[], None);
        let mut wire = Wire::over(connect(gateway.listener(1), client).await.unwrap());
        wire.send(GET).await;
        assert_ok(&wire.answer().await);
    }
    // The hello of a client of TLS 1.2 with 1.1 in both places where the version stands.
    let client = Arc::new(certificate.authority.client_of(&[&TLS12], &[], None));
    let mut client = ClientConnection::new(client, NAME.try_into().unwrap()).unwrap();
    let mut record = Vec::new();
    client.write_tls(&mut record).unwrap();
    record[9..11].copy_from_slice(&[3, 2]);
    if let Some(at) = position(&record, &[0, 43, 0, 3, 2, 3, 3]) {
        record[at + 6] = 2;
    }
    let mut stream = TcpStream::connect(gateway.listener(1)).await.unwrap();
    stream.write_all(&record).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    // An alert, fatal, protocol_version (RFC 5246, 7.2).
    assert_eq!((answer[0], &answer[5..]), (21, &[2, 70][..]), "{answer:?}");
}

#[tokio::test]
async fn dos_02_a_handshake_that_stalls_is_closed_in_time() {
    let certificate = Certificate::new();
    let gateway = gateway(&certificate, "", short).await;
    for beginning in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"] {
        let mut wire = Wire::connect(gateway.listener(1)).await;
        wire.send(beginning).await;
        assert!(wire.is_closed().await);
    }
    // While it stalls it counts, so that there cannot be many.
    let mut stalled = Vec::new();
    for _ in 0..2 {
        stalled.push(Wire::connect(gateway.listener(1)).await);
    }
    crate::support::eventually("the limit is reached", async || {
        let mut wire = Wire::connect(gateway.listener(0)).await;
        wire.try_send(GET).await.is_err() || wire.next_answer(false).await.is_none()
    })
    .await;
    for mut wire in stalled {
        assert!(wire.is_closed().await);
    }
    crate::support::eventually("there is room again", async || {
        let mut wire = Wire::connect(gateway.listener(0)).await;
        wire.try_send(GET).await.is_ok() && wire.next_answer(false).await.is_some()
    })
    .await;
}

#[tokio::test]
async fn plain_http_on_a_tls_listener_gets_nothing() {
    let certificate = Certificate::new();
    let gateway = gateway(&certificate, "", unchanged).await;
    let mut stream = TcpStream::connect(gateway.listener(1)).await.unwrap();
    stream.write_all(GET.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(gateway.upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_client_shows_a_certificate_where_a_ca_is_named() {
    let certificate = Certificate::new();
    let ca = format!(", client_ca = \"{}\"", certificate.path("ca.crt").display());
    let gateway = gateway(&certificate, &ca, unchanged).await;
    let stranger = Authority::new().sign("client");
    for shown in [None, Some(&stranger)] {
        // With TLS 1.3 the client hears of it after the handshake.
        let client = certificate.authority.client(&[], shown);
        let refused = match connect(gateway.listener(1), client).await {
            Ok(mut stream) => {
                let _ = stream.write_all(GET.as_bytes()).await;
                stream.read_u8().await.unwrap_err()
            }
            Err(refused) => refused,
        };
        let alert = ["CertificateRequired", "UnknownCA", "DecryptError", "BadCertificate"];
        let told = alert.iter().any(|alert| refused.to_string().contains(alert));
        assert!(told, "it is told why: {refused}");
    }
    assert_eq!(gateway.upstream.requests().len(), 0);
    let known = certificate.authority.sign("client");
    let client = certificate.authority.client(&[], Some(&known));
    let mut wire = Wire::over(connect(gateway.listener(1), client).await.unwrap());
    wire.send(GET).await;
    assert_ok(&wire.answer().await);
}

#[tokio::test]
async fn a_session_resumes() {
    let certificate = Certificate::new();
    let gateway = gateway(&certificate, "", unchanged).await;
    for version in [&TLS12, &TLS13] {
        let client = certificate.authority.client_of(&[version], &[], None);
        for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut stream = connect(gateway.listener(1), client.clone()).await.unwrap();
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(expected));
            let request = GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            // It ends with a close_notify: else this would be an error.
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }
}
