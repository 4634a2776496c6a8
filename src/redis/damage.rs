//! Counting values that cannot be read, and saying so without flooding the log.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Between two lines of the log.
const QUIET: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Damage {
    count: AtomicU64,
    said: Mutex<Option<Instant>>,
}

impl Damage {
    pub(super) fn count(&self, what: &'static str, value: &[u8]) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if self.may_speak() {
            tracing::warn!(
                what, version = ?value.first(), length = value.len(), count,
                "A value in Redis cannot be read, and counts as missing: it is damaged, or written by \
                 another version of the gateway",
            );
        }
    }

    pub(super) fn counted(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn may_speak(&self) -> bool {
        // Who finds it locked need not speak: somebody else does.
        let Ok(mut said) = self.said.try_lock() else { return false };
        let quiet = said.is_some_and(|said| said.elapsed() < QUIET);
        if !quiet {
            *said = Some(Instant::now());
        }
        !quiet
    }
}
