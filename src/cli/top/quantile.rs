//! Quantiles from the buckets of a histogram, as Prometheus' `histogram_quantile` has them.

/// How many observations were at most this long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    /// In seconds; infinite in the last.
    pub(super) bound: f64,
    /// Those of the lower buckets are in it.
    pub(super) count: f64,
}

/// The median, and what one in a hundred takes longer than.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quantiles {
    pub(super) median: Latency,
    pub(super) tail: Latency,
}

/// A duration out of buckets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Latency {
    pub(super) seconds: f64,
    /// It is longer than the last bound, nobody knows by how much.
    pub(super) above: bool,
}

impl Quantiles {
    /// None where nothing was observed.
    pub(super) fn of(mut buckets: Vec<Bucket>) -> Option<Self> {
        buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
        Some(Self { median: quantile(&buckets, 0.5)?, tail: quantile(&buckets, 0.99)? })
    }
}

/// Within a bucket all observations are taken to lie at even distances.
fn quantile(buckets: &[Bucket], share: f64) -> Option<Latency> {
    let rank = buckets.last().map(|last| last.count).filter(|all| *all > 0.0)? * share;
    let mut below = Bucket { bound: 0.0, count: 0.0 };
    for bucket in buckets {
        if bucket.count >= rank && bucket.count > below.count {
            let above = bucket.bound.is_infinite();
            let part = (rank - below.count) / (bucket.count - below.count);
            let inside = below.bound + (bucket.bound - below.bound) * part;
            let seconds = if above { below.bound } else { inside };
            return Some(Latency { seconds, above });
        }
        below = *bucket;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: [f64; 4]) -> Option<Quantiles> {
        let bounds = [0.001, 0.01, 0.1, f64::INFINITY];
        let buckets = bounds.into_iter().zip(counts);
        Quantiles::of(buckets.map(|(bound, count)| Bucket { bound, count }).collect())
    }

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let quantiles = of([50.0, 90.0, 100.0, 100.0]).unwrap();
        assert!((quantiles.median.seconds - 0.001).abs() < 1e-9);
        assert!((quantiles.tail.seconds - 0.091).abs() < 1e-9, "{quantiles:?}");
    }

    #[test]
    fn above_the_last_bound_nobody_knows() {
        let quantiles = of([0.0, 0.0, 0.0, 3.0]).unwrap();
        assert_eq!(quantiles.median, Latency { seconds: 0.1, above: true });
    }

    #[test]
    fn without_observations_there_is_none() {
        assert_eq!(of([0.0; 4]), None);
        assert_eq!(Quantiles::of(Vec::new()), None);
    }

    proptest::proptest! {
        #[test]
        fn the_tail_is_never_before_the_median(counts: [u16; 4]) {
            let mut all = 0.0;
            let sums = counts.map(|count| { all += f64::from(count); all });
            if let Some(quantiles) = of(sums) {
                let (median, tail) = (quantiles.median, quantiles.tail);
                assert!(median.seconds <= tail.seconds, "{quantiles:?}");
                assert!(median.seconds >= 0.0 && tail.seconds <= 0.1);
            } else {
                assert_eq!(all, 0.0);
            }
        }
    }
}
