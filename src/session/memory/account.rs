//! What is known of a user beside the sessions: that he has logged in, and his session keys with the
//! tries that were counted on them.

use crate::session::store::{FAILURES, KeyId, RING, StoredKey};

/// What is known of one user.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) known: bool,
    ring: Vec<CountedKey>,
}

#[derive(Clone, Debug)]
struct CountedKey {
    id: KeyId,
    /// Nothing where it was burnt or taken out; the counts stay.
    key: Option<StoredKey>,
    /// Under way or failed.
    tries: u8,
    failures: u8,
}

impl Account {
    /// The keys that may be used, newest first.
    pub(super) fn keys(&self) -> Vec<StoredKey> {
        self.ring.iter().filter_map(|counted| counted.key.clone()).collect()
    }

    /// Puts a key first; whether it may be used.
    pub(super) fn add(&mut self, key: StoredKey) -> bool {
        let id = key.id;
        let place = self.ring.iter().position(|counted| counted.id == id);
        let known = place.map(|place| self.ring.remove(place));
        let (tries, failures) = known.map_or((0, 0), |known| (known.tries, known.failures));
        let usable = failures < FAILURES;
        let key = usable.then_some(key);
        self.ring.insert(0, CountedKey { id, key, tries, failures });
        self.ring.truncate(RING);
        usable
    }

    pub(super) fn remove(&mut self, id: &KeyId) {
        self.counted(id, |counted| counted.key = None);
    }

    /// Counts a try on each key that may be used; none where one has no try left.
    pub(super) fn begin_try(&mut self) -> Option<Vec<StoredKey>> {
        let usable = |counted: &&mut CountedKey| counted.key.is_some();
        if self.ring.iter_mut().filter(usable).any(|counted| counted.tries >= FAILURES) {
            return None;
        }
        self.ring.iter_mut().filter(usable).for_each(|counted| counted.tries += 1);
        Some(self.keys())
    }

    pub(super) fn end_try(&mut self, keys: &[KeyId], failed: bool) {
        for id in keys {
            self.counted(id, |counted| counted.end_try(failed));
        }
    }

    /// Burns the keys that have no try left.
    pub(super) fn abandon_tries(&mut self) {
        for counted in self.ring.iter_mut().filter(|counted| counted.tries >= FAILURES) {
            counted.failures = counted.tries;
            counted.key = None;
        }
    }

    fn counted(&mut self, id: &KeyId, change: impl FnOnce(&mut CountedKey)) {
        if let Some(counted) = self.ring.iter_mut().find(|counted| counted.id == *id) {
            change(counted);
        }
    }
}

impl CountedKey {
    fn end_try(&mut self, failed: bool) {
        if !failed {
            self.tries = self.tries.saturating_sub(1).max(self.failures);
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.tries = self.tries.max(self.failures);
        if self.failures >= FAILURES {
            self.key = None;
        }
    }
}
