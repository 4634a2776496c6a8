//! Upstreams: whether they can be reached, and whether that is so past the gateway.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use super::finding::Finding;
use super::{addresses, certificates};
use crate::config::Settings;
use crate::upstream::{self, Protocol, Server};

/// Nothing on this machine takes longer to answer.
const AT_HOME: Duration = Duration::from_secs(1);

pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    let addresses = addresses::of_this_machine();
    let servers = settings.upstreams.iter().flat_map(|upstream| {
        upstream.servers.iter().map(|server| look_at(upstream, server, &addresses))
    });
    let mut findings = join_all(servers).await.concat();
    findings.extend(settings.upstreams.iter().flat_map(certificates::of_client));
    findings
}

async fn look_at(
    upstream: &upstream::Settings,
    server: &Server,
    addresses: &[IpAddr],
) -> Vec<Finding> {
    let about = format!("[upstreams.{}] {server}", upstream.name);
    let reached = match server {
        Server::Unix(path) => {
            within(upstream.connect_timeout, UnixStream::connect(path)).await.map(|_| Vec::new())
        }
        Server::Tcp { host, port, .. } => reach(host, *port, upstream.connect_timeout).await,
    };
    let mut findings = match &reached {
        Ok(_) => vec![Finding::good("upstream", &about, "can be reached")],
        Err(error) => {
            let what = format!("cannot be reached: {error}");
            let help = "start it, or correct its URL; the gateway answers upstream_unavailable";
            vec![Finding::error("upstream_unreachable", &about, what, help)]
        }
    };
    let reached = reached.unwrap_or_default();
    if matches!(server, Server::Tcp { protocol: Protocol::Https, .. }) {
        findings.extend(certificates::of_server(upstream, server, &reached).await);
    }
    if let Some(home) = reached.iter().find(|address| address.ip().is_loopback()) {
        let others = addresses.iter().map(|ip| SocketAddr::new(*ip, home.port()));
        let open = join_all(others.map(async |address| {
            within(AT_HOME, TcpStream::connect(address)).await.is_ok().then_some(address)
        }));
        findings.extend(open.await.into_iter().flatten().map(|address| bypass(&about, address)));
    }
    findings
}

/// Whoever gets there past the gateway says himself who he is.
fn bypass(about: &str, address: SocketAddr) -> Finding {
    let what = format!("something answers at {address} too, past the gateway");
    let help = "let the service listen on 127.0.0.1 or a unix socket alone: whoever reaches it can set X-WX-OPENID";
    Finding::error("upstream_bypass", about, what, help)
}

/// The addresses of a name at which somebody listens.
async fn reach(host: &str, port: u16, limit: Duration) -> io::Result<Vec<SocketAddr>> {
    let addresses = within(limit, lookup_host((host, port))).await?;
    let mut reached = Vec::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match within(limit, TcpStream::connect(address)).await {
            Ok(_) => reached.push(address),
            Err(error) => last = error,
        }
    }
    if reached.is_empty() { Err(last) } else { Ok(reached) }
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}"));
    timeout(limit, work).await.map_err(late)?
}
