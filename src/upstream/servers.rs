//! The servers of an upstream as they stand now: names are resolved off the path of requests, to all of
//! their addresses, and again while the gateway runs.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tracing::{info, warn};

use super::{Server, Settings};

/// getaddrinfo tells no lifetime; this follows a Kubernetes headless service closely enough.
const RESOLVE_AGAIN: Duration = Duration::from_secs(10);

/// One upstream while the gateway runs.
#[derive(Debug)]
pub struct Upstream {
    /// What the configuration says of it.
    pub settings: Settings,
    targets: ArcSwap<Vec<Arc<Target>>>,
    next: AtomicUsize,
}

/// One place to connect to.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it is.
    pub address: Address,
    /// The name that its certificate must have, where the connection is TLS.
    pub tls_name: Option<String>,
}

/// A socket address or the path of a unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the types say it")]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Upstream {
    /// Resolves the servers once. A name that does not resolve yet is said and tried again.
    pub async fn start(settings: Settings) -> Arc<Self> {
        let targets = ArcSwap::default();
        let upstream = Arc::new(Self { settings, targets, next: AtomicUsize::new(0) });
        upstream.resolve().await;
        if upstream.settings.servers.iter().any(Server::has_name) {
            tokio::spawn(resolve_while_used(Arc::downgrade(&upstream)));
        }
        upstream
    }

    /// The next server in turn; none while no name has resolved.
    pub fn pick(&self) -> Option<Arc<Target>> {
        let targets = self.targets.load();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let index = turn.checked_rem(targets.len())?;
        targets.get(index).cloned()
    }

    async fn resolve(&self) {
        let known = self.targets.load_full();
        let mut targets = Vec::new();
        for server in &self.settings.servers {
            match server.targets().await {
                Ok(found) => targets.extend(found),
                Err(error) => {
                    let name = &self.settings.name;
                    warn!(
                        "upstream {name}: the name in {server} does not resolve ({error}); \
                         its last addresses stay in use, and it is tried again"
                    );
                    let same_name = |target: &&Arc<Target>| server.is_of(target);
                    targets.extend(known.iter().filter(same_name).cloned());
                }
            }
        }
        if *known != targets {
            if !known.is_empty() {
                info!("upstream {}: now at {} addresses", self.settings.name, targets.len());
            }
            self.targets.store(Arc::new(targets));
        }
    }
}

/// Resolves again and again, until the upstream is dropped.
async fn resolve_while_used(upstream: std::sync::Weak<Upstream>) {
    loop {
        tokio::time::sleep(RESOLVE_AGAIN).await;
        let Some(upstream) = upstream.upgrade() else { return };
        upstream.resolve().await;
    }
}

impl Server {
    fn has_name(&self) -> bool {
        matches!(self, Self::Tcp { host, .. } if host.parse::<std::net::IpAddr>().is_err())
    }

    async fn targets(&self) -> std::io::Result<Vec<Arc<Target>>> {
        match self {
            Self::Unix(path) => {
                let address = Address::Unix(path.clone());
                Ok(vec![Arc::new(Target { address, tls_name: None })])
            }
            Self::Tcp { tls, host, port } => {
                let mut addresses: Vec<_> =
                    tokio::net::lookup_host((host.as_str(), *port)).await?.collect();
                addresses.sort_unstable();
                addresses.dedup();
                let target = |address| Target {
                    address: Address::Tcp(address),
                    tls_name: tls.then(|| host.clone()),
                };
                Ok(addresses.into_iter().map(target).map(Arc::new).collect())
            }
        }
    }

    /// Whether a target may have come from this server: told by its port and its TLS name.
    fn is_of(&self, target: &Target) -> bool {
        match (self, &target.address) {
            (Self::Tcp { tls, host, port }, Address::Tcp(address)) => {
                address.port() == *port && target.tls_name.as_ref() == tls.then_some(host)
            }
            _ => false,
        }
    }
}
