//! The store in this process: for one gateway, with the bounds of any other store.

mod account;
mod expiring;

use std::array;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use self::account::Account;
use self::expiring::Expiring;
use super::record::{Session, SessionId};
use super::store::{Key, KeyId, Store, StoredKey, Unavailable};
use crate::clock::Clock;
use crate::rate::{self, Exceeded, Quota};
use crate::wechat::user::User;

/// Entries of each kind; beyond it one of those that would run out first makes room. About 1 KiB each.
const CAPACITY: usize = 1 << 20;
/// A map that grows moves all of its entries, and whoever needs one waits: 4 seconds, where a million
/// sessions were in one.
const SHARDS: usize = 64;

/// The store in this process.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Clock,
    hasher: RandomState,
    shards: [Mutex<Tables>; SHARDS],
    rates: rate::Table,
}

/// What is kept of some of the users, and some of the values.
#[derive(Debug)]
struct Tables {
    sessions: Expiring<SessionId, Session>,
    by_user: HashMap<User, Vec<SessionId>>,
    accounts: Expiring<User, Account>,
    values: Expiring<Key, Vec<u8>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Clock) -> Self {
        let rates = rate::Table::default();
        let shards = array::from_fn(|_| Mutex::new(Tables::new(CAPACITY / SHARDS)));
        Self { clock, hasher: RandomState::new(), shards, rates }
    }

    /// The tables that this user or this value is in, without what has run out, and the time.
    fn open(&self, owner: &impl Hash) -> (MutexGuard<'_, Tables>, u64) {
        let now = self.clock.now();
        let [first, rest @ ..] = &self.shards;
        let shard = self.hasher.hash_one(owner) as usize % SHARDS;
        let shard = shard.checked_sub(1).and_then(|shard| rest.get(shard)).unwrap_or(first);
        // No operation panics half way through a change.
        let mut tables = shard.lock().unwrap_or_else(PoisonError::into_inner);
        for session in tables.sessions.remove_expired(now) {
            tables.forget(&session);
        }
        tables.accounts.remove_expired(now);
        tables.values.remove_expired(now);
        (tables, now)
    }
}

impl Tables {
    fn new(capacity: usize) -> Self {
        Self {
            sessions: Expiring::new(capacity),
            by_user: HashMap::new(),
            accounts: Expiring::new(capacity),
            values: Expiring::new(capacity),
        }
    }

    /// Takes a session out of its user's list.
    fn forget(&mut self, session: &Session) {
        if let Some(ids) = self.by_user.get_mut(&session.user) {
            ids.retain(|id| *id != session.id);
            if ids.is_empty() {
                self.by_user.remove(&session.user);
            }
        }
    }

    /// Changes what is known of a user, and keeps it until then at least.
    fn change<T>(&mut self, user: &User, until: u64, change: impl FnOnce(&mut Account) -> T) -> T {
        let known = self.accounts.get(user);
        let (mut account, before) =
            known.map_or_else(Default::default, |(account, until)| (account.clone(), until));
        let changed = change(&mut account);
        let until = until.max(before);
        if until > 0 {
            self.accounts.insert(user.clone(), account, until);
        }
        changed
    }

    fn session_of(&self, user: &User, id: &SessionId) -> Option<(&Session, u64)> {
        self.sessions.get(id).filter(|(session, _)| session.user == *user)
    }
}

fn seconds(ttl: Duration) -> u64 {
    ttl.as_secs().max(1)
}

#[async_trait]
impl Store for MemoryStore {
    async fn create(&self, session: &Session, idle: Duration) -> Result<(), Unavailable> {
        let (mut tables, now) = self.open(&session.user);
        let until = session.expires.min(now + seconds(idle));
        if tables.accounts.get(&session.user).is_some() {
            tables.change(&session.user, session.expires, |_| ());
        }
        let ids = tables.by_user.entry(session.user.clone()).or_default();
        ids.push(session.id.clone());
        for evicted in tables.sessions.insert(session.id.clone(), session.clone(), until) {
            tables.forget(&evicted);
        }
        Ok(())
    }

    async fn find(
        &self,
        user: &User,
        id: &SessionId,
    ) -> Result<Option<(Session, Duration)>, Unavailable> {
        let (tables, now) = self.open(user);
        let found = tables.session_of(user, id);
        Ok(found.map(|(session, until)| (session.clone(), Duration::from_secs(until - now))))
    }

