//! The sockets that the gateway listens on, handed to pingora's accept loop.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use pingora_core::apps::HttpServerApp;
use pingora_core::listeners::{L4BufferSettings, ListenerConfig, TcpSocketOptions};
use pingora_core::protocols::TcpKeepalive;
use pingora_core::server::Fds;
use pingora_core::services::Service as _;
use pingora_core::services::listening::Service;
use socket2::SockRef;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::warn;

use super::door::{Door, Hall, JUST_COME};
use super::entrance::Entrance;
use super::per_address::PerAddress;
use super::tls::{Served, Unusable};
use super::{Address, Listener, NotPassed, Observer, Place, Settings, SocketName, passed};
use crate::identity::forwarded::TrustedProxies;
use crate::lifecycle::closer::Closers;
use crate::lifecycle::in_flight::InFlight;
use crate::lifecycle::stopping::Stopping;
use crate::policy::limits::{LINGER, Limits};
use crate::telemetry::seldom::Seldom;

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
/// What the kernel holds of an answer that was not sent yet, which it makes megabytes of for a client that
/// reads slowly. It is also how finely a slow client's progress is seen.
const UNSENT: u32 = 64 << 10;
/// A unix socket is for the user and the group that the gateway runs as.
pub const SOCKET_MODE: u32 = 0o660;

/// The gateway cannot listen where it is told to.
#[derive(Debug, thiserror::Error)]
pub enum NotListening {
    /// The address is not to be had.
    #[error("cannot listen on {address}: {error}")]
    NotBound {
        /// The address.
        address: Address,
        /// Why.
        error: std::io::Error,
    },
    /// The service manager passed no such socket.
    #[error("cannot listen on systemd:{name}: {error}")]
    NotPassed {
        /// Its name.
        name: SocketName,
        /// Why.
        error: NotPassed,
    },
    /// Its certificate has become unusable since it was checked.
    #[error("cannot listen on {place}: {unusable}")]
    Unusable {
        /// Where.
        place: Place,
        /// Why.
        unusable: Unusable,
    },
}

/// Sockets that are open and accepting.
#[derive(Debug)]
pub struct Listening {
    /// Where, with the port that a port of 0 came to.
    pub addresses: Vec<Address>,
    /// For the accept loops, and the tasks that hand their connections over, alone.
    stop: watch::Sender<bool>,
    close: watch::Sender<bool>,
    open: Closers,
    accepting: Vec<JoinHandle<()>>,
    arrivals: InFlight,
    multiplexed: InFlight,
    sockets: Vec<UnixPath>,
}

/// What the listeners share with the rest of the gateway. What a reload changes is read as it is when a
/// connection or a request begins.
#[derive(Clone, Debug)]
pub struct Shared {
    /// What clients may send, and how slowly.
    pub limits: Arc<ArcSwap<Limits>>,
    /// Whose PROXY headers are believed.
    pub trusted_proxies: Arc<ArcSwap<TrustedProxies>>,
    /// Whether the gateway is about to stop.
    pub stopping: Stopping,
    /// Counts the requests under way.
    pub requests: InFlight,
    /// Counts the connections that are open.
    pub connections: InFlight,
    /// Who is told of what happens at the door.
    pub observer: Arc<dyn Observer>,
}

/// Listens on every address of the settings and gives the requests to `handler`.
pub fn listen<A>(
    settings: &Settings,
    shared: &Shared,
    handler: Arc<A>,
) -> Result<Listening, NotListening>
where
    A: HttpServerApp + Send + Sync + 'static,
{
    let (stop, stopped) = watch::channel(false);
    let connections = Closers::default();
    let per_address = PerAddress::default();
    let (arrivals, multiplexed) = (InFlight::default(), InFlight::default());
    let (close, closing) = watch::channel(false);
    let hall = Hall {
        handler,
        shared: shared.clone(),
        arrivals: arrivals.clone(),
        multiplexed: multiplexed.clone(),
        closing,
        open: connections.clone(),
    };
    // All are bound before the first one accepts.
    let mut services = Vec::new();
    let mut addresses = Vec::new();
    let mut sockets = Vec::new();
    for listener in &settings.listeners {
        let tls = certificate(listener)?;
        for bound in open(&listener.place)? {
            let entrance = Entrance {
                proxy_protocol: listener.proxy_protocol,
                tls: tls.clone(),
                per_address: per_address.clone(),
                shared: hall.shared.clone(),
                strangers: Seldom::default(),
            };
            let buffers = L4BufferSettings::default().read(READ_BUFFER).write(WRITE_BUFFER);
            let door = Door::new(hall.clone(), entrance, listener.h2c);
            let mut service = Service::new("data".to_owned(), door);
            service.add_listener(bound.config.l4_buffer(buffers));
            services.push((service, bound.fds));
            addresses.push(bound.address);
            sockets.extend(bound.path);
        }
    }
    for name in passed::left() {
        warn!(
            "the socket {name} was passed and nobody listens on it: add \"systemd:{name}\" to [server] listen"
        );
    }
    let accept = |(mut service, fds): (Service<_>, _)| {
        let (fds, stopped) = (Arc::new(Mutex::new(fds)), stopped.clone());
        tokio::spawn(async move { service.start_service(Some(fds), stopped, 1).await })
    };
    let accepting = services.into_iter().map(accept).collect();
    let open = connections;
    Ok(Listening { addresses, stop, close, open, accepting, arrivals, multiplexed, sockets })
}

