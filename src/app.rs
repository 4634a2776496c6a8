//! The composition root: from settings to a gateway that runs.

mod changes;
mod configuration;
mod follow;
mod metrics;
mod restart;
mod snapshot;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pingora_timeout::fast_timeout::set_fast_timeout_to_tokio_threshold;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

pub use self::configuration::Configuration;
pub use self::follow::{Source, follow};
use self::metrics::DoorMetrics;
use self::snapshot::Lasting;
use crate::admin::{Admin, Parts, Shown};
use crate::clock::Clock;
use crate::config::Settings;
use crate::ext_authz::{self, ExtAuthz};
use crate::lifecycle::in_flight::InFlight;
use crate::lifecycle::ready::Ready;
use crate::lifecycle::reloads::Reloads;
use crate::lifecycle::stopping::Stopping;
use crate::listen::{self, Address, Listening, Shared};
use crate::proxy::Gateway;
use crate::session::token::install_crypto_provider;
use crate::session::{Sessions, store_watch};
use crate::telemetry::log::Log;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Tracer;

/// For requests that were cut off to come to their end.
const CUT_OFF: Duration = Duration::from_millis(500);

/// A gateway that runs; it accepts until it is told to stop.
#[derive(Debug)]
pub struct App {
    /// Where it listens for requests, in the order of the settings.
    pub addresses: Vec<Address>,
    /// Where the admin listener is.
    pub admin_address: SocketAddr,
    /// Where Envoy asks about requests, if anywhere.
    pub ext_authz_address: Option<Address>,
    /// What is counted of it.
    pub metrics: Metrics,
    listening: Listening,
    ext_authz: Option<ExtAuthz>,
    /// Serves until the end, so that `/livez` and `/readyz` answer while requests end.
    _admin: Admin,
    ready: Ready,
    stopping: Stopping,
    requests: InFlight,
    tracer: Option<Tracer>,
    configuration: Arc<Configuration>,
}

/// How a gateway ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing was under way any more.
    Idle,
    /// So many requests were cut off when the time to drain was over.
    CutOff(usize),
}

/// Builds the gateway and starts it. Everything that can be wrong with the settings is said by now;
/// what fails here is the machine: an address in use, no memory.
pub async fn build(settings: Settings, clock: Clock) -> anyhow::Result<App> {
    // Large, and a part of every test's future otherwise.
    Box::pin(build_with(settings, clock, Log::default())).await
}

/// The same for a process whose log can be changed.
pub async fn build_with(settings: Settings, clock: Clock, log: Log) -> anyhow::Result<App> {
    install_crypto_providers();
    leave_timers_to_tokio();
    let (metrics, shown, started) = (Metrics::default(), Shown::default(), clock.now());
    let (ready, reloads) = (Ready::default(), Reloads::default());
    let starting = ready.block("gateway", "starting");
    log.count_in(&metrics);
    let parts = Parts {
        ready: ready.clone(),
        metrics: metrics.clone(),
        log: log.clone(),
        reloads: reloads.clone(),
        shown: shown.clone(),
    };
    let admin = Admin::start(&settings.admin, parts).await.map_err(|error| {
        anyhow::anyhow!("cannot listen on {} for [admin]: {error}", settings.admin.listen)
    })?;
    let (stopping, requests) = (Stopping::default(), InFlight::default());
    let server = settings.server.clone();
    let checks = settings.ext_authz.clone();
    let told = clock.clone();
    let now = move || told.unix_nanoseconds();
    let tracer = settings.traces.clone().map(|traces| Tracer::start(traces, now));
    let tracer = tracer.transpose()?;
    if let Some(tracer) = &tracer {
        metrics::sample_traces(&metrics, tracer);
    }
    let lasting = Lasting {
        clock,
        stopping: stopping.clone(),
        tracer: tracer.clone(),
        metrics: metrics.clone(),
        log,
        tunnels: InFlight::default(),
        shown,
    };
    let configuration = Configuration::start(settings, lasting, reloads.clone()).await?;
    let configuration = Arc::new(configuration);
    metrics::sample_configuration(&metrics, &configuration);
    watch_store(&configuration.state.load().sessions, &ready);

    let handler = Arc::new(Gateway::new(configuration.state.clone()));
    let shared = Shared {
        limits: configuration.limits.clone(),
        trusted_proxies: configuration.trusted_proxies.clone(),
        stopping: stopping.clone(),
        requests: requests.clone(),
        connections: InFlight::default(),
        observer: Arc::new(DoorMetrics::new(&metrics, configuration.state.clone())),
    };
    let whole = metrics::Whole {
        ready: ready.clone(),
        reloads,
        requests: requests.clone(),
        connections: shared.connections.clone(),
        started,
    };
    whole.sample(&metrics);
    let listening = listen::listen(&server, &shared, handler)?;
    let ext_authz = checks.map(|settings| {
        let (state, requests) = (configuration.state.clone(), requests.clone());
        let (metrics, token) = (metrics.clone(), configuration.checks_token.clone());
        start_ext_authz(settings, ext_authz::Shared { state, requests, metrics, token })
    });
    let ext_authz = ext_authz.transpose()?;
    drop(starting);
    Ok(App {
        addresses: listening.addresses.clone(),
        admin_address: admin.address,
        ext_authz_address: ext_authz.as_ref().map(|it| it.address.clone()),
        metrics,
        listening,
        ext_authz,
        _admin: admin,
        ready,
        stopping,
        requests,
        tracer,
        configuration,
    })
}

