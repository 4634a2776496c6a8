//! What happened between two scrapes of one gateway: rates, and quantiles of durations.

use super::exposition::{Metrics, Series};
use super::quantile::{Bucket, Quantiles};

/// Two scrapes; of a gateway that is seen for the first time there is only one, and no rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    before: Option<(&'a Metrics, f64)>,
    now: &'a Metrics,
    restarted: bool,
}

const STARTED: &str = "process_start_time_seconds";

impl<'a> Change<'a> {
    /// The earlier scrape with its distance in seconds, and the later one.
    pub(super) fn new(before: Option<(&'a Metrics, f64)>, now: &'a Metrics) -> Self {
        let started = |metrics: &Metrics| metrics.sum(STARTED, &[]);
        let restarted = before.is_some_and(|(before, _)| started(before) != started(now));
        let before = before.filter(|(_, seconds)| *seconds > 0.0);
        Self { before, now, restarted }
    }

    /// How much a counter with these labels goes up in a second.
    pub(super) fn rate(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let (before, seconds) = self.before?;
        let series = self.now.having(name, labels).into_iter();
        let grown: f64 = series.map(|series| self.grown(before.same(name, series), series)).sum();
        Some(grown / seconds)
    }

    /// Quantiles of what a histogram with these labels has observed in between.
    pub(super) fn quantiles(&self, name: &str, labels: &[(&str, &str)]) -> Option<Quantiles> {
        let (before, _) = self.before?;
        let name = format!("{name}_bucket");
        let mut buckets: Vec<Bucket> = Vec::new();
        for series in self.now.having(&name, labels) {
            let Ok(bound) = series.label("le").parse() else { continue };
            let count = self.grown(before.same(&name, series), series);
            match buckets.iter_mut().find(|bucket| bucket.bound == bound) {
                Some(bucket) => bucket.count += count,
                None => buckets.push(Bucket { bound, count }),
            }
        }
        Quantiles::of(buckets)
    }

    /// A counter that is lower than it was has begun anew, as all have after a restart.
    fn grown(&self, before: Option<&Series>, now: &Series) -> f64 {
        let earlier = before.filter(|_| !self.restarted);
        let earlier = earlier.map_or(0.0, |series| series.value);
        if now.value < earlier { now.value } else { now.value - earlier }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrape(started: u64, lines: &str) -> Metrics {
        Metrics::read(&format!("wxgate_ready 1\n{STARTED} {started}\n{lines}")).unwrap()
    }

    #[test]
    fn rates_are_of_a_second() {
        let before = scrape(1, "c{a=\"1\"} 10\nc{a=\"2\"} 10");
        let now = scrape(1, "c{a=\"1\"} 30\nc{a=\"2\"} 10\nc{a=\"3\"} 4");
        let change = Change::new(Some((&before, 2.0)), &now);
        assert_eq!(change.rate("c", &[]), Some(12.0));
        assert_eq!(change.rate("c", &[("a", "1")]), Some(10.0));
        assert_eq!(change.rate("c", &[("a", "3")]), Some(2.0));
        assert_eq!(change.rate("none", &[]), Some(0.0));
    }

    #[test]
    fn one_scrape_has_no_rate() {
        let now = scrape(1, "c 1");
        assert_eq!(Change::new(None, &now).rate("c", &[]), None);
        assert_eq!(Change::new(Some((&now, 0.0)), &now).rate("c", &[]), None);
    }

    #[test]
    fn a_counter_that_began_anew_is_not_negative() {
        let (before, now) = (scrape(1, "c 100"), scrape(1, "c 7"));
        assert_eq!(Change::new(Some((&before, 1.0)), &now).rate("c", &[]), Some(7.0));
    }

    #[test]
    fn after_a_restart_all_counters_began_anew() {
        let (before, now) = (scrape(1, "c 100"), scrape(2, "c 150"));
        assert_eq!(Change::new(Some((&before, 1.0)), &now).rate("c", &[]), Some(150.0));
    }

    #[test]
    fn quantiles_are_of_what_came_in_between_over_all_series() {
        let bucket = |route: &str, le: &str, count: u64| {
            format!("d_bucket{{route=\"{route}\",le=\"{le}\"}} {count}\n")
        };
        let series = |route: &str, counts: [u64; 3]| {
            [bucket(route, "0.1", counts[0]), bucket(route, "1", counts[1])].concat()
                + &bucket(route, "+Inf", counts[2])
        };
        let before = scrape(1, &series("a", [100, 100, 100]));
        let now = scrape(1, &(series("a", [100, 110, 110]) + &series("b", [10, 10, 10])));
        let change = Change::new(Some((&before, 1.0)), &now);
        let all = change.quantiles("d", &[]).unwrap();
        assert_eq!((all.median.seconds, all.tail.above), (0.1, false));
        let of_a = change.quantiles("d", &[("route", "a")]).unwrap();
        assert!((of_a.median.seconds - 0.55).abs() < 1e-9, "{of_a:?}");
    }
}
