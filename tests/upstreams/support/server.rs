//! A server behind the gateway that records what it gets, byte by byte, and answers what a test says.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A server; it ends, with its connections, when this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    record: Record,
    accepting: Option<JoinHandle<()>>,
    /// Keeps the port while nothing listens on it.
    _port: Option<TcpSocket>,
}

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
    /// No answer, for as long as the gateway waits.
    Hang,
    Close,
    Reset,
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

impl Server {
    /// One that answers 200 with its name.
    pub(crate) async fn start(name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, Record::new(name), None)
    }

    pub(crate) async fn tls(name: &str, tls: rustls::ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, Record::new(name), Some(Arc::new(tls).into()))
    }

    /// One on a unix socket.
    pub(crate) fn unix(name: &str, path: &Path) -> (Record, JoinHandle<()>) {
        let (record, listener) = (Record::new(name), UnixListener::bind(path).unwrap());
        let shared = record.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = shared.connected();
                tokio::spawn(serve(stream, connection, shared.clone()));
            }
        });
        (record, accepting)
    }

    fn on(listener: TcpListener, record: Record, tls: Option<TlsAcceptor>) -> Self {
        let address = listener.local_addr().unwrap();
        let accepting = Some(tokio::spawn(accept(listener, record.clone(), tls)));
        Self { address, record, accepting, _port: None }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on this is answered.
    pub(crate) fn answers(&self, reply: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) {
        self.record.0.lock().unwrap().reply = Arc::new(reply);
    }

    /// The requests so far, but for health checks.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.record.seen()
    }

    pub(crate) fn connections(&self) -> usize {
        self.record.0.lock().unwrap().connections
    }

    /// Ends it, and everybody who connects from now on is refused.
    pub(crate) async fn stop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            let _ = accepting.await;
        }
        self._port = Some(bound(self.address));
    }

    /// Comes back at its old address.
    pub(crate) fn start_again(&mut self) {
        let socket = self._port.take().unwrap_or_else(|| bound(self.address));
        let listener = socket.listen(64).unwrap();
        self.accepting = Some(tokio::spawn(accept(listener, self.record.clone(), None)));
    }
}

/// The port without anybody who listens: it is kept, and refuses.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

impl Record {
    pub(crate) fn new(name: &str) -> Self {
        let text = name.to_owned();
        let reply: Reply = Arc::new(move |_| answer(200, &text));
        let (connections, seen) = (0, Vec::new());
        Self(Arc::new(Mutex::new(Inner { connections, seen, reply })))
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        let seen = self.0.lock().unwrap().seen.clone();
        seen.into_iter().filter(|seen| !seen.is_health_check()).collect()
    }

    fn connected(&self) -> usize {
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

async fn accept(listener: TcpListener, record: Record, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let connection = record.connected();
        let (record, tls) = (record.clone(), tls.clone());
        connections.spawn(async move {
            match tls {
                None => serve(stream, connection, record).await,
                Some(tls) => serve(tls.accept(stream).await.ok()?, connection, record).await,
            }
        });
    }
}

async fn serve(mut stream: impl Stream, connection: usize, record: Record) -> Option<()> {
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

/// A listener whose queue is full: who connects waits for as long as he likes.
pub(crate) struct Deaf {
    pub(crate) address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<JoinHandle<std::io::Result<TcpStream>>>,
}

impl Deaf {
    pub(crate) async fn start() -> Self {
        let listener = bound(([127, 0, 0, 1], 0).into()).listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let queue = (0..8).map(|_| tokio::spawn(TcpStream::connect(address))).collect();
        while let Ok(connected) =
            timeout(Duration::from_millis(100), TcpStream::connect(address)).await
        {
            connected.unwrap();
        }
        Self { address, _listener: listener, _queue: queue }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// The path of a socket in a folder of its own.
pub(crate) fn socket(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("shop.sock")
}
