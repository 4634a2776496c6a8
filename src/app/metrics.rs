//! What is asked of the parts of a gateway at each scrape, and what is counted of the whole.

use std::sync::{Arc, Weak};

use crate::clock::Clock;
use crate::lifecycle::in_flight::InFlight;
use crate::lifecycle::ready::Ready;
use crate::listen::{Observer, RefusedHead};
use crate::proxy::State;
use crate::session::access_token::AccessTokens;
use crate::telemetry::log::access::Request;
use crate::telemetry::metrics::{Counter, Gauge, Metrics, Sample, table};
use crate::upstream::ServerState;

/// What is counted of reloads.
#[derive(Clone, Debug)]
pub struct ReloadMetrics {
    succeeded: Counter,
    failed: Counter,
    last_success: Gauge,
    clock: Clock,
}

impl ReloadMetrics {
    /// The series; the start is the first time that the configuration was read.
    pub(super) fn new(metrics: &Metrics, clock: &Clock) -> Self {
        let counter = |result| metrics.counter(table::CONFIG_RELOADS, &[result]);
        let last_success = metrics.gauge(table::CONFIG_LAST_RELOAD_SUCCESS, &[]);
        last_success.set(clock.now() as f64);
        let (succeeded, failed) = (counter("success"), counter("failure"));
        Self { succeeded, failed, last_success, clock: clock.clone() }
    }

    /// A new configuration is in use.
    pub fn succeeded(&self) {
        self.succeeded.inc();
        self.last_success.set(self.clock.now() as f64);
    }

    /// The old one stayed.
    pub fn failed(&self) {
        self.failed.inc();
    }
}

/// What the door tells.
#[derive(Debug)]
pub(super) struct DoorMetrics {
    accepted: Counter,
    refused: Counter,
    state: Arc<State>,
}

impl DoorMetrics {
    pub(super) fn new(metrics: &Metrics, state: Arc<State>) -> Self {
        let accepted = metrics.counter(table::CONNECTIONS_ACCEPTED, &[]);
        let refused = metrics.counter(table::CONNECTIONS_REFUSED, &[]);
        Self { accepted, refused, state }
    }
}

impl Observer for DoorMetrics {
    fn accepted(&self) {
        self.accepted.inc();
    }

    fn turned_away(&self) {
        self.refused.inc();
    }

    fn refused(&self, head: RefusedHead<'_>) {
        let RefusedHead { refusal, request_id, peer, took } = head;
        self.state.metrics.refused_at_door(refusal.reason);
        if let Some(log) = &self.state.access_log {
            let entry = refusal.reason.entry();
            let request = Request {
                request_id,
                client: peer.map(|peer| peer.ip()),
                route: "-",
                status: entry.status,
                code: Some(entry.code),
                duration: took,
                ..Request::default()
            };
            log.write(&request, self.state.clock.now_milliseconds());
        }
    }
}

/// What is known of the whole at any time.
pub(super) fn sample_gateway(
    metrics: &Metrics,
    ready: Ready,
    requests: InFlight,
    connections: InFlight,
    started: u64,
) {
    metrics.sample(move |sample| {
        sample.set(table::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
        sample.set(table::PROCESS_START_TIME, &[], started as f64);
        let is_ready = ready.blocked().is_empty();
        sample.set(table::READY, &[], f64::from(u8::from(is_ready)));
        sample.set(table::REQUESTS_IN_FLIGHT, &[], requests.count() as f64);
        sample.set(table::CONNECTIONS, &[], connections.count() as f64);
    });
}

/// What is known of the parts that serve requests.
pub(super) fn sample_state(metrics: &Metrics, state: &Arc<State>, tokens: &Arc<AccessTokens>) {
    let (state, tokens) = (Arc::downgrade(state), Arc::downgrade(tokens));
    metrics.sample(move |sample| {
        let Some(state) = state.upgrade() else { return };
        sample.set(table::TUNNELS, &[], state.tunnels.count() as f64);
        let store_up = state.sessions.store().outage().is_none();
        sample.set(table::STORE_UP, &[], f64::from(u8::from(store_up)));
        sample_upstreams(sample, &state);
        sample_tokens(sample, &state, &tokens);
    });
}

fn sample_upstreams(sample: &mut Sample<'_>, state: &State) {
    for backend in &state.upstreams {
        let name = backend.upstream.settings.name.as_str();
        let servers = backend.upstream.servers();
        for state in ServerState::ALL {
            let count = servers.iter().filter(|(_, its)| *its == state).count();
            sample.set(table::UPSTREAM_SERVERS, &[name, state.name()], count as f64);
        }
        for (target, _) in servers {
            let (address, under_way) = (target.address.to_string(), target.under_way() as f64);
            let labels = [name, address.as_str()];
            sample.set(table::UPSTREAM_SERVER_REQUESTS_IN_FLIGHT, &labels, under_way);
        }
    }
}

fn sample_tokens(sample: &mut Sample<'_>, state: &State, tokens: &Weak<AccessTokens>) {
    let Some(tokens) = tokens.upgrade() else { return };
    for app in &state.apps {
        if let Some((age, left)) = tokens.age(app) {
            sample.set(table::ACCESS_TOKEN_AGE, &[&app.name], age as f64);
            sample.set(table::ACCESS_TOKEN_EXPIRES_IN, &[&app.name], left as f64);
        }
    }
}
