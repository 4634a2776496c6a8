//! Metrics: a fixed set (`table`), counted in atomics that whoever counts holds, shown as Prometheus text
//! or OpenMetrics.
//!
//! A series is resolved once, when the part that counts in it is built; it is gone when nobody holds it any
//! more, so that the routes of configurations that were replaced do not pile up. What is known elsewhere
//! already (how many connections are open) is asked for at each scrape.

mod cell;
mod expose;
mod labels;
mod process;
mod status;
pub mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use cell::{Counter, Gauge, Histogram};
pub use expose::Format;
pub use status::StatusClass;
pub use table::{Kind, METRICS, Metric};

use labels::Labels;

/// The metrics of one gateway.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// By the name of the metric.
    families: Mutex<BTreeMap<&'static str, Family>>,
    sources: Mutex<Vec<Source>>,
}

/// The series of one metric, by the values of their labels.
type Family = BTreeMap<Labels, Cell>;

#[derive(Clone, Debug)]
enum Cell {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
    /// What a source said.
    Value(f64),
}

/// Who is asked at each scrape.
struct Source(Box<dyn Fn(&mut Sample<'_>) + Send + Sync>);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

/// Where a source puts what it knows.
pub struct Sample<'a>(&'a mut BTreeMap<&'static str, Family>);

impl fmt::Debug for Sample<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sample")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self(Arc::default());
        metrics.sample(process::sample);
        metrics
    }
}

impl Metrics {
    /// The series of a counter with these values of its labels, in the order of the table.
    pub fn counter(&self, metric: Metric, labels: &[&str]) -> Counter {
        let new = || Cell::Counter(Counter::default());
        match self.resolve(metric, labels, new) {
            Cell::Counter(counter) => counter,
            _ => Counter::default(),
        }
    }

    /// The series of a gauge.
    pub fn gauge(&self, metric: Metric, labels: &[&str]) -> Gauge {
        match self.resolve(metric, labels, || Cell::Gauge(Gauge::default())) {
            Cell::Gauge(gauge) => gauge,
            _ => Gauge::default(),
        }
    }

    /// The series of a histogram.
    pub fn histogram(&self, metric: Metric, labels: &[&str]) -> Histogram {
        let new = || Cell::Histogram(Histogram::default());
        match self.resolve(metric, labels, new) {
            Cell::Histogram(histogram) => histogram,
            _ => Histogram::default(),
        }
    }

    /// The series of a histogram, where somebody has it already.
    pub fn known_histogram(&self, metric: Metric, labels: &[&str]) -> Option<Histogram> {
        match self.families().get(metric.name)?.get(&Labels::new(labels))? {
            Cell::Histogram(histogram) => Some(histogram.clone()),
            _ => None,
        }
    }

    /// Asks this source at each scrape. It must be quick, and hold what it asks weakly where that may end
    /// before the metrics do.
    pub fn sample(&self, source: impl Fn(&mut Sample<'_>) + Send + Sync + 'static) {
        let source = Source(Box::new(source));
        self.0.sources.lock().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// All of it as a text.
    pub fn encode(&self, format: Format) -> String {
        let mut families = self.families().clone_held();
        let mut sample = Sample(&mut families);
        for source in &*self.0.sources.lock().unwrap_or_else(PoisonError::into_inner) {
            (source.0)(&mut sample);
        }
        expose::encode(families, format)
    }

    /// Forgets the series that nobody holds any more, as a scrape does: a gateway that nobody scrapes must
    /// not keep those of every configuration that it had.
    pub fn forget_unheld(&self) {
        self.families().forget_unheld();
    }

    fn resolve(&self, metric: Metric, labels: &[&str], new: impl FnOnce() -> Cell) -> Cell {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
        let mut families = self.families();
        let family = families.entry(metric.name).or_default();
        family.entry(Labels::new(labels)).or_insert_with(new).clone()
    }

    fn families(&self) -> MutexGuard<'_, BTreeMap<&'static str, Family>> {
        self.0.families.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Series, of which those count that somebody holds.
trait Held {
    fn forget_unheld(&mut self);
    fn clone_held(&mut self) -> Self;
}

impl Held for BTreeMap<&'static str, Family> {
    fn forget_unheld(&mut self) {
        for family in self.values_mut() {
            family.retain(|_, cell| match cell {
                Cell::Counter(counter) => counter.is_held(),
                Cell::Gauge(gauge) => gauge.is_held(),
                Cell::Histogram(histogram) => histogram.is_held(),
                Cell::Value(_) => true,
            });
        }
    }

    fn clone_held(&mut self) -> Self {
        self.forget_unheld();
        self.clone()
    }
}

impl Sample<'_> {
    /// One value of a gauge, or of a counter that is counted elsewhere.
    pub fn set(&mut self, metric: Metric, labels: &[&str], value: f64) {
        self.0.entry(metric.name).or_default().insert(Labels::new(labels), Cell::Value(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_there_while_somebody_counts_in_it() {
        let metrics = Metrics::default();
        let route = ["/api/**", "GET", "2xx"];
        let (old, new) =
            (metrics.counter(table::REQUESTS, &route), metrics.counter(table::REQUESTS, &route));
        old.inc();
        drop(old);
        new.inc();
        let line = r#"wxgate_requests_total{route="/api/**",method="GET",status="2xx"} 2"#;
        assert!(metrics.encode(Format::Prometheus).lines().any(|shown| shown == line));
        drop(new);
        assert!(!metrics.encode(Format::Prometheus).contains("wxgate_requests_total{"));
    }

    #[test]
    fn what_nobody_holds_is_forgotten_without_a_scrape() {
        let metrics = Metrics::default();
        let kept = ["/kept/**", "GET", "2xx"];
        let counter = metrics.counter(table::REQUESTS, &kept);
        for number in 0..1_000 {
            let route = format!("/gone/{number}");
            let labels = [route.as_str(), "GET", "2xx"];
            drop(metrics.counter(table::REQUESTS, &labels));
            drop(metrics.gauge(table::TUNNELS, &[]));
            drop(metrics.histogram(table::REQUEST_DURATION, &labels));
            metrics.forget_unheld();
        }
        // A scrape would forget them itself: looked at is what is kept until one comes.
        let families = metrics.families();
        let series: Vec<_> = families.values().flat_map(BTreeMap::keys).collect();
        assert_eq!(series, [&Labels::new(&kept)]);
        drop((families, counter));
    }
}
