//! What is asked of the parts of a gateway at each scrape, and what is counted of the whole.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Configuration;
use crate::lifecycle::in_flight::InFlight;
use crate::lifecycle::ready::Ready;
use crate::lifecycle::reloads::Reloads;
use crate::listen::{Observer, RefusedHead};
use crate::proxy::State;
use crate::session::access_token::AccessTokens;
use crate::telemetry::log::access::Request;
use crate::telemetry::metrics::{Counter, Metrics, Sample, table};
use crate::telemetry::traces::Tracer;
use crate::upstream::ServerState;

/// What the door tells.
#[derive(Debug)]
pub(super) struct DoorMetrics {
    accepted: Counter,
    refused: Counter,
    state: Arc<ArcSwap<State>>,
}

impl DoorMetrics {
    pub(super) fn new(metrics: &Metrics, state: Arc<ArcSwap<State>>) -> Self {
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
        let state = self.state.load();
        state.metrics.refused_at_door(refusal.reason);
        if let Some(log) = &state.access_log {
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
            log.write(&request, state.clock.now_milliseconds());
        }
    }
}

/// What is known of the whole at any time.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) ready: Ready,
    pub(super) reloads: Reloads,
    pub(super) requests: InFlight,
    pub(super) connections: InFlight,
    /// When the gateway started, in seconds since 1970.
    pub(super) started: u64,
}

impl Whole {
    pub(super) fn sample(self, metrics: &Metrics) {
        metrics.sample(move |sample| {
            sample.set(table::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
            sample.set(table::PROCESS_START_TIME, &[], self.started as f64);
            let is_ready = self.ready.blocked().is_empty();
            sample.set(table::READY, &[], f64::from(u8::from(is_ready)));
            sample.set(table::REQUESTS_IN_FLIGHT, &[], self.requests.count() as f64);
            sample.set(table::CONNECTIONS, &[], self.connections.count() as f64);
            let record = self.reloads.record();
            sample.set(table::CONFIG_RELOADS, &["success"], record.applied as f64);
            sample.set(table::CONFIG_RELOADS, &["failure"], record.failed as f64);
            let read = record.applied_at.unwrap_or(self.started);
            sample.set(table::CONFIG_LAST_RELOAD_SUCCESS, &[], read as f64);
        });
    }
}

/// What is known of the parts that serve requests, as they are by the configuration in effect.
pub(super) fn sample_configuration(metrics: &Metrics, configuration: &Arc<Configuration>) {
    let configuration = Arc::downgrade(configuration);
    metrics.sample(move |sample| {
        let Some(configuration) = configuration.upgrade() else { return };
        let (state, tokens) = configuration.parts();
        sample.set(table::TUNNELS, &[], state.tunnels.count() as f64);
        let store = state.sessions.store();
        sample.set(table::STORE_UP, &[], f64::from(u8::from(store.outage().is_none())));
        sample.set(table::STORE_DAMAGED_VALUES, &[], store.damaged_values() as f64);
        sample_upstreams(sample, &state);
        sample_tokens(sample, &state, &tokens);
    });
}

/// What became of spans.
pub(super) fn sample_traces(metrics: &Metrics, tracer: &Tracer) {
    let tracer = tracer.clone();
    metrics.sample(move |sample| {
        sample.set(table::TRACE_SPANS, &["sent"], tracer.sent() as f64);
        sample.set(table::TRACE_SPANS, &["dropped"], tracer.dropped() as f64);
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

fn sample_tokens(sample: &mut Sample<'_>, state: &State, tokens: &AccessTokens) {
    for app in &state.apps {
        if let Some((age, left)) = tokens.age(app) {
            sample.set(table::ACCESS_TOKEN_AGE, &[&app.name], age as f64);
            sample.set(table::ACCESS_TOKEN_EXPIRES_IN, &[&app.name], left as f64);
        }
    }
}
