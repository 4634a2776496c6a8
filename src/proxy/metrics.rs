//! What is counted of requests. Everything is resolved when the routes are, but for histograms, which are with
//! their first observation: of all methods and classes that there are, a route has few.

use std::sync::OnceLock;
use std::time::Duration;

use http::Method;

use crate::access::Authentication;
use crate::policy::guard::METHODS;
use crate::policy::route::Route;
use crate::refusal::{Reason, TABLE};
use crate::telemetry::metrics::{Counter, Histogram, Metrics, StatusClass, table};

/// The label of a request that no route was found for, and of a method that is none of ours.
const NO_ROUTE: &str = "-";
const OTHER: &str = "other";

/// What is counted of requests.
#[derive(Debug)]
pub struct RequestMetrics {
    /// In the order of the configuration.
    routes: Vec<RouteMetrics>,
    unrouted: RouteMetrics,
    /// In the order of the table of refusals.
    refusals: Vec<Counter>,
    /// In the order of [`Authentication::LABELS`].
    authentications: Vec<Counter>,
}

#[derive(Debug)]
struct RouteMetrics {
    metrics: Metrics,
    route: String,
    /// By method, those of [`METHODS`] and then all others.
    methods: Vec<MethodMetrics>,
    request_bytes: Counter,
    response_bytes: Counter,
}

/// By the class of the status.
#[derive(Debug)]
struct MethodMetrics {
    method: &'static str,
    requests: [Counter; StatusClass::COUNT],
    durations: [OnceLock<Histogram>; StatusClass::COUNT],
}

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended<'a> {
    /// The position of its route.
    pub(super) route: Option<usize>,
    pub(super) method: &'a Method,
    /// 0 where none was sent.
    pub(super) status: u16,
    pub(super) took: Duration,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
}

impl RequestMetrics {
    /// The series of these routes, in the order of the configuration.
    pub fn new(metrics: &Metrics, routes: &[impl AsRef<Route>]) -> Self {
        let path = |route: &Route| route.path.to_string();
        let counter = |metric| move |label: &&str| metrics.counter(metric, &[*label]);
        let codes: Vec<_> = TABLE.iter().map(|entry| entry.code).collect();
        let labels = &Authentication::LABELS;
        Self {
            routes: routes
                .iter()
                .map(|route| RouteMetrics::new(metrics, path(route.as_ref())))
                .collect(),
            unrouted: RouteMetrics::new(metrics, NO_ROUTE.to_owned()),
            refusals: codes.iter().map(counter(table::REFUSALS)).collect(),
            authentications: labels.iter().map(counter(table::AUTHENTICATIONS)).collect(),
        }
    }

    pub(super) fn ended(&self, request: Ended<'_>) {
        let route = request.route.and_then(|position| self.routes.get(position));
        let route = route.unwrap_or(&self.unrouted);
        let method = METHODS.iter().position(|method| method == request.method);
        let class = StatusClass::of(request.status);
        if let Some(method) = route.methods.get(method.unwrap_or(METHODS.len())) {
            method.ended(class);
            // How long a tunnel was open says nothing of anybody's speed.
            if class != StatusClass::Informational {
                route.took(method, class, request.took);
            }
        }
        // Most requests have no body: a store to a line that every core writes is what costs here.
        if request.request_bytes > 0 {
            route.request_bytes.add(request.request_bytes);
        }
        if request.response_bytes > 0 {
            route.response_bytes.add(request.response_bytes);
        }
    }

    /// A request was refused at the door, before anybody knew its method or its route.
    pub fn refused_at_door(&self, reason: Reason) {
        self.refused(reason);
        if let Some(other) = self.unrouted.methods.last() {
            other.ended(StatusClass::of(reason.entry().status));
        }
    }

    /// A request was refused.
    pub fn refused(&self, reason: Reason) {
        if let Some(counter) = self.refusals.get(reason as usize) {
            counter.inc();
        }
    }

    /// It is known what became of a token, or of none.
    pub fn authenticated(&self, outcome: Authentication) {
        if let Some(counter) = self.authentications.get(outcome as usize) {
            counter.inc();
        }
    }
}

impl RouteMetrics {
    fn new(metrics: &Metrics, route: String) -> Self {
        let methods = METHODS.iter().map(Method::as_str).chain([OTHER]);
        Self {
            methods: methods.map(|method| MethodMetrics::new(metrics, &route, method)).collect(),
            request_bytes: metrics.counter(table::REQUEST_BODY_BYTES, &[&route]),
            response_bytes: metrics.counter(table::RESPONSE_BODY_BYTES, &[&route]),
            metrics: metrics.clone(),
            route,
        }
    }

    fn took(&self, method: &MethodMetrics, class: StatusClass, took: Duration) {
        let (position, label) = (class as usize, class.label());
        let Some(histogram) = method.durations.get(position) else { return };
        let labels = [&*self.route, method.method, label];
        let first = || self.metrics.histogram(table::REQUEST_DURATION, &labels);
        histogram.get_or_init(first).observe(took);
    }
}

impl MethodMetrics {
    fn new(metrics: &Metrics, route: &str, method: &'static str) -> Self {
        let labels = StatusClass::LABELS.map(|status| [route, method, status]);
        // What a configuration before this one observed goes on.
        let known = |labels: [&str; 3]| metrics.known_histogram(table::REQUEST_DURATION, &labels);
        Self {
            method,
            requests: labels.map(|labels| metrics.counter(table::REQUESTS, &labels)),
            durations: labels
                .map(|labels| known(labels).map_or_else(OnceLock::new, OnceLock::from)),
        }
    }

    fn ended(&self, class: StatusClass) {
        if let Some(counter) = self.requests.get(class as usize) {
            counter.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Format;

    #[test]
    fn what_one_configuration_observed_goes_on_in_the_next() {
        let metrics = Metrics::default();
        let (none, took): (&[std::sync::Arc<Route>], _) = (&[], Duration::from_millis(3));
        let ended = Ended {
            route: None,
            method: &Method::GET,
            status: 404,
            took,
            request_bytes: 0,
            response_bytes: 0,
        };
        let shown = || metrics.encode(Format::Prometheus);
        let old = RequestMetrics::new(&metrics, none);
        assert!(!shown().contains("wxgate_request_duration_seconds_count"));
        old.ended(ended);
        let new = RequestMetrics::new(&metrics, none);
        drop(old);
        let labels = r#"{route="-",method="GET",status="4xx"}"#;
        assert!(shown().contains(&format!("wxgate_request_duration_seconds_count{labels} 1\n")));
        new.ended(ended);
        assert!(shown().contains(&format!("wxgate_request_duration_seconds_count{labels} 2\n")));
    }
}