impl App {
    /// The configuration in effect, which another one may replace.
    pub fn configuration(&self) -> &Arc<Configuration> {
        &self.configuration
    }

    /// What spans are given to, where there is a collector.
    pub fn tracer(&self) -> Option<&Tracer> {
        self.tracer.as_ref()
    }

    /// Stops in order: not ready but accepting for the lame-duck time, then no new connections, until
    /// nothing is under way or the time to drain is over.
    pub async fn stop(mut self, lame_duck: bool) -> Ended {
        self.ready.block_for_good("gateway", "stopping");
        self.stopping.begin();
        let server = self.configuration.settings().server;
        if lame_duck && !server.lame_duck.is_zero() {
            info!("stopping: not ready, accepting for another {:?}", server.lame_duck);
            tokio::time::sleep(server.lame_duck).await;
        }
        info!("stopping: no new connections, {} requests under way", self.requests.count());
        if let Some(ext_authz) = &mut self.ext_authz {
            ext_authz.stop();
        }
        self.listening.stop().await;
        let ended = self.drain(server.drain).await;
        if let Some(tracer) = &self.tracer {
            tracer.shut_down().await;
        }
        ended
    }

    /// Until no request is under way, or this time is over.
    async fn drain(&mut self, drain: Duration) -> Ended {
        let end = Instant::now() + drain;
        match timeout_at(end, self.requests.idle()).await {
            Ok(()) => {
                let _ = timeout_at(end, self.listening.left()).await;
                if let Some(ext_authz) = &mut self.ext_authz {
                    // Who is slow to leave has had the time for it.
                    let _ = timeout_at(end, ext_authz.left(&self.requests)).await;
                }
                Ended::Idle
            }
            Err(_) => {
                let left = self.requests.count();
                warn!("stopped: {left} requests were cut off after [server] drain ({drain:?})");
                self.listening.cut_off();
                // What hangs on the client's connection ends at once, and comes to the log.
                let _ = tokio::time::timeout(CUT_OFF, self.requests.idle()).await;
                Ended::CutOff(left)
            }
        }
    }
}

/// Neither is about one configuration.
fn watch_store(sessions: &Sessions, ready: &Ready) {
    store_watch::start(sessions.store(), ready);
    sessions.watch_apps(ready);
}

fn start_ext_authz(
    settings: ext_authz::Settings,
    shared: ext_authz::Shared,
) -> anyhow::Result<ExtAuthz> {
    let address = settings.listen.clone();
    ExtAuthz::start(settings, shared)
        .map_err(|error| anyhow::anyhow!("cannot listen on {address} for [ext_authz]: {error}"))
}

/// ring for TLS and for tokens: one crypto library in the process.
fn install_crypto_providers() {
    // An error means that it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    install_crypto_provider();
}

/// pingora's timers of a second and more. Its own ask for the time of day whenever one might be needed,
/// in most cases for nothing, stay until they go off, and have a thread that wakes a hundred times a second.
fn leave_timers_to_tokio() {
    set_fast_timeout_to_tokio_threshold(Some(Duration::ZERO));
}
