//! A map whose entries run out, with a bound on their number.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// A map from keys to values that are kept until a time, in seconds since 1970.
#[derive(Debug)]
pub(super) struct Expiring<K, V> {
    capacity: usize,
    entries: HashMap<K, Entry<V>>,
    /// The keys in the order in which they run out; the number tells those of one second apart.
    order: BTreeMap<(u64, u64), K>,
    inserted: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    place: (u64, u64),
}

impl<K: Clone + Eq + Hash, V> Expiring<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, entries: HashMap::new(), order: BTreeMap::new(), inserted: 0 }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The value and until when it is kept.
    pub(super) fn get(&self, key: &K) -> Option<(&V, u64)> {
        self.entries.get(key).map(|entry| (&entry.value, entry.place.0))
    }

    /// Keeps the value until then; gives those that had to make room for it.
    pub(super) fn insert(&mut self, key: K, value: V, until: u64) -> Vec<V> {
        self.remove(&key);
        let mut evicted = Vec::new();
        while self.entries.len() >= self.capacity {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            evicted.extend(self.entries.remove(&oldest).map(|entry| entry.value));
        }
        let place = (until, self.inserted);
        self.inserted += 1;
        self.order.insert(place, key.clone());
        self.entries.insert(key, Entry { value, place });
        evicted
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.order.remove(&entry.place);
        Some(entry.value)
    }

    /// Takes out what has run out.
    pub(super) fn remove_expired(&mut self, now: u64) -> Vec<V> {
        let mut expired = Vec::new();
        while let Some(first) = self.order.first_entry() {
            if first.key().0 > now {
                break;
            }
            let key = first.remove();
            expired.extend(self.entries.remove(&key).map(|entry| entry.value));
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_run_out_at_their_time() {
        let mut map = Expiring::new(10);
        map.insert("a", 1, 100);
        map.insert("b", 2, 200);
        assert_eq!(map.remove_expired(99), Vec::<i32>::new());
        assert_eq!(map.remove_expired(100), vec![1]);
        assert_eq!(map.get(&"a"), None);
        assert_eq!(map.get(&"b"), Some((&2, 200)));
    }

    #[test]
    fn the_one_that_runs_out_first_makes_room() {
        let mut map = Expiring::new(2);
        map.insert("a", 1, 300);
        map.insert("b", 2, 100);
        assert_eq!(map.insert("a", 3, 400), Vec::<i32>::new());
        assert_eq!(map.insert("c", 4, 200), vec![2]);
        assert_eq!(map.get(&"a"), Some((&3, 400)));
        assert_eq!((map.entries.len(), map.order.len()), (2, 2));
    }
}
