//! The dashboard and the alerts speak of the metrics that there are, and of nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows them in tests, and this is what helps the tests"
)]

use std::collections::BTreeSet;

use serde_json::Value;
use wxgate::telemetry::metrics::table::{Kind, METRICS, Metric};

const ALERTS: &str = include_str!("../deploy/prometheus/alerts.yaml");
const DASHBOARD: &str = include_str!("../deploy/grafana/wxgate.json");
const OPERATIONS: &str = include_str!("../docs/operations.md");
const METRICS_PAGE: &str = include_str!("../docs/metrics.md");
const UPSTREAMS: &str = include_str!("../docs/upstreams.md");
/// What Prometheus adds to every series.
const ADDED_LABELS: [&str; 3] = ["job", "instance", "le"];
/// For alerts and `/metrics` itself: nothing to look at over time.
const NOT_SHOWN: [&str; 8] = [
    "process_start_time_seconds",
    "wxgate_access_token_age_seconds",
    "wxgate_config_last_reload_success_timestamp_seconds",
    "wxgate_upstream_retries_denied_total",
    "wxgate_upstream_server_requests_in_flight",
    "process_max_fds",
    "process_open_fds",
    "process_threads",
];

/// The words of an expression that can be names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
}

fn is_name(word: &&str) -> bool {
    word.starts_with("wxgate_") || word.starts_with("process_")
}

/// The metric whose series this is.
fn metric(series: &str) -> Option<&'static Metric> {
    let of_histogram = ["_bucket", "_sum", "_count"].into_iter().find_map(|ending| {
        let name = series.strip_suffix(ending)?;
        METRICS.iter().find(|metric| metric.name == name && metric.kind == Kind::Histogram)
    });
    let is_it = |metric: &&Metric| metric.name == series && metric.kind != Kind::Histogram;
    of_histogram.or_else(|| METRICS.iter().find(is_it))
}

/// The expressions of the dashboard, its variables among them.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match (key.as_str(), value) {
                    ("expr" | "query", Value::String(text)) => found.push(text.clone()),
                    _ => expressions(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

fn of_dashboard() -> Vec<String> {
    let mut found = Vec::new();
    expressions(&serde_json::from_str(DASHBOARD).unwrap(), &mut found);
    found
}

/// The labels that an expression selects or sums by.
fn labels(expression: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in expression.split("by (").skip(1) {
        found.extend(words(part.split(')').next().unwrap()).map(str::to_owned));
    }
    for part in expression.split('{').skip(1) {
        for matcher in part.split('}').next().unwrap().split(',') {
            found.extend(words(matcher).next().map(str::to_owned));
        }
    }
    found.into_iter().filter(|label| !label.is_empty()).collect()
}

#[test]
fn every_name_and_label_of_the_dashboard_and_the_alerts_is_there() {
    let alerts =
        ALERTS.split("expr:").skip(1).map(|rest| rest.split("labels: {severity").next().unwrap());
    let alerts = alerts.map(|expression| expression.split("for:").next().unwrap().to_owned());
    let mut count = 0;
    for expression in alerts.chain(of_dashboard()) {
        let series: Vec<_> = words(&expression).filter(is_name).collect();
        let metrics: Vec<_> = series
            .iter()
            .map(|series| {
                metric(series).unwrap_or_else(|| panic!("{series} is no metric: {expression}"))
            })
            .collect();
        for label in labels(&expression) {
            let is_known = ADDED_LABELS.contains(&label.as_str())
                || metrics.iter().any(|metric| metric.labels.contains(&label.as_str()));
            assert!(is_known, "{label} is no label: {expression}");
        }
        count += metrics.len();
    }
    assert!(count > 50, "{count} are too few to believe that they were found");
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let expressions = of_dashboard();
    for name in METRICS.iter().map(|metric| metric.name) {
        let is_shown = expressions.iter().any(|expression| {
            words(expression).filter(is_name).any(|series| metric(series).unwrap().name == name)
        });
        assert_eq!(is_shown, !NOT_SHOWN.contains(&name), "{name}");
    }
}

#[test]
fn every_alert_leads_to_a_chapter_that_is_there() {
    for runbook in ALERTS.lines().filter_map(|line| line.trim().strip_prefix("runbook: ")) {
        let (page, anchor) = runbook.split_once('#').unwrap_or((runbook, ""));
        let text = match page {
            "docs/metrics.md" => METRICS_PAGE,
            "docs/operations.md" => OPERATIONS,
            "docs/upstreams.md" => UPSTREAMS,
            other => panic!("{other} is no page"),
        };
        let is_there = |line: &str| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let title: String = title
                .chars()
                .filter(|character| character.is_alphanumeric() || " -".contains(*character))
                .collect();
            line.starts_with('#') && title.replace(' ', "-") == anchor
        };
        assert!(anchor.is_empty() || text.lines().any(is_there), "{runbook}");
    }
}

#[test]
fn the_chart_brings_the_same_alerts_and_dashboard() {
    assert_eq!(include_str!("../helm/wxgate/files/alerts.yaml"), ALERTS);
    assert_eq!(include_str!("../helm/wxgate/files/dashboard.json"), DASHBOARD);
}
