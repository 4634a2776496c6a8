//! The composition root: from settings to a gateway that runs.

mod metrics;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::http_proxy;
use tracing::{info, warn};

use crate::actions::exchange::Exchanges;
use crate::actions::key_check::KeyChecks;
use crate::actions::login::Logins;
use crate::actions::open_data::Opener;
use crate::actions::phone::Phones;
use crate::actions::profile::Profiles;
use crate::admin::{Admin, Parts, View};
use crate::clock::Clock;
use crate::config::Settings;
use crate::identity::forwarded::TrustedProxies;
use crate::identity::{HeaderRules, Identity};
use crate::lifecycle::in_flight::InFlight;
use crate::lifecycle::ready::Ready;
use crate::listen::{self, Address, Door, Listening};
use crate::policy::route::Table;
use crate::proxy::{Backend, Gateway, RequestMetrics, State};
use crate::redis::RedisStore;
use crate::session::access_token::AccessTokens;
use crate::session::key_ring::KeyRings;
use crate::session::memory::MemoryStore;
use crate::session::seal::Sealer;
use crate::session::store::{EncryptionKey, Invalidations, MeasuredStore, Store};
use crate::session::store_watch;
use crate::session::token::install_crypto_provider;
use crate::session::{AccessTokenMetrics, SessionMetrics, Sessions};
use crate::telemetry::log::Log;
use crate::telemetry::log::access::OpenidNames;
use crate::telemetry::metrics::Metrics;
use crate::upstream::{Upstream, UpstreamMetrics};
use crate::wechat::client::{CallMetrics, Client};

use self::metrics::DoorMetrics;
pub use self::metrics::ReloadMetrics;

/// A gateway that runs; it accepts until it is told to stop.
#[derive(Debug)]
pub struct App {
    /// Where it listens for requests, in the order of the settings.
    pub addresses: Vec<Address>,
    /// Where the admin listener is.
    pub admin_address: SocketAddr,
    /// What is counted of it.
    pub metrics: Metrics,
    /// What is to be counted of reloads.
    pub reloads: ReloadMetrics,
    listening: Listening,
    /// Serves until the end, so that `/livez` and `/readyz` answer while requests end.
    _admin: Admin,
    ready: Ready,
    stopping: Arc<AtomicBool>,
    requests: InFlight,
    lame_duck: Duration,
    drain: Duration,
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
    build_with(settings, clock, Log::default()).await
}

/// The same for a process whose log can be changed.
pub async fn build_with(settings: Settings, clock: Clock, log: Log) -> anyhow::Result<App> {
    install_crypto_providers();
    let metrics = Metrics::default();
    let reloads = ReloadMetrics::new(&metrics, &clock);
    let started = clock.now();
    let ready = Ready::default();
    let starting = ready.block("gateway", "starting");
    log.count_in(&metrics);
    let parts =
        Parts { ready: ready.clone(), metrics: metrics.clone(), log: log.clone(), reloader: None };
    let admin = Admin::start(&settings.admin, parts).await.map_err(|error| {
        anyhow::anyhow!("cannot listen on {} for [admin]: {error}", settings.admin.listen)
    })?;
    let stopping = Arc::new(AtomicBool::new(false));
    let (requests, connections) = (InFlight::default(), InFlight::default());
    let (running, held) = (requests.clone(), connections.clone());
    metrics::sample_gateway(&metrics, ready.clone(), running, held, started);
    let limits = settings.limits.clone();
    let (config, names) = (settings.effective.clone(), openid_names(&settings));
    let (server, keepalive) = (settings.server.clone(), upstream_keepalive(&settings));
    let state = state(settings, stopping.clone(), clock, &metrics, &log).await?;
    store_watch::start(state.sessions.store(), &ready);
    state.sessions.watch_apps();
    admin.show(view(&state, config, names));

    let observer = Arc::new(DoorMetrics::new(&metrics, state.clone()));
    let handler = Arc::new(http_proxy(&Arc::new(pingora_settings(keepalive)), Gateway::new(state)));
    let door = Door::new(handler, limits, server.h2c, requests.clone(), connections, observer);
    let listening = listen::listen(&server, door)?;
    drop(starting);
    Ok(App {
        addresses: listening.addresses.clone(),
        admin_address: admin.address,
        metrics,
        reloads,
        listening,
        _admin: admin,
        ready,
        stopping,
        requests,
        lame_duck: server.lame_duck,
        drain: server.drain,
    })
}

impl App {
    /// Stops in order: not ready but accepting for the lame-duck time, then no new connections, until
    /// nothing is under way or the time to drain is over.
    pub async fn stop(self, lame_duck: bool) -> Ended {
        self.ready.block_for_good("gateway", "stopping");
        self.stopping.store(true, Ordering::Relaxed);
        if lame_duck && !self.lame_duck.is_zero() {
            info!("stopping: not ready, accepting for another {:?}", self.lame_duck);
            tokio::time::sleep(self.lame_duck).await;
        }
        info!("stopping: no new connections, {} requests under way", self.requests.count());
        self.listening.stop().await;
        match tokio::time::timeout(self.drain, self.requests.idle()).await {
            Ok(()) => Ended::Idle,
            Err(_) => {
                let left = self.requests.count();
                warn!(
                    "stopped: {left} requests were cut off after [server] drain ({:?})",
                    self.drain
                );
                Ended::CutOff(left)
            }
        }
    }
}

