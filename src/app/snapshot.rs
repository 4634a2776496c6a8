//! One configuration at work: what its requests read, made of its settings and of what lasts.
//!
//! A request keeps the state that it began with. So nothing in a state is changed by a reload: it is
//! made anew, and takes over from the one before what the settings leave alone (upstreams, the
//! connections to WeChat) and what is no matter of settings (sessions, exchanges, access_tokens).

use std::sync::Arc;

use futures_util::future::join_all;

use crate::actions::exchange::Exchanges;
use crate::actions::key_check::KeyChecks;
use crate::actions::login::Logins;
use crate::actions::open_data::Opener;
use crate::actions::phone::Phones;
use crate::actions::profile::Profiles;
use crate::admin::{Shown, View};
use crate::clock::Clock;
use crate::config::Settings;
use crate::identity::forwarded::TrustedProxies;
use crate::identity::{HeaderRules, Identity};
use crate::lifecycle::in_flight::InFlight;
use crate::lifecycle::stopping::Stopping;
use crate::policy::route::Table;
use crate::proxy::{Backend, RequestMetrics, State};
use crate::redis::RedisStore;
use crate::session::access_token::AccessTokens;
use crate::session::key_ring::KeyRings;
use crate::session::memory::MemoryStore;
use crate::session::seal::Sealer;
use crate::session::store::{EncryptionKey, Invalidations, MeasuredStore, Store};
use crate::session::{AccessTokenMetrics, SessionMetrics, Sessions};
use crate::telemetry::log::Log;
use crate::telemetry::log::access::OpenidNames;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Tracer;
use crate::upstream::{self, Upstream, UpstreamMetrics};
use crate::wechat::app::{App, AppId};
use crate::wechat::client::{CallMetrics, Client};

/// A configuration, and the state that its requests read.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) settings: Settings,
    pub(super) state: Arc<State>,
    client: Client,
    pub(super) tokens: Arc<AccessTokens>,
    openid_names: OpenidNames,
    exchanges: Arc<Exchanges>,
}

/// What is no matter of any configuration.
#[derive(Clone, Debug)]
pub(super) struct Lasting {
    pub(super) clock: Clock,
    pub(super) stopping: Stopping,
    pub(super) tracer: Option<Tracer>,
    pub(super) metrics: Metrics,
    pub(super) log: Log,
    /// Those that are open.
    pub(super) tunnels: InFlight,
    /// What the admin listener shows.
    pub(super) shown: Shown,
}

impl Snapshot {
    /// The first one. It makes the store, which lasts.
    pub(super) async fn first(settings: Settings, lasting: &Lasting) -> anyhow::Result<Self> {
        let (clock, metrics) = (&lasting.clock, &lasting.metrics);
        let (redis, told_clock) = (settings.redis.clone(), clock.clone());
        let new_store = |told: Arc<dyn Invalidations>| -> Arc<dyn Store> {
            let (store, system): (Arc<dyn Store>, _) = match redis {
                Some(redis) => (Arc::new(RedisStore::connect(redis, told_clock, told)), "redis"),
                None => (Arc::new(MemoryStore::new(told_clock)), "memory"),
            };
            Arc::new(MeasuredStore::new(store, system, metrics))
        };
        let sessions =
            Sessions::new(&settings.session, &appids(&settings), new_store, clock.clone());
        let client = counted(Client::new(settings.wechat.clone())?, &settings, metrics);
        let (store, sealer) = (sessions.store().clone(), sealer(&settings));
        let renewals = AccessTokenMetrics::new(metrics, &settings.apps);
        let (kept, given) = (sealer.clone(), clock.clone());
        let tokens = AccessTokens::counted(client.clone(), store, kept, given, renewals);
        let started = settings.upstreams.iter().map(|it| start(it, lasting));
        // Together: a resolver that does not answer delays the start once.
        let upstreams = join_all(started).await.into_iter().map(backend).collect();
        let parts = Parts { sessions, sealer, client, tokens, upstreams };
        Self::of(settings, lasting, parts, |exchanges| exchanges)
    }

    /// The one that comes after this one.
    pub(super) async fn next(&self, settings: Settings, lasting: &Lasting) -> anyhow::Result<Self> {
        let sessions = &self.state.sessions;
        let sessions = sessions.after_reload(&settings.session, &appids(&settings));
        let client = match settings.wechat == self.settings.wechat {
            true => self.client.clone(),
            false => Client::new(settings.wechat.clone())?,
        };
        let client = counted(client, &settings, &lasting.metrics);
        let (store, sealer) = (sessions.store().clone(), sealer(&settings));
        let renewals = AccessTokenMetrics::new(&lasting.metrics, &settings.apps);
        let tokens = self.tokens.after_reload(client.clone(), store, sealer.clone(), renewals);
        let upstreams = settings.upstreams.iter().map(|it| self.upstream(it, lasting));
        let upstreams = join_all(upstreams).await;
        let parts = Parts { sessions, sealer, client, tokens, upstreams };
        Self::of(settings, lasting, parts, |exchanges| exchanges.after_reload(&self.exchanges))
    }

