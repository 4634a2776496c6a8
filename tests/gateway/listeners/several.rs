//! Several listeners side by side, each with settings of its own.

use std::os::unix::fs::PermissionsExt;

use tokio::net::UnixStream;

use super::{Certificate, GET, assert_ok, connect, listening, on};
use crate::raw::Wire;
use crate::support::eventually;
use crate::support::gateway::Gateway;

const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn each_listener_has_its_own_settings() {
    let (certificate, folder) = (Certificate::new(), tempfile::tempdir().unwrap());
    let (plain, secure) = (folder.path().join("plain"), folder.path().join("secure"));
    let tls = format!("tls = {}", certificate.table(""));
    let gateway = Gateway::with(
        listening(&[
            on(&tls),
            on("h2c = false"),
            on("proxy_protocol = true"),
            format!("\"unix:{}\"", plain.display()),
            format!("{{ address = \"unix:{}\", {tls} }}", secure.display()),
        ])
        .key("server", "trusted_proxies = [\"127.0.0.1\"]"),
    )
    .await;

    assert_ok(&Wire::ask(gateway.listener(0), GET).await);
    let mut wire = Wire::over(
        connect(gateway.listener(1), certificate.authority.client(&[], None)).await.unwrap(),
    );
    wire.send(GET).await;
    assert_ok(&wire.answer().await);
    assert_ok(&Wire::ask(gateway.listener(2), GET).await);
    let proxied = format!("PROXY TCP4 192.0.2.7 192.0.2.9 1 2\r\n{GET}");
    assert_ok(&Wire::ask(gateway.listener(3), proxied).await);

    // Its SETTINGS are the first that a server of HTTP/2 says (RFC 9113, 3.4).
    let mut wire = Wire::connect(gateway.listener(0)).await;
    wire.send(PREFACE).await;
    assert_eq!(wire.bytes(9).await[3], 4);
    assert_eq!(Wire::ask(gateway.listener(2), PREFACE).await.status, 400);

    for path in [&plain, &secure] {
        eventually("its rights are set", async || {
            std::fs::metadata(path).is_ok_and(|it| it.permissions().mode() & 0o777 == 0o660)
        })
        .await;
    }
    let mut wire = Wire::over(UnixStream::connect(&plain).await.unwrap());
    wire.send(GET).await;
    assert_ok(&wire.answer().await);
    let seen = gateway.upstream.last();
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(
        certificate.authority.client(&[], None),
    ));
    let name = rustls_pki_types::ServerName::try_from(super::NAME).unwrap();
    let stream = UnixStream::connect(&secure).await.unwrap();
    let mut wire = Wire::over(connector.connect(name, stream).await.unwrap());
    wire.send(GET).await;
    assert_ok(&wire.answer().await);
    assert_eq!(gateway.upstream.last().header("x-forwarded-proto"), Some("https"));
}