/// What the admin listener shows of it.
fn view(state: &State, config: serde_json::Value, openid_names: OpenidNames) -> View {
    View {
        config,
        routes: state.routes.routes().to_vec(),
        upstreams: state.upstreams.iter().map(|backend| backend.upstream.clone()).collect(),
        apps: state.apps.clone(),
        sessions: state.sessions.clone(),
        openid_names,
    }
}

async fn state(
    settings: Settings,
    stopping: Arc<AtomicBool>,
    clock: Clock,
    metrics: &Metrics,
    log: &Log,
) -> anyhow::Result<Arc<State>> {
    let access_log = log.access(&settings.log, openid_names(&settings));
    let appids: Vec<_> = settings.apps.iter().map(|app| app.appid.clone()).collect();
    let sealer =
        Arc::new(Sealer::new(settings.store.encryption_keys.iter().map(EncryptionKey::expose)));
    let redis = settings.redis;
    let new_store = |told: Arc<dyn Invalidations>| -> Arc<dyn Store> {
        let store: Arc<dyn Store> = match redis {
            Some(redis) => Arc::new(RedisStore::connect(redis, clock.clone(), told)),
            None => Arc::new(MemoryStore::new(clock.clone())),
        };
        Arc::new(MeasuredStore::new(store, metrics))
    };
    let sessions = Sessions::new(&settings.session, &appids, new_store, clock.clone());
    let counted = SessionMetrics::new(metrics, &settings.apps);
    let sessions = Arc::new(sessions.counted_by(counted));
    let store = sessions.store().clone();
    let rings = Arc::new(KeyRings::new(store.clone(), sealer.clone(), clock.clone()));
    let apps: Vec<_> = settings.apps.iter().cloned().map(Arc::new).collect();
    let client = Client::new(settings.wechat)?;
    let client = client.counted_by(CallMetrics::new(metrics, &settings.apps));
    let tokens = AccessTokens::counted(
        client.clone(),
        store.clone(),
        sealer.clone(),
        clock.clone(),
        AccessTokenMetrics::new(metrics, &settings.apps),
    );
    let exchanges = Arc::new(Exchanges::new(
        client.clone(),
        sessions.clone(),
        store.clone(),
        sealer.clone(),
        rings.clone(),
        tokens.clone(),
    ));
    let checks =
        KeyChecks::new(client.clone(), tokens.clone(), rings.clone(), store.clone(), &apps);
    let max_age = settings.session.open_data_max_age;
    let opener = Arc::new(Opener::new(rings, store, sealer, clock.clone(), max_age, checks));
    let logins = Logins::new(exchanges, settings.session.cookie.clone(), clock.clone());
    let phones = Phones::new(client.clone(), tokens.clone(), opener.clone());
    let profiles = Arc::new(Profiles::new(client, tokens.clone()));
    // Together: a resolver that does not answer delays the start once.
    let start = |upstream: crate::upstream::Settings| {
        let counted = UpstreamMetrics::new(metrics, &upstream.name);
        Upstream::start(upstream, counted, clock.clone())
    };
    let started = settings.upstreams.into_iter().map(start);
    let upstreams = join_all(started).await.into_iter().map(Backend::new).map(Arc::new).collect();
    let routes = Table::build(settings.routes).map_err(|_| {
        anyhow::anyhow!("two routes could both win; the configuration lets none through")
    })?;
    let state = Arc::new(State {
        metrics: RequestMetrics::new(metrics, routes.routes()),
        access_log,
        clock,
        tunnels: InFlight::default(),
        routes,
        upstreams,
        limits: settings.limits,
        header_rules: HeaderRules::new(&settings.identity),
        identity: Identity::new(settings.identity, &settings.apps),
        apps,
        trusted_proxies: TrustedProxies(settings.server.trusted_proxies),
        token_from: settings.session.token_from,
        sessions,
        logins,
        opener,
        phones,
        profiles,
        stopping,
    });
    metrics::sample_state(metrics, &state, &tokens);
    Ok(state)
}

/// Replicas share the keys of the store, and so write one user the same.
fn openid_names(settings: &Settings) -> OpenidNames {
    let key = settings.store.encryption_keys.first();
    OpenidNames::new(settings.log.openid, key.map_or(&[], |key| key.expose().as_slice()))
}

/// ring for TLS and for tokens: one crypto library in the process.
fn install_crypto_providers() {
    // An error means that it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    install_crypto_provider();
}

fn upstream_keepalive(settings: &Settings) -> usize {
    settings.upstreams.iter().map(|upstream| upstream.keepalive).sum()
}

fn pingora_settings(upstream_keepalive: usize) -> ServerConf {
    ServerConf {
        upstream_keepalive_pool_size: upstream_keepalive,
        // A bound on all tries; each request has its upstream's own.
        max_retries: 16,
        ..ServerConf::default()
    }
}
