//! How many requests may be tried again: a fifth of all, so that tries do not bury a service that is
//! failing under load (Google, "Site Reliability Engineering", chapter 22).

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// What a retry costs, where a request brings 1.
const PRICE: i64 = 5;
/// As much as is kept for a bad moment, and what is there at the start: ten retries.
const FULL: i64 = 10 * PRICE;

/// The budget of one upstream.
#[derive(Debug)]
pub(super) struct RetryBudget(AtomicI64);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(AtomicI64::new(FULL))
    }
}

impl RetryBudget {
    /// A request came.
    pub(super) fn earn(&self) {
        // Full is the usual case: it costs a load. Some that come at once may go a little beyond.
        if self.0.load(Relaxed) < FULL {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// Takes what a retry costs; false where it is not there.
    pub(super) fn spend(&self) -> bool {
        let afford = |credit: i64| (credit >= PRICE).then_some(credit - PRICE);
        self.0.fetch_update(Relaxed, Relaxed, afford).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_requests_may_be_tried_again() {
        let budget = RetryBudget::default();
        while budget.spend() {}
        let mut retries = 0;
        for _ in 0..1_000 {
            budget.earn();
            retries += usize::from(budget.spend());
        }
        assert_eq!(retries, 200);
    }

    #[test]
    fn no_more_is_kept_than_for_ten() {
        let budget = RetryBudget::default();
        (0..1_000).for_each(|_| budget.earn());
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 10);
    }
}
