//! Names become addresses off the path of requests: all of their addresses, and again while the
//! gateway runs.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::standing::Standing;
use super::{Address, Server, Settings, Target, Upstream, health};

/// getaddrinfo tells no lifetime. Kubernetes gives its records 5 to 30 s; a server that cannot be
/// connected to makes it be asked at once.
const AGAIN: Duration = Duration::from_secs(10);
/// However often servers fail: the resolver is not asked more often.
const AT_MOST: Duration = Duration::from_secs(1);
/// A resolver that does not answer holds up neither the start nor the other names.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who knows the addresses of names.
#[async_trait]
pub(super) trait Lookup: Send + Sync {
    async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// getaddrinfo, and with it /etc/hosts and the search domains of Kubernetes.
pub(super) struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// Resolves the names of one upstream.
struct Resolver {
    lookup: Box<dyn Lookup>,
    /// Which servers did not resolve the last time, so that it is said once.
    unresolved: Vec<bool>,
}

/// Resolves once, and then again and again for as long as the upstream is used.
pub(super) async fn start(upstream: &Arc<Upstream>, lookup: Box<dyn Lookup>) {
    let servers = &upstream.settings.servers;
    let mut resolver = Resolver { lookup, unresolved: vec![false; servers.len()] };
    let known = upstream.targets();
    resolver.resolve(upstream).await;
    // Those of before a reload: what watched them ends with the upstream that they were of.
    for target in upstream.targets().iter().filter(|target| has(&known, target)) {
        health::start(upstream, target);
        if !target.standing.lets_connect() {
            upstream.try_beside_requests(target);
        }
    }
    if servers.iter().any(Server::has_name) {
        upstream.spawn(resolver.run(Arc::downgrade(upstream)));
    }
}

impl Resolver {
    async fn run(mut self, upstream: Weak<Upstream>) {
        loop {
            let Some(asked) = wait(&upstream).await else { return };
            self.resolve(&asked).await;
            drop(asked);
        }
    }

    async fn resolve(&mut self, upstream: &Arc<Upstream>) {
        let servers = &upstream.settings.servers;
        let answers = join_all(servers.iter().map(|server| self.addresses(server))).await;
        let known = upstream.targets();
        let slowly_from = (!known.is_empty()).then(|| upstream.clock.elapsed());
        let mut targets: Vec<Arc<Target>> = Vec::new();
        for ((server, answer), unresolved) in servers.iter().zip(answers).zip(&mut self.unresolved)
        {
            say_change(&upstream.settings, server, &answer, unresolved);
            let Ok(addresses) = answer else {
                let of_server = |target: &&Arc<Target>| target.is_of(server, &target.address);
                targets.extend(known.iter().filter(of_server).cloned());
                continue;
            };
            for address in addresses {
                let same = |target: &&Arc<Target>| target.is_of(server, &address);
                if targets.iter().any(|target| same(&target)) {
                    continue;
                }
                let new = || {
                    Target::new(
                        server,
                        address.clone(),
                        &upstream.settings,
                        Standing::new(slowly_from),
                    )
                };
                targets.extend(known.iter().find(same).cloned().or_else(|| new().map(Arc::new)));
            }
        }
        install(upstream, &known, targets);
    }

    /// All addresses of a server, in one order whatever the resolver's.
    async fn addresses(&self, server: &Server) -> io::Result<Vec<Address>> {
        let (host, port) = match server {
            Server::Unix(path) => return Ok(vec![Address::Unix(path.clone())]),
            Server::Tcp { host, port, .. } => (host, *port),
        };
        if let Ok(address) = host.parse() {
            return Ok(vec![Address::Tcp(SocketAddr::new(address, port))]);
        }
        let mut found = timeout(PATIENCE, self.lookup.lookup(host, port)).await??;
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
        }
        found.sort_unstable();
        Ok(found.into_iter().map(Address::Tcp).collect())
    }
}

/// Waits until the names are to be looked up; gives none where the upstream is gone.
async fn wait(upstream: &Weak<Upstream>) -> Option<Arc<Upstream>> {
    sleep(AT_MOST).await;
    let mut left = AGAIN - AT_MOST;
    while !left.is_zero() {
        // In steps, so that an upstream that nobody has any more is let go.
        let step = left.min(AT_MOST);
        let used = upstream.upgrade()?;
        if timeout(step, used.resolve_now.notified()).await.is_ok() {
            break;
        }
        left -= step;
    }
    upstream.upgrade()
}

fn say_change(
    settings: &Settings,
    server: &Server,
    answer: &io::Result<Vec<Address>>,
    unresolved: &mut bool,
) {
    match answer {
        Err(error) if !*unresolved => warn!(
            "upstream {}: the name in {server} does not resolve ({error}); its last addresses stay \
             in use, and it is tried again",
            settings.name
        ),
        Ok(_) if *unresolved => {
            info!("upstream {}: the name in {server} resolves again", settings.name);
        }
        _ => {}
    }
    *unresolved = answer.is_err();
}

/// Puts the targets in the place of the known ones. A target whose address has vanished ends what is
/// under way there and gets nothing new.
fn install(upstream: &Arc<Upstream>, known: &[Arc<Target>], targets: Vec<Arc<Target>>) {
    let is_known = |target: &Arc<Target>| has(known, target);
    if targets.len() == known.len() && targets.iter().all(is_known) {
        return;
    }
    if !known.is_empty() {
        info!("upstream {}: now at {} addresses", upstream.settings.name, targets.len());
    }
    for target in targets.iter().filter(|target| !is_known(target)) {
        health::start(upstream, target);
    }
    upstream.replace_targets(targets);
}

fn has(targets: &[Arc<Target>], target: &Arc<Target>) -> bool {
    targets.iter().any(|known| Arc::ptr_eq(known, target))
}

#[cfg(test)]
mod tests;
