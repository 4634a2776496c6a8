//! A server that nobody could connect to is tried beside the requests, so that none of them has to be
//! the one that finds out: the half-open state of the circuit breaker.

use std::sync::Weak;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};
use tracing::info;

use super::hash::{mix, unit};
use super::{Address, Target, Upstream};

const AGAIN: Duration = Duration::from_millis(500);

/// Tries to connect until it works; then the target gets requests again. Ends with its target.
pub(super) async fn until_it_opens(upstream: Weak<Upstream>, target: Weak<Target>) {
    for attempt in 0_u64.. {
        // Replicas that lost the server in the same moment do not all come back in the same.
        let seed = target.upgrade().map_or(0, |target| target.seed);
        sleep(AGAIN.mul_f64(0.8 + 0.4 * unit(mix(seed ^ attempt)))).await;
        let (Some(upstream), Some(target)) = (upstream.upgrade(), target.upgrade()) else { return };
        if connects(&target.address, upstream.settings.connect_timeout).await {
            target.standing.open(upstream.clock.elapsed(), upstream.settings.eject.failures);
            let name = &upstream.settings.name;
            info!("upstream {name}: {} can be connected to again", target.address);
            return;
        }
    }
}

async fn connects(address: &Address, patience: Duration) -> bool {
    let connected = async {
        match address {
            Address::Tcp(address) => TcpStream::connect(address).await.is_ok(),
            Address::Unix(path) => UnixStream::connect(path).await.is_ok(),
        }
    };
    timeout(patience, connected).await.unwrap_or(false)
}
