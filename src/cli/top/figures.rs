//! What two samples come to: one row for each route, upstream, call to WeChat and refusal.

use super::change::Change;
use super::quantile::Quantiles;
use super::sample::{Sample, State};

/// Everything that is shown of the gateway.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) state: State,
    pub(super) all: Route,
    pub(super) routes: Vec<Route>,
    pub(super) upstreams: Vec<Upstream>,
    pub(super) calls: Vec<Call>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) store: Store,
    pub(super) sessions: Sessions,
    pub(super) process: Process,
}

/// A path of the configuration; rates are in a second.
#[derive(Clone, Debug, Default)]
pub(super) struct Route {
    pub(super) path: String,
    pub(super) requests: Option<f64>,
    pub(super) duration: Option<Quantiles>,
    pub(super) client_errors: Option<f64>,
    pub(super) server_errors: Option<f64>,
    /// Bodies, in bytes.
    pub(super) received: Option<f64>,
    pub(super) sent: Option<f64>,
}

#[derive(Clone, Debug)]
pub(super) struct Upstream {
    pub(super) name: String,
    /// How many servers are in which state; none that is empty.
    pub(super) servers: Vec<(String, f64)>,
    pub(super) responses: Option<f64>,
    pub(super) duration: Option<Quantiles>,
    pub(super) server_errors: Option<f64>,
    pub(super) failures: Option<f64>,
    pub(super) retries: Option<f64>,
}

/// Calls to WeChat that ended alike.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) app: String,
    pub(super) api: String,
    pub(super) errcode: String,
    pub(super) total: f64,
    pub(super) rate: Option<f64>,
    /// Of all calls of this app to this API.
    pub(super) duration: Option<Quantiles>,
}

#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) total: f64,
    pub(super) rate: Option<f64>,
}

#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) up: bool,
    pub(super) duration: Option<Quantiles>,
    pub(super) errors: Option<f64>,
    /// Who knew the session: verdict, cache, store; shares of one.
    pub(super) knew: [Option<f64>; 3],
}

#[derive(Clone, Debug)]
pub(super) struct Sessions {
    pub(super) begun: Option<f64>,
    pub(super) ended: Option<f64>,
}

#[derive(Clone, Debug)]
pub(super) struct Process {
    /// Of one processor.
    pub(super) cpu: Option<f64>,
    pub(super) memory: Option<f64>,
    pub(super) files: Option<f64>,
    /// When it started, in seconds since 1970.
    pub(super) started: Option<f64>,
    pub(super) in_flight: f64,
    pub(super) tunnels: f64,
    pub(super) connections: f64,
    pub(super) accepted: Option<f64>,
    pub(super) turned_away: Option<f64>,
}

impl Figures {
    /// Of the last sample, with rates since the one before it.
    pub(super) fn of(before: Option<&Sample>, now: &Sample) -> Self {
        let before = before.map(|before| {
            (&before.metrics, now.at.saturating_duration_since(before.at).as_secs_f64())
        });
        let (change, metrics) = (Change::new(before, &now.metrics), &now.metrics);
        let paths = metrics.values_of("wxgate_requests_total", "route");
        let upstreams = metrics.values_of("wxgate_upstream_servers", "upstream");
        let gauge = |name| metrics.sum(name, &[]);
        Self {
            state: now.state.clone(),
            all: route(&change, "", &[]),
            routes: paths.iter().map(|path| route(&change, path, &[("route", path)])).collect(),
            upstreams: upstreams.iter().map(|name| upstream(&change, now, name)).collect(),
            calls: calls(&change, now),
            refusals: refusals(&change, now),
            store: store(&change, now),
            sessions: Sessions {
                begun: change.rate("wxgate_sessions_begun_total", &[]),
                ended: change.rate("wxgate_sessions_ended_total", &[]),
            },
            process: Process {
                cpu: change.rate("process_cpu_seconds_total", &[]),
                memory: gauge("process_resident_memory_bytes"),
                files: gauge("process_open_fds"),
                started: gauge("process_start_time_seconds"),
                in_flight: gauge("wxgate_requests_in_flight").unwrap_or_default(),
                tunnels: gauge("wxgate_tunnels").unwrap_or_default(),
                connections: gauge("wxgate_connections").unwrap_or_default(),
                accepted: change.rate("wxgate_connections_accepted_total", &[]),
                turned_away: change.rate("wxgate_connections_refused_total", &[]),
            },
        }
    }
}

