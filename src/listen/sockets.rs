//! The sockets that the gateway listens on, handed to pingora's accept loop.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pingora_core::apps::ServerApp;
use pingora_core::listeners::{L4BufferSettings, ListenerConfig, TcpSocketOptions};
use pingora_core::protocols::TcpKeepalive;
use pingora_core::server::Fds;
use pingora_core::services::Service as _;
use pingora_core::services::listening::Service;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Address, Settings};

/// None: the door, pingora's readers of bodies and h2 read into buffers of their own, and an idle
/// connection holds little (`ARCHITECTURE.md`, memory).
const READ_BUFFER: usize = 0;
/// A phone that has vanished holds a tunnel for two minutes, not for ever.
const KEEPALIVE: TcpKeepalive = TcpKeepalive {
    idle: Duration::from_secs(60),
    interval: Duration::from_secs(15),
    count: 4,
    user_timeout: Duration::ZERO,
};
/// One packet.
const WRITE_BUFFER: usize = 1460;
/// A unix socket is for the user and the group that the gateway runs as.
const SOCKET_MODE: u32 = 0o660;

/// The gateway cannot listen where it is told to.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}")]
pub struct NotBound {
    address: Address,
    error: std::io::Error,
}

/// Sockets that are open and accepting.
#[derive(Debug)]
pub struct Listening {
    /// Where, with the port that a port of 0 came to.
    pub addresses: Vec<Address>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    sockets: Vec<UnixPath>,
}

/// Listens on every address of the settings and gives the connections to `app`.
pub fn listen<A>(settings: &Settings, app: A) -> Result<Listening, NotBound>
where
    A: ServerApp + Send + Sync + 'static,
{
    let mut service = Service::new("data".to_owned(), app);
    let mut fds = Fds::new();
    let mut addresses = Vec::new();
    let mut sockets = Vec::new();
    for listener in &settings.listeners {
        let not_bound = |error| NotBound { address: listener.address.clone(), error };
        let (config, address) = match &listener.address {
            Address::Tcp(address) => {
                let socket = TcpListener::bind(address).map_err(not_bound)?;
                socket.set_nonblocking(true).map_err(not_bound)?;
                let bound = socket.local_addr().map_err(not_bound)?;
                fds.add(bound.to_string(), socket.into_raw_fd());
                let mut options = TcpSocketOptions::default();
                options.tcp_keepalive = Some(KEEPALIVE);
                let config = ListenerConfig::tcp(bound.to_string()).tcp_socket_options(options);
                (config, Address::Tcp(bound))
            }
            Address::Unix(path) => {
                let socket = bind_unix(path).map_err(not_bound)?;
                let name = path.to_string_lossy().into_owned();
                fds.add(name.clone(), socket.into_raw_fd());
                sockets.extend(UnixPath::of(path));
                let permissions = Permissions::from_mode(SOCKET_MODE);
                let config = ListenerConfig::uds(name).permissions(permissions);
                (config, listener.address.clone())
            }
        };
        let buffers = L4BufferSettings::default().read(READ_BUFFER).write(WRITE_BUFFER);
        service.add_listener(config.l4_buffer(buffers));
        addresses.push(address);
    }
    let (stop, stopped) = watch::channel(false);
    let fds = Arc::new(Mutex::new(fds));
    let accepting = tokio::spawn(async move {
        service.start_service(Some(fds), stopped, 1).await;
    });
    Ok(Listening { addresses, stop, accepting, sockets })
}

impl Listening {
    /// Closes the sockets and the idle connections; requests under way go on.
    pub async fn stop(self) {
        // An error means that the accept loop has ended already.
        let _ = self.stop.send(true);
        let _ = self.accepting.await;
        for socket in &self.sockets {
            socket.remove();
        }
    }
}

/// Where a unix socket of ours is, until somebody else binds the path.
#[derive(Debug)]
struct UnixPath {
    path: PathBuf,
    inode: u64,
}

impl UnixPath {
    fn of(path: &Path) -> Option<Self> {
        let inode = std::fs::metadata(path).ok()?.ino();
        Some(Self { path: path.to_owned(), inode })
    }

    fn remove(&self) {
        let ours = std::fs::metadata(&self.path).is_ok_and(|file| file.ino() == self.inode);
        if ours {
            // Where it is gone already, all the better.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Binds a path; a socket that a process left there when it died is taken away first.
fn bind_unix(path: &Path) -> std::io::Result<UnixListener> {
    let is_socket = std::fs::metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if is_socket && UnixStream::connect(path).is_err() {
        std::fs::remove_file(path)?;
    }
    let socket = UnixListener::bind(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
