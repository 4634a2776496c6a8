//! An upstream that switches protocols before anybody has asked for it: nothing can be faster.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::raw::{PATIENCE, position};
use crate::support::config::Config;
use crate::support::gateway::Gateway;

/// One in five of these ended before the answer was held back.
const TUNNELS: usize = 600;
const AT_ONCE: usize = 20;

const SWITCHED: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const HANDSHAKE: &[u8] =
    b"GET /public/socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The 101 with the connection; then "pong" to each "ping".
async fn hasty(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(SWITCHED).await?;
    let mut read = Vec::new();
    while stream.read_buf(&mut read).await? > 0 {
        if read.ends_with(b"ping") {
            stream.write_all(b"pong").await?;
        }
    }
    Ok(())
}

async fn accept(listener: TcpListener) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(hasty(stream));
    }
}

/// Sends a ping through a tunnel of its own, and reads the answer.
async fn ping(gateway: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(gateway).await?;
    stream.write_all(HANDSHAKE).await?;
    read_until(&mut stream, b"\r\n\r\n").await?;
    stream.write_all(b"ping").await?;
    read_until(&mut stream, b"pong").await
}

async fn read_until(stream: &mut TcpStream, end: &[u8]) -> std::io::Result<()> {
    let mut read = Vec::new();
    while position(&read, end).is_none() {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// With several threads, so that the answer can be there while the request is still being sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tunnel_outlives_an_answer_that_comes_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("servers = [\"http://{}\"]", listener.local_addr().unwrap());
    let upstream = tokio::spawn(accept(listener));
    let gateway = Gateway::with(Config::default().table("upstreams.shop", &server)).await;
    let address = gateway.address;
    let mut ended = 0;
    for _ in 0..TUNNELS / AT_ONCE {
        let tunnels = (0..AT_ONCE).map(|_| timeout(PATIENCE, ping(address)));
        let lasted = tunnels.collect::<JoinSet<_>>().join_all().await;
        ended += lasted.iter().filter(|lasted| !matches!(lasted, Ok(Ok(())))).count();
    }
    assert_eq!(ended, 0, "of {TUNNELS} tunnels ended in their first moment");
    upstream.abort();
}