fn route(change: &Change<'_>, path: &str, labels: &[(&str, &str)]) -> Route {
    let of =
        |status| change.rate("wxgate_requests_total", &[labels, &[("status", status)]].concat());
    Route {
        path: path.to_owned(),
        requests: change.rate("wxgate_requests_total", labels),
        duration: change.quantiles("wxgate_request_duration_seconds", labels),
        client_errors: of("4xx"),
        server_errors: of("5xx"),
        received: change.rate("wxgate_request_body_bytes_total", labels),
        sent: change.rate("wxgate_response_body_bytes_total", labels),
    }
}

fn upstream(change: &Change<'_>, now: &Sample, name: &str) -> Upstream {
    let labels = [("upstream", name)];
    let servers = now.metrics.having("wxgate_upstream_servers", &labels).into_iter();
    let servers = servers.filter(|series| series.value > 0.0);
    let answers = "wxgate_upstream_responses_total";
    Upstream {
        name: name.to_owned(),
        servers: servers.map(|it| (it.label("state").to_owned(), it.value)).collect(),
        responses: change.rate(answers, &labels),
        duration: change.quantiles("wxgate_upstream_response_duration_seconds", &labels),
        server_errors: change.rate(answers, &[("upstream", name), ("status", "5xx")]),
        failures: change.rate("wxgate_upstream_failures_total", &labels),
        retries: change.rate("wxgate_upstream_retries_total", &labels),
    }
}

/// Those that there ever were, the busiest first.
fn calls(change: &Change<'_>, now: &Sample) -> Vec<Call> {
    let name = "wxgate_wechat_calls_total";
    let happened = now.metrics.of(name).iter().filter(|series| series.value > 0.0);
    let mut calls: Vec<_> = happened
        .map(|series| {
            let (app, api) = (series.label("app"), series.label("api"));
            let errcode = series.label("errcode");
            let call = [("app", app), ("api", api)];
            Call {
                app: app.to_owned(),
                api: api.to_owned(),
                errcode: errcode.to_owned(),
                total: series.value,
                rate: change.rate(name, &[&call[..], &[("errcode", errcode)]].concat()),
                duration: change.quantiles("wxgate_wechat_call_duration_seconds", &call),
            }
        })
        .collect();
    calls.sort_by(|a, b| b.total.total_cmp(&a.total));
    calls
}

/// Those that there ever were, the most frequent first.
fn refusals(change: &Change<'_>, now: &Sample) -> Vec<Refusal> {
    let name = "wxgate_refusals_total";
    let happened = now.metrics.of(name).iter().filter(|series| series.value > 0.0);
    let mut refusals: Vec<_> = happened
        .map(|series| {
            let code = series.label("code");
            let rate = change.rate(name, &[("code", code)]);
            Refusal { code: code.to_owned(), total: series.value, rate }
        })
        .collect();
    let now = |refusal: &Refusal| (refusal.rate.unwrap_or_default(), refusal.total);
    refusals.sort_by(|a, b| now(b).partial_cmp(&now(a)).unwrap_or(std::cmp::Ordering::Equal));
    refusals
}

fn store(change: &Change<'_>, now: &Sample) -> Store {
    let from = |from| change.rate("wxgate_session_lookups_total", &[("from", from)]);
    let knew = ["verdict", "cache", "store"].map(from);
    let all: f64 = knew.iter().flatten().sum();
    Store {
        up: now.metrics.sum("wxgate_store_up", &[]) != Some(0.0),
        duration: change.quantiles("wxgate_store_call_duration_seconds", &[]),
        errors: change.rate("wxgate_store_errors_total", &[]),
        knew: knew.map(|rate| rate.filter(|_| all > 0.0).map(|rate| rate / all)),
    }
}
