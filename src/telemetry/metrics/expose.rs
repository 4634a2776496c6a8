//! Metrics as a text, in the two forms that scrapers ask for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::table::{Kind, METRICS, Metric};
use super::{Cell, Family};

/// What a scraper reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// The text format of Prometheus, 0.0.4.
    Prometheus,
}

impl Format {
    /// What an `Accept` asks for; Prometheus' own where it names none of the two.
    pub fn accepted(accept: &str) -> Self {
        // Those who read OpenMetrics name it first; its weight is the highest then.
        match accept.contains("application/openmetrics-text") {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    /// Its content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

pub(super) fn encode(families: BTreeMap<&'static str, Family>, format: Format) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(Mutex::new(families))));
    let mut text = String::with_capacity(64 << 10);
    // A String takes everything.
    let _ = text::encode(&mut text, &registry);
    match format {
        Format::OpenMetrics => text,
        Format::Prometheus => as_prometheus(&text),
    }
}

/// What was found at one scrape.
#[derive(Debug)]
struct Scrape(Mutex<BTreeMap<&'static str, Family>>);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let families = self.0.lock().map_err(|_| fmt::Error)?;
        for metric in METRICS {
            let Some(family) = families.get(metric.name) else { continue };
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            // The encoder adds the suffix of a counter again.
            let name = metric.name.strip_suffix("_total").unwrap_or(metric.name);
            let help = format!("{}.", metric.help);
            let mut encoder = encoder.encode_descriptor(name, &help, None, kind)?;
            for (labels, cell) in family {
                if metric.labels.is_empty() {
                    write(metric, cell, &mut encoder)?;
                    continue;
                }
                let names = metric.labels.iter().copied();
                let labels: Vec<_> = names.zip(labels.values()).collect();
                write(metric, cell, &mut encoder.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn write(metric: &Metric, cell: &Cell, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
    match cell {
        Cell::Counter(counter) => {
            encoder.encode_counter::<NoLabelSet, _, f64>(&counter.get(), None)
        }
        Cell::Gauge(gauge) => encoder.encode_gauge(&gauge.get()),
        Cell::Value(value) if metric.kind == Kind::Counter => {
            encoder.encode_counter::<NoLabelSet, _, f64>(value, None)
        }
        Cell::Value(value) => encoder.encode_gauge(value),
        Cell::Histogram(histogram) => {
            let (buckets, sum) = histogram.read();
            let count = buckets.iter().map(|(_, count)| count).sum();
            match count {
                // Sixteen lines for what never happens would be most of the text.
                0 => Ok(()),
                _ => encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None),
            }
        }
    }
}

/// The same in Prometheus' own format, which names counters with their suffix and knows no end.
fn as_prometheus(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 1024);
    for line in text.lines().filter(|line| *line != "# EOF") {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(keyword), Some(name), Some(rest)) if is_counter(name) => {
                shown.extend(["# ", keyword, " ", name, "_total ", rest, "\n"]);
            }
            _ => shown.extend([line, "\n"]),
        }
    }
    shown
}

fn is_counter(name: &str) -> bool {
    let is = |metric: &Metric| {
        metric.kind == Kind::Counter && metric.name.strip_suffix("_total") == Some(name)
    };
    METRICS.iter().any(is)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::{Metrics, table};

    #[test]
    fn a_counter_has_its_suffix_where_each_format_has_it() {
        let metrics = Metrics::default();
        let tricky = metrics.counter(table::SESSIONS_BEGUN, &["a\"b\\c\nd"]);
        tricky.add(3);
        let took = metrics.histogram(table::STORE_CALL_DURATION, &["find"]);
        took.observe(std::time::Duration::from_millis(3));
        let prometheus = metrics.encode(Format::Prometheus);
        let open = metrics.encode(Format::OpenMetrics);
        let line = "wxgate_sessions_begun_total{app=\"a\\\"b\\\\c\\nd\"} 3\n";
        assert!(
            prometheus.contains("# TYPE wxgate_sessions_begun_total counter\n"),
            "{prometheus}"
        );
        assert!(open.contains("# TYPE wxgate_sessions_begun counter\n"), "{open}");
        for text in [&prometheus, &open] {
            assert!(text.contains(line), "{text}");
            assert!(
                text.contains("wxgate_store_call_duration_seconds_count{operation=\"find\"} 1\n")
            );
            let bucket = "_bucket{le=\"0.005\",operation=\"find\"} 1\n";
            assert!(text.contains(bucket), "{text}");
        }
        assert!(open.ends_with("# EOF\n") && !prometheus.contains("EOF"));
    }
}
