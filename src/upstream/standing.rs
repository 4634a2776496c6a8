//! Whether a target gets requests, as its answers and its health checks have it.
//!
//! Three things can keep it from them, each on its own: its health check fails; it was left out since
//! requests failed one after the other; it lets nobody connect. Everything is an atomic, for it is read
//! for every request; what belongs together need not be read at once, since being wrong for a moment
//! costs one request a less good choice.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A target that comes back gets its full share after this time, and grows into it linearly.
const SLOW_START: u64 = 10_000;
/// What it gets at the beginning, so that there is something to grow from.
const LEAST_WEIGHT: f64 = 0.05;
/// Being left out becomes longer each time, up to so many times the first.
const LONGEST: u32 = 10;

/// When a server that fails is left out: the `eject` table of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eject {
    /// After so many failures in a row; never where it is 0.
    pub failures: u32,
    /// For this long the first time.
    pub duration: Duration,
}

/// How a request went, as far as it tells something about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered.
    Answered,
    /// The connection broke before the answer was whole, or the answer was no HTTP.
    Broken,
    /// There was no connection; nothing was sent.
    NotConnected,
    /// It answered with a status of 500 or more.
    ServerError,
    /// It did not answer in time.
    TimedOut,
}

/// Whether a server gets requests, and what keeps it from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// It gets its share.
    In,
    /// Left out since requests failed one after the other.
    Ejected,
    /// Its health check fails.
    Unhealthy,
    /// Nobody can connect to it.
    Unreachable,
    /// Somebody asked for it.
    Drained,
}

impl ServerState {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::In, Self::Ejected, Self::Unhealthy, Self::Unreachable, Self::Drained];

    /// Its name in metrics and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Ejected => "ejected",
            Self::Unhealthy => "unhealthy",
            Self::Unreachable => "unreachable",
            Self::Drained => "drained",
        }
    }
}

/// What is known of one target. Times are milliseconds of [`crate::clock::Clock::elapsed`].
#[derive(Debug)]
pub(super) struct Standing {
    is_well: AtomicBool,
    lets_connect: AtomicBool,
    /// Somebody asked that it gets no more requests.
    is_drained: AtomicBool,
    refusals: AtomicU32,
    failures: AtomicU32,
    ejections: AtomicU32,
    ejected_until: AtomicU64,
    /// Its full share is due [`SLOW_START`] after this.
    back_since: AtomicU64,
}

impl Standing {
    /// One that nothing is known of. Where others were there before it, it begins slowly.
    pub(super) fn new(slowly_from: Option<u64>) -> Self {
        Self {
            is_well: AtomicBool::new(true),
            lets_connect: AtomicBool::new(true),
            is_drained: AtomicBool::new(false),
            refusals: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            ejections: AtomicU32::new(0),
            ejected_until: AtomicU64::new(0),
            // The clock starts at 0: nobody is still warming up who was there then.
            back_since: AtomicU64::new(slowly_from.map_or(0, |now| now.max(1))),
        }
    }

    /// Whether it gets its share of the requests.
    pub(super) fn is_in(&self, now: u64) -> bool {
        self.is_well.load(Relaxed) && self.may_be_asked() && !self.is_ejected(now)
    }

    pub(super) fn is_ejected(&self, now: u64) -> bool {
        now < self.ejected_until.load(Relaxed)
    }

    /// Whether there is a point in asking it at all.
    pub(super) fn may_be_asked(&self) -> bool {
        self.lets_connect() && !self.is_drained()
    }

    pub(super) fn lets_connect(&self) -> bool {
        self.lets_connect.load(Relaxed)
    }

    pub(super) fn is_drained(&self) -> bool {
        self.is_drained.load(Relaxed)
    }

    pub(super) fn set_drained(&self, drained: bool) {
        self.is_drained.store(drained, Relaxed);
    }

    pub(super) fn state(&self, now: u64) -> ServerState {
        match () {
            () if self.is_drained() => ServerState::Drained,
            () if !self.lets_connect() => ServerState::Unreachable,
            () if !self.is_well.load(Relaxed) => ServerState::Unhealthy,
            () if self.is_ejected(now) => ServerState::Ejected,
            () => ServerState::In,
        }
    }

