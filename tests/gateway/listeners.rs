//! What the gateway listens on: TLS, PROXY headers, unix sockets, each listener as it is configured.

mod caps;
mod proxy_protocol;
mod readers;
mod reloading;
mod several;
mod tls;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wxgate::listen::Address;

use crate::certificates::{Authority, Pair};
use crate::raw::Answer;
use crate::support::config::Config;
use crate::support::gateway::Gateway;

/// The name in certificates.
const NAME: &str = "gateway.test";
const GET: &str = "GET /public/x HTTP/1.1\r\nHost: gateway.test\r\n\r\n";

/// A certificate of an authority, in files.
struct Certificate {
    authority: Authority,
    pair: Pair,
    folder: tempfile::TempDir,
}

impl Certificate {
    fn new() -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let pair = authority.sign(NAME);
        pair.write(&folder.path().join("tls.crt"), &folder.path().join("tls.key"));
        authority.write(&folder.path().join("ca.crt"));
        Self { authority, pair, folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// As a table of the configuration, with these further keys.
    fn table(&self, keys: &str) -> String {
        table(self.folder.path(), keys)
    }
}

fn table(folder: &Path, keys: &str) -> String {
    let folder = folder.display();
    format!("{{ cert = \"{folder}/tls.crt\", key = \"{folder}/tls.key\"{keys} }}")
}

/// The standard configuration with a plain listener, and these.
fn listening(others: &[String]) -> Config {
    let listeners = others.join(", ");
    Config::default()
        .table("server", &format!("listen = [\"127.0.0.1:0\", {listeners}]\nlame_duck = \"0s\""))
}

/// A listener on a free port with these keys.
fn on(keys: &str) -> String {
    format!("{{ address = \"127.0.0.1:0\", {keys} }}")
}

impl Gateway {
    /// Where the listener is that stands there in the configuration.
    fn listener(&self, index: usize) -> SocketAddr {
        match self.app.addresses[index] {
            Address::Tcp(address) => address,
            Address::Unix(_) => panic!("a unix socket"),
        }
    }
}

async fn connect(
    address: SocketAddr,
    config: rustls::ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    shake_hands(TcpStream::connect(address).await.unwrap(), config).await
}

async fn shake_hands(
    stream: TcpStream,
    config: rustls::ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(NAME).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn assert_ok(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
}
