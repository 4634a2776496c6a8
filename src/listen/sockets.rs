//! The sockets that the gateway listens on, handed to pingora's accept loop.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use pingora_core::apps::ServerApp;
use pingora_core::listeners::{L4BufferSettings, ListenerConfig};
use pingora_core::server::Fds;
use pingora_core::services::Service as _;
use pingora_core::services::listening::Service;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Address, Settings};

/// Enough for most heads, so that an idle connection holds little (`ARCHITECTURE.md`, memory).
const READ_BUFFER: usize = 4 << 10;
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
    sockets: Vec<PathBuf>,
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
                (ListenerConfig::tcp(bound.to_string()), Address::Tcp(bound))
            }
            Address::Unix(path) => {
                sockets.push(path.clone());
                let name = path.to_string_lossy().into_owned();
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
            let _ = std::fs::remove_file(socket);
        }
    }
}
