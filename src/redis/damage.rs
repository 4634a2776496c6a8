//! Counting values that cannot be read, and saying so without flooding the log.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::telemetry::seldom::Seldom;

#[derive(Debug, Default)]
pub(super) struct Damage {
    count: AtomicU64,
    seldom: Seldom,
}

impl Damage {
    pub(super) fn count(&self, what: &'static str, value: &[u8]) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if self.seldom.may_speak() {
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
}