impl Listening {
    /// Closes the sockets and the idle connections; requests under way go on. Who has only just connected
    /// is heard first.
    pub async fn stop(&mut self) {
        self.close.send_replace(true);
        self.stop.send_replace(true);
        for accepting in self.accepting.drain(..) {
            let _ = accepting.await;
        }
        for socket in self.sockets.drain(..) {
            socket.remove();
        }
        // What was accepted is at the door now, though its task may not have run before.
        self.stop.closed().await;
        // Over the time are handshakes, which have one of their own.
        let _ = tokio::time::timeout(JUST_COME, self.arrivals.idle()).await;
    }

    /// Waits a little until clients of HTTP/2 have taken the ends of their answers: those are the connection's to
    /// send, after the requests have ended. Whoever is gone without a word is not waited for.
    pub async fn left(&self) {
        let _ = tokio::time::timeout(LINGER, self.multiplexed.idle()).await;
    }

    /// Closes every connection, whatever goes on there.
    pub fn cut_off(&self) {
        self.open.close();
    }
}

fn certificate(listener: &Listener) -> Result<Option<Arc<Served>>, NotListening> {
    let served = listener.tls.clone().map(Served::start).transpose();
    let place = || listener.place.clone();
    served.map_err(|unusable| NotListening::Unusable { place: place(), unusable })
}

/// A socket, in pingora's terms.
struct Bound {
    config: ListenerConfig,
    fds: Fds,
    address: Address,
    path: Option<UnixPath>,
}

/// The sockets of a listener: one, or those that were passed under its name.
fn open(place: &Place) -> Result<Vec<Bound>, NotListening> {
    match place {
        Place::Own(address) => match bind(address) {
            Ok(bound) => Ok(vec![bound]),
            Err(error) => Err(NotListening::NotBound { address: address.clone(), error }),
        },
        Place::Passed(name) => {
            let not_passed = |error| NotListening::NotPassed { name: name.clone(), error };
            let sockets = passed::take(name).map_err(not_passed)?.into_iter().map(tcp);
            let unfit = |error: std::io::Error| not_passed(NotPassed::Unfit(error.to_string()));
            sockets.collect::<Result<_, _>>().map_err(unfit)
        }
    }
}

fn bind(address: &Address) -> std::io::Result<Bound> {
    match address {
        Address::Tcp(address) => tcp(TcpListener::bind(address)?),
        Address::Unix(path) => {
            let mut fds = Fds::new();
            let name = path.to_string_lossy().into_owned();
            fds.add(name.clone(), bind_unix(path)?.into_raw_fd());
            let permissions = Permissions::from_mode(SOCKET_MODE);
            let config = ListenerConfig::uds(name).permissions(permissions);
            Ok(Bound { config, fds, address: address.clone(), path: UnixPath::of(path) })
        }
    }
}

fn tcp(socket: TcpListener) -> std::io::Result<Bound> {
    // Connections have it from their listener. Without it more memory may be held, and that is all.
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT);
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    let mut fds = Fds::new();
    fds.add(address.to_string(), socket.into_raw_fd());
    let mut options = TcpSocketOptions::default();
    options.tcp_keepalive = Some(KEEPALIVE);
    let config = ListenerConfig::tcp(address.to_string()).tcp_socket_options(options);
    Ok(Bound { config, fds, address: Address::Tcp(address), path: None })
}

/// Where a unix socket of ours is, until somebody else binds the path.
#[derive(Debug)]
pub struct UnixPath {
    path: PathBuf,
    inode: u64,
}

impl UnixPath {
    /// The socket that was just bound there.
    pub fn of(path: &Path) -> Option<Self> {
        let inode = std::fs::metadata(path).ok()?.ino();
        Some(Self { path: path.to_owned(), inode })
    }

    /// Takes it away, unless it is somebody else's by now.
    pub fn remove(&self) {
        let ours = std::fs::metadata(&self.path).is_ok_and(|file| file.ino() == self.inode);
        if ours {
            // Where it is gone already, all the better.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Binds a path; a socket that a process left there when it died is taken away first.
pub fn bind_unix(path: &Path) -> std::io::Result<UnixListener> {
    let is_socket = std::fs::metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if is_socket && UnixStream::connect(path).is_err() {
        std::fs::remove_file(path)?;
    }
    let socket = UnixListener::bind(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
