//! The text format of metrics (Prometheus 0.0.4), as far as one reads what `/metrics` writes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Every series of one scrape, by the name of its metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Metrics(BTreeMap<String, Metric>);

/// The series of one metric, with the ways to find some of them: there are thousands where there are many
/// routes, and who asks for each route must not look at all of them each time.
#[derive(Clone, Debug, Default, PartialEq)]
struct Metric {
    series: Vec<Series>,
    /// Where each stands, by a hash of all its labels.
    places: HashMap<u64, Vec<usize>>,
    /// Where those with a label stand, by a hash of it.
    with: HashMap<u64, Vec<usize>>,
}

impl Metric {
    fn push(&mut self, series: Series) {
        let place = self.series.len();
        self.places.entry(hash(&series.labels)).or_default().push(place);
        for (name, value) in &series.labels {
            self.with.entry(hash(&(name.as_str(), value.as_str()))).or_default().push(place);
        }
        self.series.push(series);
    }

    /// Those with all of these labels, in the order of the text.
    fn having<'a>(&'a self, labels: &[(&str, &str)]) -> Vec<&'a Series> {
        // One that a series does not have is empty, and stands nowhere.
        let given = labels.iter().filter(|(_, value)| !value.is_empty());
        let places = given.map(|label| self.with.get(&hash(label)).map_or(&[][..], Vec::as_slice));
        let has = |series: &&Series| series.has(labels);
        match places.min_by_key(|places| places.len()) {
            None => self.series.iter().filter(has).collect(),
            Some(places) => self.at(places).filter(has).collect(),
        }
    }

    /// The one with these very labels.
    fn same(&self, labels: &[(String, String)]) -> Option<&Series> {
        let places = self.places.get(&hash(labels))?;
        self.at(places).find(|series| series.labels == labels)
    }

    fn at<'a>(&'a self, places: &'a [usize]) -> impl Iterator<Item = &'a Series> {
        places.iter().filter_map(|place| self.series.get(*place))
    }
}

fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// One value with its labels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    labels: Vec<(String, String)>,
    pub(super) value: f64,
}

impl Series {
    /// The value of a label; empty where it has none.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// It has all of these.
    pub(super) fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|(name, value)| self.label(name) == *value)
    }
}

impl Metrics {
    /// Reads the text. None where there is no metric of wxgate in it: it is something else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut metrics = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((name, series)) = series(line) {
                metrics.0.entry(name.to_owned()).or_default().push(series);
            }
        }
        metrics.0.contains_key("wxgate_ready").then_some(metrics)
    }

    /// The series of a metric, in the order of the text.
    pub(super) fn of(&self, name: &str) -> &[Series] {
        self.0.get(name).map_or(&[], |metric| &metric.series)
    }

    /// The series of a metric with these labels, in the order of the text.
    pub(super) fn having(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Series> {
        self.0.get(name).map(|metric| metric.having(labels)).unwrap_or_default()
    }

    /// The series of a metric with the very labels of this one.
    pub(super) fn same(&self, name: &str, series: &Series) -> Option<&Series> {
        self.0.get(name)?.same(&series.labels)
    }

    /// The sum of all series of a metric with these labels; none where there is no such series.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let values = self.having(name, labels);
        values.into_iter().map(|series| series.value).reduce(|sum, value| sum + value)
    }

    /// Every value of a label, in the order of the text.
    pub(super) fn values_of(&self, name: &str, label: &str) -> Vec<&str> {
        let mut known = HashSet::new();
        let values = self.of(name).iter().map(|series| series.label(label));
        values.filter(|value| known.insert(*value)).collect()
    }
}

/// `name{label="value",…} value`; what is behind the value is a time, and of no use here.
fn series(line: &str) -> Option<(&str, Series)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while let Some((label, after)) = label(rest)? {
            labels.push(label);
            rest = after;
        }
        rest = rest.split_once('}')?.1;
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some((name, Series { labels, value }))
}

/// The next label and what follows it; nothing at the end of the labels.
#[allow(clippy::type_complexity, reason = "it is one label and the rest")]
fn label(text: &str) -> Option<Option<((String, String), &str)>> {
    let text = text.trim_start_matches([',', ' ']);
    if text.starts_with('}') {
        return Some(None);
    }
    let (name, after) = text.split_once("=\"")?;
    let mut value = String::new();
    let mut characters = after.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some(Some(((name.to_owned(), value), after.get(at + 1..)?))),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP wxgate_ready 1 where requests are welcome.
# TYPE wxgate_ready gauge
wxgate_ready 1
wxgate_requests_total{route="/a",method="GET",status="2xx"} 3
wxgate_requests_total{route="/b \"}\\,=",status="5xx"} 4 1395066363000
wxgate_d_bucket{le="+Inf"} 1e3
broken{a="b
broken{a="b"}
broken x

"#;

    #[test]
    fn series_are_read_with_their_labels() {
        let metrics = Metrics::read(TEXT).unwrap();
        assert_eq!(metrics.sum("wxgate_ready", &[]), Some(1.0));
        assert_eq!(metrics.sum("wxgate_requests_total", &[]), Some(7.0));
        assert_eq!(metrics.sum("wxgate_requests_total", &[("status", "5xx")]), Some(4.0));
        assert_eq!(metrics.sum("wxgate_requests_total", &[("status", "4xx")]), None);
        assert_eq!(metrics.values_of("wxgate_requests_total", "route"), ["/a", "/b \"}\\,="]);
        assert_eq!(metrics.sum("wxgate_d_bucket", &[("le", "+Inf")]), Some(1_000.0));
        assert_eq!(metrics.of("broken"), []);
        let of_route =
            metrics.having("wxgate_requests_total", &[("route", "/a"), ("status", "2xx")]);
        assert_eq!(of_route.len(), 1);
        let without_method = [("method", ""), ("status", "5xx")];
        assert_eq!(metrics.sum("wxgate_requests_total", &without_method), Some(4.0));
        assert_eq!(metrics.same("wxgate_requests_total", of_route[0]), Some(of_route[0]));
        assert_eq!(metrics.same("wxgate_d_bucket", of_route[0]), None);
    }

    #[test]
    fn another_program_is_told_apart() {
        assert_eq!(Metrics::read("<html>"), None);
        assert_eq!(Metrics::read("up 1"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_much(text in "\\PC*", labels in "[a\"\\\\={},n ]*") {
            Metrics::read(&text);
            Metrics::read(&format!("wxgate_ready 1\na{{{labels}}} 1"));
        }
    }
}
