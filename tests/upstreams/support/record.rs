//! What a server gets, and what it answers: one connection of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio_rustls::server::TlsStream;

/// What it got and what it answers; shared by its connections.
#[derive(Clone)]
pub(crate) struct Record(Arc<Mutex<Inner>>);

struct Inner {
    connections: usize,
    seen: Vec<Seen>,
    reply: Reply,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The connection that it came on, from 1.
    pub(crate) connection: usize,
    /// Its number on this connection, from 1.
    pub(crate) nth: usize,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) type Reply = Arc<dyn Fn(&Seen) -> Vec<Step> + Send + Sync>;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    Await(Gate),
    /// No answer, for as long as the gateway waits.
    Hang,
    Close,
    Reset,
}

/// Something that a test lets happen.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    pub(crate) fn open(&self) {
        self.0.close();
    }
}

/// A connection that can be reset.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> Option<&TcpStream>;
}

impl Stream for TcpStream {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl Stream for UnixStream {
    fn tcp(&self) -> Option<&TcpStream> {
        None
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self.get_ref().0)
    }
}

/// An answer with this status and text.
pub(crate) fn answer(status: u16, text: &str) -> Vec<Step> {
    bytes(&format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{text}", text.len()))
}

pub(crate) fn bytes(text: &str) -> Vec<Step> {
    vec![Step::Send(text.as_bytes().to_vec())]
}

impl Record {
    pub(crate) fn new(name: &str) -> Self {
        let text = name.to_owned();
        let reply: Reply = Arc::new(move |_| answer(200, &text));
        let (connections, seen) = (0, Vec::new());
        Self(Arc::new(Mutex::new(Inner { connections, seen, reply })))
    }

    /// From now on this is answered.
    pub(crate) fn answers(&self, reply: Reply) {
        self.0.lock().unwrap().reply = reply;
    }

    pub(super) fn connections(&self) -> usize {
        self.0.lock().unwrap().connections
    }

    /// The requests so far, but for health checks.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let seen = self.0.lock().unwrap().seen.clone();
        seen.into_iter().filter(|seen| !seen.is_health_check()).collect()
    }

    /// Counts one more connection.
    pub(super) fn connected(&self) -> usize {
        let mut inner = self.0.lock().unwrap();
        inner.connections += 1;
        inner.connections
    }

    fn reply_to(&self, seen: Seen) -> Vec<Step> {
        let reply = {
            let mut inner = self.0.lock().unwrap();
            inner.seen.push(seen.clone());
            inner.reply.clone()
        };
        reply(&seen)
    }
}

impl Seen {
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    /// The values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.trim_end().split("\r\n").skip(1);
        let lines = lines.filter_map(|line| line.split_once(':'));
        let named = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect()
    }

    pub(crate) fn is_health_check(&self) -> bool {
        self.all("user-agent") == ["wxgate-health"]
    }
}

/// Answers until the connection ends.
pub(super) async fn serve(
    mut stream: impl Stream,
    connection: usize,
    record: Record,
) -> Option<()> {
    let mut buffer = Vec::new();
    for nth in 1.. {
        let head = read_until(&mut stream, &mut buffer, b"\r\n\r\n").await?;
        let mut seen = Seen { connection, nth, head, body: String::new() };
        if let [length] = seen.all("content-length")[..] {
            let length: usize = length.parse().ok()?;
            while buffer.len() < length {
                fill(&mut stream, &mut buffer).await?;
            }
            seen.body = String::from_utf8_lossy(&buffer.drain(..length).collect::<Vec<_>>()).into();
        } else if seen.all("transfer-encoding") == ["chunked"] {
            seen.body = read_until(&mut stream, &mut buffer, b"0\r\n\r\n").await?;
        }
        for step in record.reply_to(seen) {
            match step {
                Step::Send(bytes) => stream.write_all(&bytes).await.ok()?,
                Step::Await(gate) => drop(gate.0.acquire().await),
                Step::Wait(duration) => tokio::time::sleep(duration).await,
                Step::Hang => std::future::pending().await,
                Step::Close => return stream.shutdown().await.ok(),
                Step::Reset => {
                    // Closing with nothing to linger for is a reset.
                    #[allow(deprecated, reason = "zero seconds do not block")]
                    stream.tcp()?.set_linger(Some(Duration::ZERO)).ok()?;
                    return None;
                }
            }
        }
    }
    None
}

async fn read_until(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    end: &[u8],
) -> Option<String> {
    loop {
        if let Some(at) = buffer.windows(end.len()).position(|window| window == end) {
            let read: Vec<u8> = buffer.drain(..at + end.len()).collect();
            return Some(String::from_utf8_lossy(&read).into_owned());
        }
        fill(stream, buffer).await?;
    }
}

async fn fill(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<()> {
    (stream.read_buf(buffer).await.ok()? > 0).then_some(())
}
