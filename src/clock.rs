//! The time of day, from one place, so that a test can set it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where [`Clock::elapsed`] counts from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Where the time of day comes from.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Seconds added to the system's time; none outside tests.
    ahead: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that can be moved with [`Clock::advance`].
    pub fn movable() -> Self {
        Self { ahead: Some(Arc::default()) }
    }

    /// Moves a movable clock forward, for everybody who holds it. Does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        if let Some(ahead) = &self.ahead {
            ahead.fetch_add(by.as_secs(), Ordering::Relaxed);
        }
    }

    /// Whether [`Clock::advance`] moves it.
    pub fn is_movable(&self) -> bool {
        self.ahead.is_some()
    }

    /// Seconds since 1970.
    pub fn now(&self) -> u64 {
        #[allow(clippy::disallowed_methods, reason = "the one place that reads it")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        now + self.moved()
    }

    /// Milliseconds since 1970, for the log.
    pub fn now_milliseconds(&self) -> u64 {
        #[allow(clippy::disallowed_methods, reason = "here is where the time is read")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        u64::try_from(now).unwrap_or(u64::MAX) + 1_000 * self.moved()
    }

    /// Milliseconds since the first one who asked: for spans of time, which setting the system's
    /// time does not change.
    pub fn elapsed(&self) -> u64 {
        let elapsed = u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX);
        elapsed + 1_000 * self.moved()
    }

    /// The same in nanoseconds: 584 years of them.
    pub fn nanoseconds(&self) -> u64 {
        let elapsed = u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX);
        elapsed.saturating_add(self.moved().saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since 1970: good until 2554.
    pub fn unix_nanoseconds(&self) -> u64 {
        #[allow(clippy::disallowed_methods, reason = "the one place that reads it")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        now.saturating_add(self.moved().saturating_mul(1_000_000_000))
    }

    fn moved(&self) -> u64 {
        self.ahead.as_ref().map_or(0, |ahead| ahead.load(Ordering::Relaxed))
    }
}