    /// The upstream of these settings: the one that is there, or one that knows what that knew.
    async fn upstream(&self, settings: &upstream::Settings, lasting: &Lasting) -> Arc<Backend> {
        let mut known = self.state.upstreams.iter();
        let known = known.find(|backend| backend.upstream.settings.name == settings.name);
        match known {
            Some(known) if known.upstream.settings == *settings => known.clone(),
            Some(known) => backend(known.upstream.after_reload(settings.clone()).await),
            None => backend(start(settings, lasting).await),
        }
    }

    /// What the admin listener shows of it.
    pub(super) fn view(&self) -> View {
        let upstream = |backend: &Arc<Backend>| backend.upstream.clone();
        View {
            token: self.settings.admin.token.clone(),
            config: self.settings.effective.clone(),
            routes: self.state.routes.routes().to_vec(),
            upstreams: self.state.upstreams.iter().map(upstream).collect(),
            apps: self.state.apps.clone(),
            published: self.state.identity.assertions().map(|it| it.published().clone()),
            sessions: self.state.sessions.clone(),
            openid_names: self.openid_names.clone(),
        }
    }

    fn of(
        settings: Settings,
        lasting: &Lasting,
        parts: Parts,
        share: impl FnOnce(Exchanges) -> Exchanges,
    ) -> anyhow::Result<Self> {
        let Parts { sessions, sealer, client, tokens, upstreams } = parts;
        let metrics = &lasting.metrics;
        let sessions = sessions.counted_by(SessionMetrics::new(metrics, &settings.apps));
        let sessions = Arc::new(sessions);
        let (store, clock) = (sessions.store().clone(), &lasting.clock);
        let apps: Vec<_> = settings.apps.iter().cloned().map(Arc::new).collect();
        let rings = Arc::new(KeyRings::new(store.clone(), sealer.clone(), clock.clone()));
        let exchanges = Arc::new(share(Exchanges::new(
            client.clone(),
            sessions.clone(),
            store.clone(),
            sealer.clone(),
            rings.clone(),
            tokens.clone(),
            settings.limits.login_rate,
        )));
        let session = &settings.session;
        let checks =
            KeyChecks::new(client.clone(), tokens.clone(), rings.clone(), store.clone(), &apps);
        let max_age = session.open_data_max_age;
        let opener = Opener::new(rings, store, sealer, clock.clone(), max_age, checks);
        let opener = Arc::new(opener);
        let routes = Table::build(settings.routes.clone()).map_err(|_| {
            anyhow::anyhow!("two routes could both win; the configuration lets none through")
        })?;
        let openid_names = openid_names(&settings);
        let state = State {
            metrics: RequestMetrics::new(metrics, routes.routes()),
            access_log: lasting.log.access(&settings.log, openid_names.clone()),
            clock: clock.clone(),
            tunnels: lasting.tunnels.clone(),
            routes,
            upstreams,
            limits: settings.limits.clone(),
            header_rules: HeaderRules::new(&settings.identity),
            identity: Identity::new(settings.identity.clone(), &settings.apps),
            apps: apps.clone(),
            trusted_proxies: TrustedProxies(settings.server.trusted_proxies.clone()),
            traces: settings.server.traces,
            tracer: lasting.tracer.clone(),
            token_from: session.token_from.clone(),
            sessions,
            logins: Logins::new(exchanges.clone(), apps, session.cookie.clone(), clock.clone()),
            phones: Phones::new(client.clone(), tokens.clone(), opener.clone()),
            opener,
            profiles: Arc::new(Profiles::new(client.clone(), tokens.clone())),
            stopping: lasting.stopping.clone(),
        };
        Ok(Self { settings, state: Arc::new(state), client, tokens, openid_names, exchanges })
    }
}

/// What is made in another way at the start than at a reload.
struct Parts {
    sessions: Sessions,
    sealer: Arc<Sealer>,
    client: Client,
    tokens: Arc<AccessTokens>,
    upstreams: Vec<Arc<Backend>>,
}

fn appids(settings: &Settings) -> Vec<AppId> {
    settings.apps.iter().map(|App { appid, .. }| appid.clone()).collect()
}

fn sealer(settings: &Settings) -> Arc<Sealer> {
    Arc::new(Sealer::new(settings.store.encryption_keys.iter().map(EncryptionKey::expose)))
}

fn backend(upstream: Arc<Upstream>) -> Arc<Backend> {
    Arc::new(Backend::new(upstream))
}

async fn start(settings: &upstream::Settings, lasting: &Lasting) -> Arc<Upstream> {
    let counted = UpstreamMetrics::new(&lasting.metrics, &settings.name);
    Upstream::start(settings.clone(), counted, lasting.clock.clone()).await
}

fn counted(client: Client, settings: &Settings, metrics: &Metrics) -> Client {
    client.counted_by(CallMetrics::new(metrics, &settings.apps))
}

/// Replicas share the keys of the store, and so write one user the same.
fn openid_names(settings: &Settings) -> OpenidNames {
    let key = settings.store.encryption_keys.first();
    OpenidNames::new(settings.log.openid, key.map_or(&[], |key| key.expose().as_slice()))
}
