//! The store in this process: for one gateway, with the bounds of any other store.

mod account;
mod expiring;

use std::collections::HashMap;
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

/// Entries of each kind; beyond it the one that would run out first makes room. About 1 KiB each.
const CAPACITY: usize = 1 << 20;

/// The store in this process.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Clock,
    tables: Mutex<Tables>,
    rates: rate::Table,
}

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
        Self::with_capacity(clock, CAPACITY)
    }

    fn with_capacity(clock: Clock, capacity: usize) -> Self {
        let tables = Tables {
            sessions: Expiring::new(capacity),
            by_user: HashMap::new(),
            accounts: Expiring::new(capacity),
            values: Expiring::new(capacity),
        };
        Self { clock, tables: Mutex::new(tables), rates: rate::Table::default() }
    }

    /// The tables without what has run out, and the time.
    fn open(&self) -> (MutexGuard<'_, Tables>, u64) {
        let now = self.clock.now();
        // No operation panics half way through a change.
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        for session in tables.sessions.remove_expired(now) {
            tables.forget(&session);
        }
        tables.accounts.remove_expired(now);
        tables.values.remove_expired(now);
        (tables, now)
    }
}

impl Tables {
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
        let (mut tables, now) = self.open();
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
        let (tables, now) = self.open();
        let found = tables.session_of(user, id);
        Ok(found.map(|(session, until)| (session.clone(), Duration::from_secs(until - now))))
    }

    async fn update(&self, from: &Session, to: &Session) -> Result<bool, Unavailable> {
        let (mut tables, _) = self.open();
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
        let (mut tables, now) = self.open();
        let Some((session, _)) = tables.session_of(user, id) else { return Ok(false) };
        let session = session.clone();
        let until = session.expires.min(now + seconds(idle));
        tables.sessions.insert(id.clone(), session, until);
        Ok(true)
    }

    async fn end(&self, user: &User, id: &SessionId) -> Result<bool, Unavailable> {
        let (mut tables, _) = self.open();
        if tables.session_of(user, id).is_none() {
            return Ok(false);
        }
        if let Some(session) = tables.sessions.remove(id) {
            tables.forget(&session);
        }
        Ok(true)
    }

    async fn sessions_of(&self, user: &User) -> Result<Vec<Session>, Unavailable> {
        let (tables, _) = self.open();
        let ids = tables.by_user.get(user).into_iter().flatten();
        Ok(ids
            .filter_map(|id| tables.sessions.get(id))
            .map(|(session, _)| session.clone())
            .collect())
    }

    async fn end_all(&self, user: &User) -> Result<Vec<SessionId>, Unavailable> {
        let (mut tables, _) = self.open();
        let ids = tables.by_user.remove(user).unwrap_or_default();
        for id in &ids {
            tables.sessions.remove(id);
        }
        Ok(ids)
    }

    async fn is_known(&self, user: &User) -> Result<bool, Unavailable> {
        let (tables, _) = self.open();
        Ok(tables.accounts.get(user).is_some_and(|(account, _)| account.known))
    }

    async fn note_known(&self, user: &User, ttl: Duration) -> Result<(), Unavailable> {
        let (mut tables, now) = self.open();
        tables.change(user, now + seconds(ttl), |account| account.known = true);
        Ok(())
    }

    async fn session_keys(&self, user: &User) -> Result<Vec<StoredKey>, Unavailable> {
        let (tables, _) = self.open();
        Ok(tables.accounts.get(user).map(|(account, _)| account.keys()).unwrap_or_default())
    }

    async fn add_session_key(
        &self,
        user: &User,
        key: StoredKey,
        ttl: Duration,
    ) -> Result<bool, Unavailable> {
        let (mut tables, now) = self.open();
        Ok(tables.change(user, now + seconds(ttl), |account| account.add(key)))
    }

    async fn remove_session_key(&self, user: &User, id: &KeyId) -> Result<(), Unavailable> {
        let (mut tables, _) = self.open();
        tables.change(user, 0, |account| account.remove(id));
        Ok(())
    }

    async fn begin_try(&self, user: &User) -> Result<Option<Vec<StoredKey>>, Unavailable> {
        let (mut tables, _) = self.open();
        Ok(tables.change(user, 0, Account::begin_try))
    }

    async fn end_try(&self, user: &User, keys: &[KeyId], failed: bool) -> Result<(), Unavailable> {
        let (mut tables, _) = self.open();
        tables.change(user, 0, |account| account.end_try(keys, failed));
        Ok(())
    }

    async fn abandon_tries(&self, user: &User) -> Result<(), Unavailable> {
        let (mut tables, _) = self.open();
        tables.change(user, 0, Account::abandon_tries);
        Ok(())
    }

    async fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Unavailable> {
        let (tables, _) = self.open();
        Ok(tables.values.get(key).map(|(value, _)| value.clone()))
    }

    async fn put(&self, key: &Key, value: &[u8], ttl: Duration) -> Result<(), Unavailable> {
        let (mut tables, now) = self.open();
        tables.values.insert(key.clone(), value.to_vec(), now + seconds(ttl));
        Ok(())
    }

    async fn put_if_absent(
        &self,
        key: &Key,
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Vec<u8>>, Unavailable> {
        let (mut tables, now) = self.open();
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
        let (mut tables, now) = self.open();
        let there = tables.values.get(key).is_some_and(|(value, _)| value == expected);
        if there {
            tables.values.insert(key.clone(), value.to_vec(), now + seconds(ttl));
        }
        Ok(there)
    }

    async fn remove(&self, key: &Key, expected: &[u8]) -> Result<bool, Unavailable> {
        let (mut tables, _) = self.open();
        let there = tables.values.get(key).is_some_and(|(value, _)| value == expected);
        if there {
            tables.values.remove(key);
        }
        Ok(there)
    }

    async fn increment(&self, key: &Key, ttl: Duration) -> Result<u64, Unavailable> {
        let (mut tables, now) = self.open();
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