    async fn update(&self, from: &Session, to: &Session) -> Result<bool, Unavailable> {
        let (mut tables, _) = self.open(&from.user);
        match tables.session_of(&from.user, &from.id) {
            Some((there, until)) if there == from => {
                let until = until.min(to.expires);
                tables.sessions.insert(to.id.clone(), to.clone(), until);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn renew(
        &self,
        user: &User,
        id: &SessionId,
        idle: Duration,
    ) -> Result<bool, Unavailable> {
        let (mut tables, now) = self.open(user);
        let Some((session, _)) = tables.session_of(user, id) else { return Ok(false) };
        let session = session.clone();
        let until = session.expires.min(now + seconds(idle));
        tables.sessions.insert(id.clone(), session, until);
        Ok(true)
    }

    async fn end(&self, user: &User, id: &SessionId) -> Result<bool, Unavailable> {
        let (mut tables, _) = self.open(user);
        if tables.session_of(user, id).is_none() {
            return Ok(false);
        }
        if let Some(session) = tables.sessions.remove(id) {
            tables.forget(&session);
        }
        Ok(true)
    }

    async fn sessions_of(&self, user: &User) -> Result<Vec<Session>, Unavailable> {
        let (tables, _) = self.open(user);
        let ids = tables.by_user.get(user).into_iter().flatten();
        Ok(ids
            .filter_map(|id| tables.sessions.get(id))
            .map(|(session, _)| session.clone())
            .collect())
    }

    async fn end_all(&self, user: &User) -> Result<Vec<SessionId>, Unavailable> {
        let (mut tables, _) = self.open(user);
        let ids = tables.by_user.remove(user).unwrap_or_default();
        for id in &ids {
            tables.sessions.remove(id);
        }
        Ok(ids)
    }

    async fn is_known(&self, user: &User) -> Result<bool, Unavailable> {
        let (tables, _) = self.open(user);
        Ok(tables.accounts.get(user).is_some_and(|(account, _)| account.known))
    }

    async fn note_known(&self, user: &User, ttl: Duration) -> Result<(), Unavailable> {
        let (mut tables, now) = self.open(user);
        tables.change(user, now + seconds(ttl), |account| account.known = true);
        Ok(())
    }

    async fn session_keys(&self, user: &User) -> Result<Vec<StoredKey>, Unavailable> {
        let (tables, _) = self.open(user);
        Ok(tables.accounts.get(user).map(|(account, _)| account.keys()).unwrap_or_default())
    }

    async fn add_session_key(
        &self,
        user: &User,
        key: StoredKey,
        ttl: Duration,
    ) -> Result<bool, Unavailable> {
        let (mut tables, now) = self.open(user);
        Ok(tables.change(user, now + seconds(ttl), |account| account.add(key)))
    }

    async fn remove_session_key(&self, user: &User, id: &KeyId) -> Result<(), Unavailable> {
        let (mut tables, _) = self.open(user);
        tables.change(user, 0, |account| account.remove(id));
        Ok(())
    }

    async fn begin_try(&self, user: &User) -> Result<Option<Vec<StoredKey>>, Unavailable> {
        let (mut tables, _) = self.open(user);
        Ok(tables.change(user, 0, Account::begin_try))
    }

    async fn end_try(&self, user: &User, keys: &[KeyId], failed: bool) -> Result<(), Unavailable> {
        let (mut tables, _) = self.open(user);
        tables.change(user, 0, |account| account.end_try(keys, failed));
        Ok(())
    }

    async fn abandon_tries(&self, user: &User) -> Result<(), Unavailable> {
        let (mut tables, _) = self.open(user);
        tables.change(user, 0, Account::abandon_tries);
        Ok(())
    }

    async fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Unavailable> {
        let (tables, _) = self.open(key);
        Ok(tables.values.get(key).map(|(value, _)| value.clone()))
    }

    async fn put(&self, key: &Key, value: &[u8], ttl: Duration) -> Result<(), Unavailable> {
        let (mut tables, now) = self.open(key);
        tables.values.insert(key.clone(), value.to_vec(), now + seconds(ttl));
        Ok(())
    }

    async fn put_if_absent(
        &self,
        key: &Key,
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Vec<u8>>, Unavailable> {
        let (mut tables, now) = self.open(key);
        if let Some((there, _)) = tables.values.get(key) {
            return Ok(Some(there.clone()));
        }
        tables.values.insert(key.clone(), value.to_vec(), now + seconds(ttl));
        Ok(None)
    }

    async fn replace(
        &self,
        key: &Key,
        expected: &[u8],
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, Unavailable> {
        let (mut tables, now) = self.open(key);
        let there = tables.values.get(key).is_some_and(|(value, _)| value == expected);
        if there {
            tables.values.insert(key.clone(), value.to_vec(), now + seconds(ttl));
        }
        Ok(there)
    }

    async fn remove(&self, key: &Key, expected: &[u8]) -> Result<bool, Unavailable> {
        let (mut tables, _) = self.open(key);
        let there = tables.values.get(key).is_some_and(|(value, _)| value == expected);
        if there {
            tables.values.remove(key);
        }
        Ok(there)
    }

    async fn increment(&self, key: &Key, ttl: Duration) -> Result<u64, Unavailable> {
        let (mut tables, now) = self.open(key);
        let count = |value: &Vec<u8>| value.as_slice().try_into().map_or(0, u64::from_be_bytes);
        let (count, until) = tables
            .values
            .get(key)
            .map_or_else(|| (0, now + seconds(ttl)), |(value, until)| (count(value), until));
        tables.values.insert(key.clone(), (count + 1).to_be_bytes().to_vec(), until);
        Ok(count + 1)
    }

    async fn take(&self, key: &Key, quota: &Quota) -> Result<(), Exceeded> {
        self.rates.take(key, quota, self.clock.nanoseconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::store::Kind;

    #[tokio::test]
    async fn what_grows_moves_a_small_part_of_what_is_kept() {
        let store = MemoryStore::new(Clock::default());
        let ttl = Duration::from_secs(60);
        for number in 0..10_000_u32 {
            let key = Key::new(Kind::Accepted, &[&number.to_be_bytes()]);
            store.put(&key, b"1", ttl).await.unwrap();
        }
        let sizes = store.shards.iter().map(|tables| tables.lock().unwrap().values.len());
        let sizes: Vec<_> = sizes.collect();
        assert_eq!(sizes.iter().sum::<usize>(), 10_000);
        assert!(sizes.iter().all(|size| *size < 10_000 / 16), "{sizes:?}");
    }
}
