//! What the service manager is told of the gateway: the protocol of systemd, sd_notify(3).
//!
//! No watchdog: a task that still runs says nothing of the threads beside it, and a gateway that
//! systemd believes to be well for that would be worse off than one that nobody asks.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tracing::warn;

/// Whoever started this process and wants to hear of it; where there is nobody, nothing is said. Clones
/// share it.
#[derive(Clone, Debug, Default)]
pub struct ServiceManager(Option<Arc<Link>>);

#[derive(Debug)]
struct Link {
    socket: UnixDatagram,
    address: SocketAddr,
}

/// Longer than a manager that lives takes to read.
const PATIENCE: Duration = Duration::from_secs(1);

impl ServiceManager {
    /// Who listens at the socket that `NOTIFY_SOCKET` names: a path, or an abstract name behind an `@`.
    pub fn from_environment() -> Self {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Self::default();
        };
        let link = Link::to(name.as_encoded_bytes());
        let link = link.inspect_err(|error| {
            warn!(
                "nobody is told that the gateway is ready: NOTIFY_SOCKET names no socket: {error}"
            );
        });
        Self(link.ok().map(Arc::new))
    }

    /// It serves, from the start or again after [`ServiceManager::reloading`].
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", line(status)));
    }

    /// It reads its configuration. The time tells the manager which of its signals this answers.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    /// It stops, and that may take so long: `TimeoutStopSec=` of a unit does not know the configuration.
    pub fn stopping(&self, longest: Duration, status: &str) {
        let (longest, status) = (longest.as_micros(), line(status));
        self.tell(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={longest}\nSTATUS={status}"));
    }

    /// What `systemctl status` shows.
    pub fn status(&self, status: &str) {
        self.tell(&format!("STATUS={}", line(status)));
    }

    fn tell(&self, news: &str) {
        let Some(link) = &self.0 else { return };
        if let Err(error) = link.socket.send_to_addr(news.as_bytes(), &link.address) {
            warn!("the service manager was not told {news:?}: {error}");
        }
    }
}

impl Link {
    fn to(name: &[u8]) -> io::Result<Self> {
        let address = match name {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(std::path::Path::new(
                std::str::from_utf8(name).map_err(io::Error::other)?,
            ))?,
            _ => return Err(io::Error::other("it begins with neither / nor @")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, address })
    }
}

/// A line is the end of what is said.
fn line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
