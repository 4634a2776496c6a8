//! Servers of `https`: no answer is taken from one that does not prove who it is.

use tempfile::TempDir;

use crate::certificates::Authority;
use crate::support::eventually;
use crate::support::gateway::{Gateway, file};
use crate::support::http2::Http2Server;
use crate::support::server::{Server, Step, answer, bytes};

/// A gateway whose upstream has these keys, with the authority's certificate in `ca.crt`.
async fn gateway(folder: &TempDir, url: String, keys: &str) -> Gateway {
    Gateway::reading(&file(&[url], keys, ""), folder.path()).await
}

fn folder(authority: &Authority) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    authority.write(&folder.path().join("ca.crt"));
    folder
}

fn url(server: &Server) -> String {
    format!("https://localhost:{}", server.address.port())
}

async fn is_refused(gateway: &Gateway, server: &Server) {
    let answer = gateway.get("/").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "upstream_unavailable"));
    assert!(server.seen().is_empty(), "no request may reach it");
}

#[tokio::test]
async fn a_server_with_a_certificate_of_the_ca_for_its_host_is_trusted() {
    let authority = Authority::new();
    let server = Server::tls("secure", authority.server("localhost", None)).await;
    let folder = folder(&authority);
    let gateway = gateway(&folder, url(&server), "tls = { ca = \"ca.crt\" }").await;
    assert_eq!(gateway.get("/").await.text(), "secure");
    assert_eq!(gateway.post("/").await.text(), "secure");
    assert_eq!(server.seen()[1].nth, 2, "TLS connections are kept too");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let server = Server::tls("other", authority.server("other.test", None)).await;
    let folder = folder(&authority);
    let refused = gateway(&folder, url(&server), "tls = { ca = \"ca.crt\" }").await;
    is_refused(&refused, &server).await;
    let named = "tls = { ca = \"ca.crt\", server_name = \"other.test\" }";
    let trusted = gateway(&folder, url(&server), named).await;
    assert_eq!(trusted.get("/").await.text(), "other");
}

#[tokio::test]
async fn a_certificate_for_no_name_but_the_address_is_refused_where_a_name_was_asked_for() {
    let authority = Authority::new();
    let server = Server::tls("address", authority.server("127.0.0.1", None)).await;
    let folder = folder(&authority);
    let keys = "tls = { ca = \"ca.crt\" }";
    is_refused(&gateway(&folder, url(&server), keys).await, &server).await;
    let by_address = format!("https://{}", server.address);
    let gateway = gateway(&folder, by_address, keys).await;
    assert_eq!(gateway.get("/").await.text(), "address", "an address is verified as one");
}

#[tokio::test]
async fn a_certificate_of_a_ca_that_is_not_trusted_is_refused() {
    let server = Server::tls("forged", Authority::new().server("localhost", None)).await;
    let folder = folder(&Authority::new());
    is_refused(&gateway(&folder, url(&server), "tls = { ca = \"ca.crt\" }").await, &server).await;
    is_refused(&gateway(&folder, url(&server), "").await, &server).await;
}

#[tokio::test]
async fn a_server_that_asks_for_a_client_certificate_gets_it() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = Server::tls("mutual", authority.server("localhost", Some(&clients))).await;
    let folder = folder(&authority);
    let at = |name: &str| folder.path().join(name);
    clients.sign("wxgate.test").write(&at("wxgate.crt"), &at("wxgate.key"));
    let keys = "tls = { ca = \"ca.crt\", cert = \"wxgate.crt\", key = \"wxgate.key\" }";
    assert_eq!(gateway(&folder, url(&server), keys).await.get("/").await.text(), "mutual");
    let without = gateway(&folder, url(&server), "tls = { ca = \"ca.crt\" }").await;
    assert_ne!(without.get("/").await.status, 200);
}

/// pingora keys its connections by all but the CA.
#[tokio::test]
async fn a_connection_that_one_upstreams_ca_let_through_serves_no_other() {
    let authority = Authority::new();
    let server = Server::tls("secure", authority.server("localhost", None)).await;
    let folder = folder(&authority);
    Authority::new().write(&folder.path().join("other.crt"));
    let routes = format!(
        "[upstreams.other]\nretries = 0\nservers = [\"{}\"]\ntls = {{ ca = \"other.crt\" }}\n\
         [[routes]]\npath = \"/other\"\nupstream = \"other\"\nauth = \"none\"",
        url(&server)
    );
    let text = file(&[url(&server)], "tls = { ca = \"ca.crt\" }", &routes);
    let gateway = Gateway::reading(&text, folder.path()).await;
    assert_eq!(gateway.get("/").await.text(), "secure");
    assert_eq!(gateway.get("/other").await.status, 503);
    assert_eq!(gateway.get("/").await.text(), "secure");
    assert_eq!(server.connections(), 2, "the other one had to make its own, which failed");
}

#[tokio::test]
async fn http2_is_spoken_over_tls_where_it_is_wanted_and_the_server_has_it() {
    let authority = Authority::new();
    let folder = folder(&authority);
    let keys = "tls = { ca = \"ca.crt\" }\nhttp2 = true";
    let http2 = Http2Server::start(Some(authority.server("localhost", None))).await;
    let to_http2 = format!("https://localhost:{}", http2.address.port());
    let talking = gateway(&folder, to_http2, keys).await;
    assert_eq!(talking.get("/a").await.text(), format!("GET {} /a", talking.address));
    let http1 = Server::tls("older", authority.server("localhost", None)).await;
    let falling_back = gateway(&folder, url(&http1), keys).await;
    assert_eq!(falling_back.get("/a").await.text(), "older");
}

#[tokio::test]
async fn a_websocket_goes_by_http1_to_a_server_that_has_http2() {
    let authority = Authority::new();
    let folder = folder(&authority);
    let mut both = authority.server("localhost", None);
    both.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let server = Server::tls("both", both).await;
    server.answers(|_| {
        let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                    Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        [bytes(head), bytes("through the tunnel"), vec![Step::Close]].concat()
    });
    let keys = "tls = { ca = \"ca.crt\" }\nhttp2 = true";
    let gateway = gateway(&folder, url(&server), keys).await;
    let mut wire = gateway.wire().await;
    wire.send(
        "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await;
    let all = wire.all().await;
    assert!(all.starts_with("HTTP/1.1 101") && all.ends_with("through the tunnel"), "{all}");
}

#[tokio::test]
async fn health_is_asked_over_tls_with_the_same_trust() {
    let authority = Authority::new();
    let server = Server::tls("secure", authority.server("localhost", None)).await;
    let folder = folder(&authority);
    let health = "health = { path = \"/up\", interval = \"50ms\", healthy = 1, unhealthy = 1 }";
    server.answers(|seen| answer(200, seen.target()));
    let keys = format!("tls = {{ ca = \"ca.crt\" }}\n{health}");
    let gateway = gateway(&folder, url(&server), &keys).await;
    let connections = async || server.connections() > 3;
    eventually("health is asked", connections).await;
    assert_eq!(gateway.get("/a").await.text(), "/a");
}
