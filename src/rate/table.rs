//! What is known of each key, in a table of a fixed size: whoever brings ever new addresses fills no
//! memory. A map that evicts by use would forget a key that is at its limit for one that came once; here
//! the one goes that is the nearest to being worth nothing.

use std::hash::{BuildHasher, Hash, RandomState};

use parking_lot::Mutex;

use super::{Exceeded, Quota};

/// Together 131,072 keys in some 2 MiB.
const SETS: usize = 1 << 14;
const CELLS: usize = 8;

/// The keys of many limits.
#[derive(Debug)]
pub struct Table {
    /// Keyed at random, so that nobody can make keys that meet.
    hasher: RandomState,
    sets: Box<[Mutex<[Cell; CELLS]>]>,
}

/// A key by its hash, and when its next is due; one whose time is over is free.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    hash: u64,
    due: u64,
}

impl Default for Table {
    fn default() -> Self {
        Self::with_sets(SETS)
    }
}

impl Table {
    fn with_sets(sets: usize) -> Self {
        Self { hasher: RandomState::new(), sets: (0..sets).map(|_| Mutex::default()).collect() }
    }

    /// Lets one more through the key's limit. `now` is any clock's nanoseconds, always the same one's.
    pub fn take(&self, key: &impl Hash, quota: &Quota, now: u64) -> Result<(), Exceeded> {
        let taken = self.with_cell(key, |due| quota.take(*due, now).map(|next| *due = next));
        // There is a set for every key.
        taken.unwrap_or(Ok(()))
    }

    /// What [`Table::take`] would say if it is no; nothing is counted.
    pub fn refusal(&self, key: &impl Hash, quota: &Quota, now: u64) -> Option<Exceeded> {
        let (hash, set) = self.set(key);
        let set = set?.lock();
        let cell = set.iter().find(|cell| cell.hash == hash)?;
        quota.take(cell.due, now).err()
    }

    /// Learns from elsewhere when the key's next is due, which never comes sooner again.
    pub fn learn(&self, key: &impl Hash, next_due: u64) {
        self.with_cell(key, |due| *due = next_due.max(*due));
    }

    fn with_cell<T>(&self, key: &impl Hash, change: impl FnOnce(&mut u64) -> T) -> Option<T> {
        let (hash, set) = self.set(key);
        let mut set = set?.lock();
        let known = set.iter().position(|cell| cell.hash == hash);
        let place = known.or_else(|| {
            let places = set.iter().enumerate().min_by_key(|(_, cell)| cell.due);
            places.map(|(place, _)| place)
        });
        let cell = place.and_then(|place| set.get_mut(place))?;
        if cell.hash != hash {
            *cell = Cell { hash, due: 0 };
        }
        Some(change(&mut cell.due))
    }

    fn set(&self, key: &impl Hash) -> (u64, Option<&Mutex<[Cell; CELLS]>>) {
        let hash = self.hasher.hash_one(key);
        // The high bits: the low ones tell the keys of a set apart just as well.
        (hash, self.sets.get((hash >> 32) as usize % self.sets.len()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn quota(burst: u64) -> Quota {
        Quota::new(1, Duration::from_secs(1), burst)
    }

    fn passed(table: &Table, key: u32, times: usize, now: u64) -> usize {
        (0..times).filter(|_| table.take(&key, &quota(3), now).is_ok()).count()
    }

    #[test]
    fn keys_have_limits_of_their_own() {
        let table = Table::default();
        assert_eq!((passed(&table, 1, 9, SECOND), passed(&table, 2, 9, SECOND)), (3, 3));
        assert_eq!((passed(&table, 1, 9, 3 * SECOND), passed(&table, 1, 9, 99 * SECOND)), (2, 3));
    }

    #[test]
    fn a_refusal_is_foreseen_and_counts_nothing() {
        let table = Table::default();
        assert_eq!(table.refusal(&1, &quota(1), SECOND), None);
        table.take(&1, &quota(1), SECOND).unwrap();
        for _ in 0..9 {
            let foreseen = table.refusal(&1, &quota(1), SECOND).unwrap();
            assert_eq!(foreseen.wait, Duration::from_secs(1));
        }
        assert_eq!(table.refusal(&1, &quota(1), 2 * SECOND), None);
    }

    #[test]
    fn what_is_learnt_only_adds() {
        let table = Table::default();
        table.learn(&1, 5 * SECOND);
        table.learn(&1, 4 * SECOND);
        let foreseen = table.refusal(&1, &quota(1), 4 * SECOND).unwrap();
        assert_eq!(foreseen.wait, Duration::from_secs(1));
    }

    /// The one at its limit stays, those that came once make room for each other.
    #[test]
    fn a_flood_of_keys_does_not_free_the_one_at_its_limit() {
        let table = Table::with_sets(1);
        assert_eq!(passed(&table, 0, 9, SECOND), 3);
        for key in 1..10_000 {
            assert!(table.take(&key, &quota(3), SECOND).is_ok());
        }
        assert_eq!(passed(&table, 0, 9, SECOND), 0);
    }

    #[test]
    fn the_table_has_its_size() {
        let table = Table::default();
        assert!(size_of_val(&*table.sets) <= 3 << 20);
    }

    #[test]
    fn many_threads_take_no_more_than_one() {
        let table = Table::default();
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| passed(&table, 7, 1000, SECOND))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 3);
    }
}
