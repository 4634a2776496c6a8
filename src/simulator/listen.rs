//! The sockets: connections that a fault can cut.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Serves until the sender of `stopped` is dropped; from then on no connection writes any more.
pub(super) async fn serve(listener: TcpListener, router: Router, stopped: oneshot::Receiver<()>) {
    let down = Arc::new(AtomicBool::new(false));
    let sockets = Sockets { listener, down: Arc::clone(&down) };
    let service = router.into_make_service_with_connect_info::<Peer>();
    let served = axum::serve(sockets, service).with_graceful_shutdown(async move {
        // Nothing is ever sent; the drop of the sender is the signal.
        let _ = stopped.await;
        down.store(true, Ordering::Relaxed);
    });
    if let Err(error) = served.await {
        tracing::warn!(%error, "the simulator has stopped serving");
    }
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Its address.
    pub(super) address: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl Peer {
    /// Makes the next write fail, so that the connection ends without another byte.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Sockets>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Sockets>) -> Self {
        stream.remote_addr().clone()
    }
}

struct Sockets {
    listener: TcpListener,
    down: Arc<AtomicBool>,
}

impl Listener for Sockets {
    type Io = Connection;
    type Addr = Peer;

    async fn accept(&mut self) -> (Connection, Peer) {
        // axum's own listener knows which errors of accept(2) to wait out.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let cut = Arc::new(AtomicBool::new(false));
        let peer = Peer { address, cut: Arc::clone(&cut) };
        (Connection { stream, cut, down: Arc::clone(&self.down) }, peer)
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer { address: self.listener.local_addr()?, cut: Arc::default() })
    }
}

struct Connection {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
    down: Arc<AtomicBool>,
}

impl Connection {
    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed) || self.down.load(Ordering::Relaxed)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
