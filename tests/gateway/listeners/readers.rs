//! Clients that read slowly, or not at all: what is held for them has a bound, and they have a time.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{Certificate, GET, listening, on, shake_hands};
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::metrics::Scrape;
use crate::upstream::Reply;

/// More than all buffers on the way hold together.
const LARGE: usize = 32 << 20;

trait Carrier: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Carrier for T {}

/// A gateway whose second listener speaks TLS, before an upstream with a large answer.
async fn gateway(certificate: &Certificate, body_idle: &str) -> Gateway {
    let tls = on(&format!("tls = {}", certificate.table("")));
    let limits = format!("body_idle = \"{body_idle}\"");
    let gateway = Gateway::with(listening(&[tls]).key("limits", &limits)).await;
    gateway.upstream.on("/public/x", Reply::ok(&"x".repeat(LARGE)));
    gateway
}

/// A connection whose client's kernel takes as little as it can.
async fn narrow(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    socket.connect(address).await.unwrap()
}

/// A client that has asked, over each kind of connection.
async fn clients(
    gateway: &Gateway,
    certificate: &Certificate,
) -> Vec<(&'static str, Box<dyn Carrier>)> {
    let plain = narrow(gateway.listener(0)).await;
    let config = certificate.authority.client(&["http/1.1"], None);
    let tls = shake_hands(narrow(gateway.listener(1)).await, config).await.unwrap();
    let mut clients: Vec<(_, Box<dyn Carrier>)> = vec![("plain", Box::new(plain))];
    clients.push(("TLS", Box::new(tls)));
    for (_, client) in &mut clients {
        client.write_all(GET.as_bytes()).await.unwrap();
        client.flush().await.unwrap();
    }
    clients
}

async fn connections(gateway: &Gateway) -> f64 {
    Scrape::of(gateway.app.admin_address).await.get("wxgate_connections")
}

#[tokio::test]
async fn dos_02_a_client_that_takes_nothing_is_left_behind() {
    let certificate = Certificate::new();
    let gateway = gateway(&certificate, "500ms").await;
    let clients = clients(&gateway, &certificate).await;
    eventually("both are closed", async || connections(&gateway).await == 0.0).await;
    for (kind, mut client) in clients {
        let mut taken = Vec::new();
        // A reset is an end too.
        let _ = client.read_to_end(&mut taken).await;
        assert!(taken.len() < 2 << 20, "{kind}: {} bytes were on their way", taken.len());
    }
}

#[tokio::test]
async fn dos_02_a_client_that_takes_single_bytes_is_left_behind() {
    let certificate = Certificate::new();
    let gateway = gateway(&certificate, "500ms").await;
    let clients = clients(&gateway, &certificate).await;
    let reading = clients.into_iter().map(|(_, mut client)| {
        tokio::spawn(async move {
            while client.read_u8().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
    });
    let reading: Vec<_> = reading.collect();
    eventually("both are closed", async || connections(&gateway).await == 0.0).await;
    reading.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Takes an answer of this length with pauses.
async fn take(mut client: Box<dyn Carrier>, length: usize) -> std::io::Result<usize> {
    let (mut taken, mut part) = (0, vec![0; 64 << 10]);
    while taken < length {
        match client.read(&mut part).await? {
            0 => break,
            read => {
                let parts = taken / part.len();
                taken += read;
                if taken / part.len() > parts {
                    tokio::time::sleep(Duration::from_millis(150)).await;
                }
            }
        }
    }
    Ok(taken)
}

/// Each pause is far shorter than `body_idle`, and all of them together are longer.
#[tokio::test]
async fn a_client_that_takes_its_time_gets_all_of_its_answer() {
    let certificate = Certificate::new();
    let gateway = gateway(&certificate, "3s").await;
    let length = 2 << 20;
    gateway.upstream.on("/public/x", Reply::ok(&"x".repeat(length)));
    let clients = clients(&gateway, &certificate).await.into_iter();
    let taking = clients.map(|(kind, client)| async move { (kind, take(client, length).await) });
    for (kind, taken) in futures_util::future::join_all(taking).await {
        assert!(taken.as_ref().is_ok_and(|taken| *taken >= length), "{kind}: {taken:?}");
    }
}
