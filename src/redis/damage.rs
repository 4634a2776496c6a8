//! Counting values that cannot be read, and saying so without flooding the log.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::telemetry::seldom::Seldom;

#[derive(Debug, Default)]
pub(super) struct Damage {
    count: AtomicU64,
    values: Seldom,
    users: Seldom,
}

impl Damage {
    /// A value that counts as missing.
    pub(super) fn count(&self, what: &'static str, value: &[u8]) {
        let count = self.count_one();
        if self.values.may_speak() {
            tracing::warn!(
                what, version = ?value.first(), length = value.len(), count,
                "A value in Redis cannot be read, and counts as missing: it is damaged, or written by \
                 another version of the gateway",
            );
        }
    }

    /// What is known of a user, which is not taken for missing.
    pub(super) fn count_user(&self, key: &str) {
        let count = self.count_one();
        if self.users.may_speak() {
            tracing::error!(
                key,
                count,
                "What Redis has of a user cannot be read, so he can neither log in nor end all of his \
                 sessions: update this gateway where a newer one wrote it; else delete the key, and \
                 those of his sessions, which have s: instead of u: and more behind the braces",
            );
        }
    }

    fn count_one(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn counted(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
