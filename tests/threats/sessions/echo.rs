//! Two services that say whose request they got, and that die and come back again and again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::raw::position;

/// So many requests of clients, and then another service is dead.
const PHASE: u64 = 200;

/// Which service is dead now: a clock that counts requests, so that no time has to pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock(Arc<AtomicU64>);

impl Clock {
    /// A request is about to be sent.
    pub(super) fn tick(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often a service has died.
    pub(super) fn deaths(&self) -> u64 {
        self.0.load(Ordering::Relaxed) / PHASE / 2
    }

    /// None, the first, none, the second.
    fn is_dead(&self, service: u64) -> bool {
        self.0.load(Ordering::Relaxed) / PHASE % 4 == 2 * service + 1
    }
}

/// Starts one of the two. It answers with the openid that it was told, the target and the body.
pub(super) async fn start(service: u64, clock: Clock) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, service, clock.clone()));
        }
    });
    address
}

/// Ends where the service dies: between requests, before an answer or in the middle of it.
async fn serve(mut stream: TcpStream, service: u64, clock: Clock) -> Option<()> {
    let mut buffer = Vec::new();
    while !clock.is_dead(service) {
        let head = read_head(&mut stream, &mut buffer).await?;
        let length = value(&head, "content-length").and_then(|length| length.parse().ok());
        let length: usize = length.unwrap_or(0);
        while buffer.len() < length {
            fill(&mut stream, &mut buffer).await?;
        }
        let body: Vec<u8> = buffer.drain(..length).collect();
        let openid = value(&head, "x-wx-openid").unwrap_or_default();
        let target = head.split(' ').nth(1)?;
        let answer = format!("{openid}\n{target}\n{}", String::from_utf8_lossy(&body));
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
        stream.write_all(head.as_bytes()).await.ok()?;
        let (first, rest) = answer.split_at(answer.len() / 2);
        stream.write_all(first.as_bytes()).await.ok()?;
        tokio::task::yield_now().await;
        if clock.is_dead(service) {
            return None;
        }
        stream.write_all(rest.as_bytes()).await.ok()?;
    }
    None
}

async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(at) = position(buffer, b"\r\n\r\n") {
            let head: Vec<u8> = buffer.drain(..at + 4).collect();
            return String::from_utf8(head).ok();
        }
        fill(stream, buffer).await?;
    }
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    (stream.read_buf(buffer).await.ok()? > 0).then_some(())
}

/// All values of a header, joined: two openids are no openid of anybody.
fn value(head: &str, name: &str) -> Option<String> {
    let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    let values = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    let values: Vec<_> = values.map(|(_, value)| value.trim()).collect();
    (!values.is_empty()).then(|| values.join(","))
}
