//! Rate limits by GCRA (the generic cell rate algorithm of ITU-T I.371): one number for each key says how
//! far what came so far has run ahead of the rate. Any window of a time `t` lets `burst + t · rate` through
//! at most, and a key that has been quiet is worth nothing and can be forgotten.

mod table;

use std::time::Duration;

pub use table::Table;

/// What a limit lets through. Times are nanoseconds; each is at most some 115 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// From one to the next in the long run.
    interval: u64,
    /// How far ahead of that they may come: what a burst takes, without its first.
    tolerance: u64,
}

/// The largest burst.
pub const MOST_AT_ONCE: u64 = 1_000_000;

/// A limit was reached. Nothing was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// When there is room for one more, if nobody else comes.
    pub wait: Duration,
}

impl Quota {
    /// `count` in each `per`, and `burst` of them at once.
    pub fn new(count: u64, per: Duration, burst: u64) -> Self {
        // Rounded up, so that never more come through than was said.
        let interval = nanoseconds(per).div_ceil(count.max(1)).max(1);
        let burst = burst.clamp(1, MOST_AT_ONCE);
        Self { interval, tolerance: interval.saturating_mul(burst - 1) }
    }

    /// From one to the next in the long run, in nanoseconds.
    pub fn interval(&self) -> u64 {
        self.interval
    }

    /// How far ahead of the rate a burst may run, in nanoseconds.
    pub fn tolerance(&self) -> u64 {
        self.tolerance
    }

    /// Lets one through at `now`, where the last was due at `due`: when the next is due.
    pub fn take(&self, due: u64, now: u64) -> Result<u64, Exceeded> {
        let due = self.in_reach(due, now);
        let wait = due.saturating_sub(now).saturating_sub(self.tolerance);
        match wait {
            0 => Ok(due.saturating_add(self.interval)),
            wait => Err(Exceeded { wait: Duration::from_nanos(wait) }),
        }
    }

    /// No quota puts it further ahead than a burst; another one, from before a change of the
    /// configuration, may have.
    fn in_reach(&self, due: u64, now: u64) -> u64 {
        let furthest = now.saturating_add(self.tolerance).saturating_add(self.interval);
        due.clamp(now, furthest)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn quota(count: u64, seconds: u64, burst: u64) -> Quota {
        Quota::new(count, Duration::from_secs(seconds), burst)
    }

    /// How many of these arrivals are let through, in the order of time.
    fn passed(quota: Quota, arrivals: &[u64]) -> Vec<u64> {
        let mut due = 0;
        let take = |now: &&u64| quota.take(due, **now).map(|next| due = next).is_ok();
        arrivals.iter().filter(take).copied().collect()
    }

    #[test]
    fn a_burst_passes_at_once_and_then_one_for_each_interval() {
        let quota = quota(10, 1, 3);
        assert_eq!(passed(quota, &[5; 10]).len(), 3);
        let tenth = SECOND / 10;
        let arrivals: Vec<_> = [0; 4].into_iter().chain((1..=5).map(|n| n * tenth)).collect();
        assert_eq!(passed(quota, &arrivals).len(), 3 + 5);
        assert_eq!(passed(quota, &[0, 0, 0, tenth - 1]).len(), 3);
    }

    #[test]
    fn the_wait_is_exact() {
        let quota = quota(10, 1, 1);
        let due = quota.take(0, 7).unwrap();
        let exceeded = quota.take(due, 8).unwrap_err();
        assert_eq!(exceeded.wait, Duration::from_nanos(SECOND / 10 - 1));
        assert_eq!(quota.take(due, 7 + SECOND / 10), Ok(7 + SECOND / 5));
    }

    #[test]
    fn who_was_quiet_has_a_burst_and_not_more() {
        let quota = quota(600, 60, 100);
        assert_eq!(passed(quota, &vec![3600 * SECOND; 500]).len(), 100);
    }

    #[test]
    fn what_another_quota_left_holds_nobody_longer_than_this_one_can() {
        let quota = quota(1, 1, 2);
        let exceeded = quota.take(u64::MAX, 0).unwrap_err();
        assert_eq!(exceeded.wait, Duration::from_secs(1));
    }

    #[test]
    fn quotas_without_end_do_not_overflow() {
        let quota = Quota::new(1, Duration::MAX, u64::MAX);
        let due = quota.take(0, u64::MAX).unwrap();
        assert_eq!(quota.take(due, u64::MAX), Ok(u64::MAX));
        assert_eq!(Quota::new(0, Duration::ZERO, 0).interval(), 1);
    }

    proptest! {
        /// In every window, whatever comes and whenever.
        #[test]
        fn never_more_than_burst_and_rate_pass(
            count in 1_u64..2_000,
            seconds in 1_u64..100,
            burst in 1_u64..50,
            gaps in prop::collection::vec(prop_oneof![Just(0), 0_u64..SECOND, 0..30 * SECOND], 1..200),
        ) {
            let quota = quota(count, seconds, burst);
            let mut now = 0;
            let arrivals: Vec<_> = gaps.iter().map(|gap| { now += gap; now }).collect();
            let passed = passed(quota, &arrivals);
            for (first, start) in passed.iter().enumerate() {
                for (last, end) in passed.iter().enumerate().skip(first) {
                    let most = burst + (end - start) / quota.interval();
                    prop_assert!((last - first + 1) as u64 <= most);
                }
            }
        }

        /// Nobody is refused who keeps to the rate.
        #[test]
        fn who_keeps_to_the_rate_is_never_refused(count in 1_u64..2_000, late in prop::collection::vec(0_u64..SECOND, 1..200)) {
            let quota = quota(count, 1, 1);
            let mut now = 0;
            let arrivals: Vec<_> = late.iter().map(|late| { now += quota.interval() + late; now }).collect();
            prop_assert_eq!(passed(quota, &arrivals).len(), arrivals.len());
        }
    }
}