    /// Its part of a full share, above 0 and at most 1.
    pub(super) fn weight(&self, now: u64) -> f64 {
        let back_since = self.back_since.load(Relaxed);
        match now.saturating_sub(back_since) {
            _ if back_since == 0 => 1.0,
            since if since >= SLOW_START => 1.0,
            since => (since as f64 / SLOW_START as f64).max(LEAST_WEIGHT),
        }
    }

    /// A request was answered.
    pub(super) fn succeed(&self) {
        // Stores to a line that every core reads are what costs here.
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
        if self.refusals.load(Relaxed) != 0 {
            self.refusals.store(0, Relaxed);
        }
    }

    /// A request failed; gives how many have in a row.
    pub(super) fn fail(&self) -> u32 {
        self.refusals.store(0, Relaxed);
        self.failures.fetch_add(1, Relaxed).saturating_add(1)
    }

    /// There was no connection; gives how many times in a row.
    pub(super) fn fail_to_connect(&self) -> u32 {
        self.refusals.fetch_add(1, Relaxed).saturating_add(1)
    }

    /// Leaves it out; gives for how long. The failures stay counted: the first request after it must
    /// succeed, or it is out again at once.
    pub(super) fn eject(&self, now: u64, first: Duration) -> Duration {
        let until = self.ejected_until.load(Relaxed);
        let last = ejection(first, self.ejections.load(Relaxed).saturating_sub(1));
        if now.saturating_sub(until) >= millis(last) {
            // It was well for as long as it had been out: this is a new trouble.
            self.ejections.store(0, Relaxed);
        }
        let duration = ejection(first, self.ejections.fetch_add(1, Relaxed));
        let until = now + millis(duration);
        self.back_since.store(until, Relaxed);
        self.ejected_until.store(until, Relaxed);
        duration
    }

    /// Nobody can connect; false where that was known.
    pub(super) fn close(&self) -> bool {
        self.lets_connect.swap(false, Relaxed)
    }

    /// Somebody could connect again. Until a request is answered, one more refusal closes it.
    pub(super) fn open(&self, now: u64, refusals: u32) {
        self.refusals.store(refusals.saturating_sub(1), Relaxed);
        self.back_since.store(now.max(1), Relaxed);
        self.lets_connect.store(true, Relaxed);
    }

    /// What its health check says; false where that was known.
    pub(super) fn set_well(&self, well: bool, now: u64) -> bool {
        if well && !self.is_well.load(Relaxed) {
            self.back_since.store(now.max(1), Relaxed);
        }
        self.is_well.swap(well, Relaxed) != well
    }
}

fn ejection(first: Duration, before: u32) -> Duration {
    first * LONGEST.min(1 << before.min(8))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(30);

    #[test]
    fn being_left_out_becomes_longer_up_to_a_cap() {
        let standing = Standing::new(None);
        let mut now = 1_000;
        for seconds in [30, 60, 120, 240, 300, 300] {
            let duration = standing.eject(now, FIRST);
            assert_eq!(duration, Duration::from_secs(seconds));
            assert!(!standing.is_in(now + millis(duration) - 1));
            now += millis(duration);
            assert!(standing.is_in(now));
        }
        now += 300_000;
        assert_eq!(standing.eject(now, FIRST), FIRST, "a new trouble begins anew");
    }

    #[test]
    fn who_comes_back_grows_into_its_share() {
        let standing = Standing::new(None);
        assert_eq!(standing.weight(0), 1.0);
        let back = millis(standing.eject(0, FIRST));
        assert_eq!(standing.weight(back), LEAST_WEIGHT);
        assert_eq!(standing.weight(back + 5_000), 0.5);
        assert_eq!(standing.weight(back + 10_000), 1.0);
        standing.close();
        standing.open(back + 20_000, 5);
        assert_eq!(standing.weight(back + 22_500), 0.25);
        assert!(standing.set_well(false, 0));
        assert!(standing.set_well(true, back + 40_000));
        assert_eq!(standing.weight(back + 45_000), 0.5);
        assert_eq!(Standing::new(Some(7_000)).weight(12_000), 0.5);
    }

    #[test]
    fn only_failures_in_a_row_count() {
        let standing = Standing::new(None);
        assert_eq!([standing.fail(), standing.fail()], [1, 2]);
        standing.succeed();
        assert_eq!([standing.fail(), standing.fail_to_connect()], [1, 1]);
        assert_eq!(standing.fail_to_connect(), 2);
        assert_eq!(standing.fail(), 2);
        assert_eq!(standing.fail_to_connect(), 1, "what is answered with an error was connected");
    }
}
