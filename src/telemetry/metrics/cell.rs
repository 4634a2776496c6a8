//! What a series counts in: atomics, so that whoever holds one counts without a look-up, a lock or an
//! allocation. The histogram of prometheus-client takes a lock for each observation, and its counters
//! cannot tell whether anybody still holds them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The upper bounds of the buckets, in nanoseconds: from an answer out of memory to WeChat's worst.
const BOUNDS: [u64; 14] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];
const BUCKETS: usize = BOUNDS.len() + 1;
const NANOSECONDS: f64 = 1e9;

/// A number of things that happened.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(super) fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// A value that goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    /// What it was set to; 0 at first.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }

    pub(super) fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// How long things took.
#[derive(Clone, Debug, Default)]
pub struct Histogram(Arc<Observed>);

#[derive(Debug, Default)]
struct Observed {
    /// Each with those that are in no bucket before it; the last one has no bound.
    buckets: [AtomicU64; BUCKETS],
    nanoseconds: AtomicU64,
}

impl Histogram {
    /// One more that took so long.
    pub fn observe(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().take_while(|bound| nanoseconds > **bound).count();
        if let Some(bucket) = self.0.buckets.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
        self.0.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    /// How many so far.
    pub fn count(&self) -> u64 {
        self.0.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum()
    }

    /// The bounds in seconds, each with what is in its bucket alone; and the sum in seconds.
    pub(super) fn read(&self) -> ([(f64, u64); BUCKETS], f64) {
        let mut buckets = [(f64::INFINITY, 0); BUCKETS];
        let bounds = BOUNDS.iter().map(|bound| *bound as f64 / NANOSECONDS);
        let bounds = bounds.chain([f64::INFINITY]);
        for ((bucket, bound), count) in buckets.iter_mut().zip(bounds).zip(&self.0.buckets) {
            *bucket = (bound, count.load(Relaxed));
        }
        (buckets, self.0.nanoseconds.load(Relaxed) as f64 / NANOSECONDS)
    }

    pub(super) fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_is_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        let micros = Duration::from_micros;
        for took in [micros(0), micros(500), micros(501), micros(7_000), Duration::from_secs(99)] {
            histogram.observe(took);
        }
        let (buckets, sum) = histogram.read();
        let filled: Vec<_> = buckets.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0.0005, 2), (0.001, 1), (0.01, 1), (f64::INFINITY, 1)]);
        assert!((sum - 99.008_001).abs() < 1e-9, "{sum}");
        assert_eq!(histogram.count(), 5);
    }
}
