//! The socket, and the connections of the gateways that ask there.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tracing::warn;

use super::service::{Authorization, LONGEST_CALL};
use crate::lifecycle::in_flight::{Guard, InFlight};
use crate::listen::{Address, SOCKET_MODE, UnixPath, bind_unix};

/// A gateway has one for each of its threads.
const MOST_CONNECTIONS: usize = 1024;
/// At once on one connection; gateways open another one then.
const MOST_STREAMS: u32 = 1024;
/// A gateway that is gone without a word.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Where no connection can be accepted: no file descriptors, most likely.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that listens.
pub(super) struct Bound {
    pub(super) listener: Listener,
    pub(super) address: Address,
    pub(super) socket: Option<UnixPath>,
}

pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// One connection.
pub(super) struct Connection {
    stream: Carrier,
    _open: Guard,
}

enum Carrier {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Binds an address, as for the data listeners.
pub(super) fn bind(address: &Address) -> io::Result<Bound> {
    match address {
        Address::Tcp(address) => {
            let socket = std::net::TcpListener::bind(address)?;
            socket.set_nonblocking(true)?;
            let address = Address::Tcp(socket.local_addr()?);
            let listener = Listener::Tcp(TcpListener::from_std(socket)?);
            Ok(Bound { listener, address, socket: None })
        }
        Address::Unix(path) => {
            let listener = Listener::Unix(UnixListener::from_std(bind_unix(path)?)?);
            std::fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))?;
            Ok(Bound { listener, address: address.clone(), socket: UnixPath::of(path) })
        }
    }
}

/// Serves until it is told to stop, and the connections that there are then to their end.
pub(super) async fn serve(
    listener: Listener,
    service: Authorization,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), tonic::transport::Error> {
    let open = InFlight::default();
    let connections = stream::unfold((listener, open), async |(listener, open)| {
        let connection = next(&listener, &open).await;
        Some((Ok::<_, io::Error>(connection), (listener, open)))
    });
    let stop = async move {
        // An error means that nobody is there who could tell.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    serve_each(connections, service, stop).await
}

async fn serve_each(
    connections: impl Stream<Item = io::Result<Connection>>,
    service: Authorization,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    Server::builder()
        .timeout(LONGEST_CALL)
        .max_concurrent_streams(MOST_STREAMS)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .serve_with_incoming_shutdown(service, connections, stop)
        .await
}

/// The next connection that there is room for.
async fn next(listener: &Listener, open: &InFlight) -> Connection {
    loop {
        let accepted = match listener {
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                // Without it small answers wait for more; an error is one of the connection.
                let _ = stream.set_nodelay(true);
                Carrier::Tcp(stream)
            }),
            Listener::Unix(listener) => {
                listener.accept().await.map(|(stream, _)| Carrier::Unix(stream))
            }
        };
        match accepted {
            Ok(stream) => {
                if let Some(open) = open.enter_below(MOST_CONNECTIONS) {
                    return Connection { stream, _open: open };
                }
            }
            Err(error) => {
                warn!("[ext_authz] cannot accept connections: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Carrier::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Carrier::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Carrier::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Carrier::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Carrier::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Carrier::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Carrier::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Carrier::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
