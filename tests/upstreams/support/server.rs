//! A server behind the gateway that records what it gets, byte by byte, and answers what a test says.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::record::serve;
pub(crate) use super::record::{Gate, Record, Seen, Step, answer, bytes};

/// A server; it ends, with its connections, when this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    record: Record,
    accepting: Option<JoinHandle<()>>,
    /// Keeps the port while nothing listens on it.
    _port: Option<TcpSocket>,
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

    /// What it gets and answers, to be shared.
    pub(crate) fn record(&self) -> Record {
        self.record.clone()
    }

    /// From now on this is answered.
    pub(crate) fn answers(&self, reply: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) {
        self.record.answers(Arc::new(reply));
    }

    /// The requests so far, but for health checks.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.record.seen()
    }

    pub(crate) fn connections(&self) -> usize {
        self.record.connections()
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
