//! What is counted of an upstream.

use std::time::Duration;

use http::StatusCode;

use super::Outcome;
use crate::telemetry::metrics::{Counter, Histogram, Metrics, StatusClass, table};

/// What is counted of one upstream. The default counts for nobody.
#[derive(Clone, Debug, Default)]
pub struct UpstreamMetrics {
    answers: [Counter; StatusClass::COUNT],
    response_duration: Histogram,
    not_connected: Counter,
    timed_out: Counter,
    broken: Counter,
    pub(super) retries: Counter,
    pub(super) retries_denied: Counter,
    pub(super) unavailable: Counter,
    pub(super) ejected_for_failures: Counter,
    pub(super) ejected_for_no_connection: Counter,
    pub(super) ejected_for_health: Counter,
}

impl UpstreamMetrics {
    /// The series of the upstream of this name.
    pub fn new(metrics: &Metrics, name: &str) -> Self {
        let answers = |status| metrics.counter(table::UPSTREAM_RESPONSES, &[name, status]);
        let failures = |kind| metrics.counter(table::UPSTREAM_FAILURES, &[name, kind]);
        let ejections = |reason| metrics.counter(table::UPSTREAM_EJECTIONS, &[name, reason]);
        let counter = |metric| metrics.counter(metric, &[name]);
        Self {
            answers: StatusClass::LABELS.map(answers),
            response_duration: metrics.histogram(table::UPSTREAM_RESPONSE_DURATION, &[name]),
            not_connected: failures("not_connected"),
            timed_out: failures("timed_out"),
            broken: failures("broken"),
            retries: counter(table::UPSTREAM_RETRIES),
            retries_denied: counter(table::UPSTREAM_RETRIES_DENIED),
            unavailable: counter(table::UPSTREAM_UNAVAILABLE),
            ejected_for_failures: ejections("failures"),
            ejected_for_no_connection: ejections("no_connection"),
            ejected_for_health: ejections("health"),
        }
    }

    /// The head of an answer came, so long after its server was chosen.
    pub fn answered(&self, status: StatusCode, took: Duration) {
        if let Some(counter) = self.answers.get(StatusClass::of(status.as_u16()) as usize) {
            counter.inc();
        }
        self.response_duration.observe(took);
    }

    pub(super) fn failed(&self, outcome: Outcome) {
        match outcome {
            Outcome::Broken => self.broken.inc(),
            Outcome::NotConnected => self.not_connected.inc(),
            Outcome::TimedOut => self.timed_out.inc(),
            Outcome::Answered | Outcome::ServerError => {}
        }
    }
}
