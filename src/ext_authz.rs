//! Envoy asks over gRPC (`ext_authz`) about requests that it passes on itself: the listener for it. What is
//! decided is decided by the routes, as for requests that come to us.

mod answer;
mod asked;
mod call;
mod checks;
mod decision;
mod listener;
mod messages;
mod service;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::warn;

use self::checks::Checks;
use self::listener::Bound;
use self::service::Authorization;
use crate::lifecycle::in_flight::InFlight;
use crate::listen::{Address, UnixPath};
use crate::proxy::State;
use crate::secret::Secret;
use crate::telemetry::metrics::Metrics;

/// For gateways to hear that we leave, and for us to hear what they asked before that.
const LEAVING: Duration = Duration::from_secs(1);

/// The `[ext_authz]` table, where it says where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen.
    pub listen: Address,
    /// What a call must show; it has to be there where other machines can call.
    pub token: Option<Secret>,
}

/// What the listener shares with the rest of the gateway.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The configuration as requests use it.
    pub state: Arc<ArcSwap<State>>,
    /// Counts what is under way.
    pub requests: InFlight,
    /// What is counted.
    pub metrics: Metrics,
    /// What a call must show now, if anything.
    pub token: Arc<ArcSwapOption<Secret>>,
}

/// The listener while it runs; it ends when this is dropped.
#[derive(Debug)]
pub struct ExtAuthz {
    /// Where it listens, with the port that a port of 0 came to.
    pub address: Address,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    socket: Option<UnixPath>,
}

impl ExtAuthz {
    /// Listens and serves.
    ///
    /// # Errors
    ///
    /// Why the address is not to be had.
    pub fn start(settings: Settings, shared: Shared) -> std::io::Result<Self> {
        let Bound { listener, address, socket } = listener::bind(&settings.listen)?;
        let (stop, stopped) = watch::channel(false);
        let checks = Checks::new(shared.state, &shared.metrics);
        let service = Authorization::new(checks, shared.requests, shared.token);
        let serving = tokio::spawn(async move {
            if let Err(error) = listener::serve(listener, service, stopped).await {
                warn!("[ext_authz] serves no more: {error}");
            }
        });
        Ok(Self { address, stop, serving, socket })
    }

    /// Takes no new connections, and takes leave of those that there are once nothing is under way there.
    pub fn stop(&mut self) {
        self.stop.send_replace(true);
        if let Some(socket) = self.socket.take() {
            socket.remove();
        }
    }

    /// Waits until those that are told to leave have left. Who does not hear holds nobody up, but for
    /// what is under way by then.
    pub async fn left(&mut self, requests: &InFlight) {
        let late = async {
            tokio::time::sleep(LEAVING).await;
            requests.idle().await;
        };
        tokio::select! {
            // An error means that it has failed, which was said then.
            _ = &mut self.serving => {}
            () = late => {}
        }
    }
}

impl Drop for ExtAuthz {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
