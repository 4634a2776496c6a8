//! Whether the gateway is ready for requests: each part of it blocks readiness until it is dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The parts that are known, with what is in the way of each.
type Parts = BTreeMap<&'static str, Option<String>>;

/// What is not ready yet, or not any more.
#[derive(Clone, Debug, Default)]
pub struct Ready(Arc<Mutex<Parts>>);

/// Blocks readiness for one part until it is dropped.
#[derive(Debug)]
pub struct BlockReady {
    ready: Ready,
    part: &'static str,
}

impl Ready {
    /// Blocks readiness for this part, for this reason.
    #[must_use = "readiness is blocked until this is dropped"]
    pub fn block(&self, part: &'static str, reason: impl Into<String>) -> BlockReady {
        self.open().insert(part, Some(reason.into()));
        BlockReady { ready: self.clone(), part }
    }

    /// Blocks readiness for this part until the process ends.
    pub fn block_for_good(&self, part: &'static str, reason: impl Into<String>) {
        self.open().insert(part, Some(reason.into()));
    }

    /// Names a part that is well as long as nobody blocks it.
    pub fn name(&self, part: &'static str) {
        self.open().entry(part).or_default();
    }

    /// The parts that block readiness, with their reasons.
    pub fn blocked(&self) -> BTreeMap<&'static str, String> {
        let parts = self.parts().into_iter();
        parts.filter_map(|(part, reason)| Some((part, reason?))).collect()
    }

    /// All parts that are known, with what is in the way of each.
    pub fn parts(&self) -> BTreeMap<&'static str, Option<String>> {
        self.open().clone()
    }

    fn open(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockReady {
    /// From now on it blocks for this reason.
    pub fn because(&self, reason: impl Into<String>) {
        self.ready.open().insert(self.part, Some(reason.into()));
    }
}

impl Drop for BlockReady {
    fn drop(&mut self) {
        self.ready.open().insert(self.part, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_blocks_until_it_is_dropped() {
        let ready = Ready::default();
        let proxy = ready.block("proxy", "starting");
        let store = ready.block("store", "connecting");
        drop(proxy);
        store.because("refused");
        assert_eq!(ready.blocked().into_values().collect::<Vec<_>>(), ["refused"]);
        assert_eq!(ready.blocked().into_keys().collect::<Vec<_>>(), ["store"]);
        drop(store);
        assert!(ready.blocked().is_empty());
    }
}
