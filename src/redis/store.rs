//! What a store does, as commands and scripts.

use std::time::Duration;

use async_trait::async_trait;
use redis::{Cmd, Pipeline};

use super::RedisStore;
use super::codec::{self, Damaged};
use crate::rate::{Exceeded, Quota};
use crate::session::record::{Session, SessionId};
use crate::session::store::{FAILURES, Key, KeyId, RING, Store, StoredKey, Unavailable};
use crate::wechat::user::User;

/// Names for one script; Redis does nothing else while it runs.
const CHUNK: usize = 256;
/// Every so many sessions of a user, those that ran out are taken out of the list.
const TIDY_EVERY: u64 = 16;

#[async_trait]
impl Store for RedisStore {
    fn outage(&self) -> Option<Unavailable> {
        self.link.outage()
    }

    fn damaged_values(&self) -> u64 {
        self.damaged.counted()
    }

    async fn create(&self, session: &Session, idle: Duration) -> Result<(), Unavailable> {
        let now = self.clock.now();
        let rest = session.expires.saturating_sub(now).saturating_mul(1000);
        if rest == 0 {
            return Ok(());
        }
        let create = self
            .scripts
            .create
            .key(self.keys.session(&session.user, &session.id))
            .key(self.keys.user(&session.user))
            .arg(codec::encode_session(session))
            .arg(milliseconds(idle).min(rest))
            .arg(session.id.to_bytes().as_slice())
            .arg(codec::seconds(session.expires))
            .arg(now)
            .arg(rest);
        let count: u64 = self.change(&session.user, &create).await?;
        if count.is_multiple_of(TIDY_EVERY) {
            self.sessions_of(&session.user).await?;
        }
        Ok(())
    }

    async fn find(
        &self,
        user: &User,
        id: &SessionId,
    ) -> Result<Option<(Session, Duration)>, Unavailable> {
        let key = self.keys.session(user, id);
        let mut question = Pipeline::new();
        question.get(&key).pttl(&key);
        let (value, left): (Option<Vec<u8>>, i64) = self.link.pipeline(&question).await?;
        // Between the two it may have run out.
        let Ok(left) = u64::try_from(left) else { return Ok(None) };
        let decode = |value: &[u8]| codec::decode_session(user, id, value);
        let session = value.and_then(|value| self.readable("session", &value, decode));
        Ok(session.map(|session| (session, Duration::from_millis(left))))
    }

    async fn update(&self, from: &Session, to: &Session) -> Result<bool, Unavailable> {
        let rest = to.expires.saturating_sub(self.clock.now()).saturating_mul(1000);
        let update = self
            .scripts
            .update
            .key(self.keys.session(&from.user, &from.id))
            .key(self.keys.user(&from.user))
            .arg(codec::encode_session(to))
            .arg(to.id.to_bytes().as_slice())
            .arg(codec::seconds(to.expires))
            .arg(rest)
            .arg(codec::encode_session(from));
        self.change(&from.user, &update).await
    }

    async fn renew(
        &self,
        user: &User,
        id: &SessionId,
        idle: Duration,
    ) -> Result<bool, Unavailable> {
        let renew = self
            .scripts
            .renew
            .key(self.keys.session(user, id))
            .arg(milliseconds(idle))
            .arg(self.clock.now());
        self.link.run(&renew).await
    }

    async fn end(&self, user: &User, id: &SessionId) -> Result<bool, Unavailable> {
        Ok(!self.end_these(user, std::slice::from_ref(id)).await?.is_empty())
    }

    async fn sessions_of(&self, user: &User) -> Result<Vec<Session>, Unavailable> {
        let ids = self.user(user).await?.sessions;
        let mut sessions = Vec::new();
        let mut gone = Vec::new();
        for ids in ids.chunks(CHUNK) {
            let keys: Vec<_> = ids.iter().map(|id| self.keys.session(user, id)).collect();
            let values: Vec<Option<Vec<u8>>> = self.link.query(&Cmd::mget(keys)).await?;
            for (id, value) in ids.iter().zip(values) {
                let decode = |value: &[u8]| codec::decode_session(user, id, value);
                match value {
                    Some(value) => sessions.extend(self.readable("session", &value, decode)),
                    None => gone.push(id.clone()),
                }
            }
        }
        // A name is put in the list together with its session, and never again: these stay gone.
        for gone in gone.chunks(CHUNK) {
            self.end_these(user, gone).await?;
        }
        sessions.sort_by_key(|session: &Session| session.created);
        Ok(sessions)
    }

    async fn end_all(&self, user: &User) -> Result<Vec<SessionId>, Unavailable> {
        let ids = self.user(user).await?.sessions;
        let mut ended = Vec::new();
        for ids in ids.chunks(CHUNK) {
            ended.extend(self.end_these(user, ids).await?);
        }
        Ok(ended)
    }

    async fn is_known(&self, user: &User) -> Result<bool, Unavailable> {
        Ok(self.user(user).await?.known)
    }

    async fn note_known(&self, user: &User, ttl: Duration) -> Result<(), Unavailable> {
        let note = self.scripts.note_known.key(self.keys.user(user)).arg(milliseconds(ttl));
        self.change(user, &note).await
    }

    async fn session_keys(&self, user: &User) -> Result<Vec<StoredKey>, Unavailable> {
        Ok(self.user(user).await?.keys)
    }

    async fn add_session_key(
        &self,
        user: &User,
        key: StoredKey,
        ttl: Duration,
    ) -> Result<bool, Unavailable> {
        let add = self
            .scripts
            .add_session_key
            .key(self.keys.user(user))
            .arg(key.id.0.as_slice())
            .arg(codec::seconds(key.acquired).to_be_bytes().as_slice())
            .arg(key.sealed)
            .arg(milliseconds(ttl))
            .arg(RING)
            .arg(FAILURES);
        self.change(user, &add).await
    }

    async fn remove_session_key(&self, user: &User, id: &KeyId) -> Result<(), Unavailable> {
        let remove = self.scripts.remove_session_key.key(self.keys.user(user));
        self.change(user, &remove.arg(id.0.as_slice())).await
    }

    async fn begin_try(&self, user: &User) -> Result<Option<Vec<StoredKey>>, Unavailable> {
        let begin = self.scripts.begin_try.key(self.keys.user(user)).arg(FAILURES);
        let keys: Option<Vec<Vec<Vec<u8>>>> = self.change(user, &begin).await?;
        let key = |fields: &Vec<Vec<u8>>| {
            self.readable("session key", &fields.concat(), |_| codec::decode_session_key(fields))
        };
        Ok(keys.map(|keys| keys.iter().filter_map(key).collect()))
    }

    async fn end_try(&self, user: &User, keys: &[KeyId], failed: bool) -> Result<(), Unavailable> {
        let end = self.scripts.end_try.key(self.keys.user(user));
        let end = end.arg(FAILURES).arg(u8::from(failed));
        let end = keys.iter().fold(end, |end, id| end.arg(id.0.as_slice()));
        self.change(user, &end).await
    }

    async fn abandon_tries(&self, user: &User) -> Result<(), Unavailable> {
        let abandon = self.scripts.abandon_tries.key(self.keys.user(user)).arg(FAILURES);
        self.change(user, &abandon).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Unavailable> {
        let value: Option<Vec<u8>> = self.link.query(&Cmd::get(self.keys.value(key))).await?;
        Ok(value.and_then(|value| self.readable("value", &value, codec::decode_value)))
    }

    async fn put(&self, key: &Key, value: &[u8], ttl: Duration) -> Result<(), Unavailable> {
        let value = codec::encode_value(value);
        let put = Cmd::pset_ex(self.keys.value(key), value, milliseconds(ttl));
        self.link.query(&put).await
    }

    async fn put_if_absent(
        &self,
        key: &Key,
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Vec<u8>>, Unavailable> {
        let put = self
            .scripts
            .put_if_absent
            .key(self.keys.value(key))
            .arg(codec::encode_value(value))
            .arg(milliseconds(ttl));
        let (there, other): (Option<Vec<u8>>, Option<Vec<u8>>) = self.link.run(&put).await?;
        self.overwritten("value", other);
        Ok(there.and_then(|there| self.readable("value", &there, codec::decode_value)))
    }

    async fn replace(
        &self,
        key: &Key,
        expected: &[u8],
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, Unavailable> {
        let replace = self
            .scripts
            .replace
            .key(self.keys.value(key))
            .arg(codec::encode_value(expected))
            .arg(codec::encode_value(value))
            .arg(milliseconds(ttl));
        self.link.run(&replace).await
    }

    async fn remove(&self, key: &Key, expected: &[u8]) -> Result<bool, Unavailable> {
        let key = self.keys.value(key);
        let remove = self.scripts.remove.key(key).arg(codec::encode_value(expected));
        self.link.run(&remove).await
    }

    async fn increment(&self, key: &Key, ttl: Duration) -> Result<u64, Unavailable> {
        let increment = self.scripts.increment.key(self.keys.value(key)).arg(milliseconds(ttl));
        let (count, other): (u64, Option<Vec<u8>>) = self.link.run(&increment).await?;
        self.overwritten("counter", other);
        Ok(count)
    }

    async fn take(&self, key: &Key, quota: &Quota) -> Result<(), Exceeded> {
        self.take_from(key, quota).await
    }
}

impl RedisStore {
    /// What is written there; nothing where that cannot be read, which is counted.
    fn readable<T>(
        &self,
        what: &'static str,
        value: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<T, Damaged>,
    ) -> Option<T> {
        decode(value).map_err(|Damaged| self.damaged.count(what, value)).ok()
    }

    /// Counts what a script could not read, and wrote over.
    pub(super) fn overwritten(&self, what: &'static str, value: Option<Vec<u8>>) {
        if let Some(value) = value {
            self.damaged.count(what, &value);
        }
    }
}

/// At least one: Redis takes no TTL of nothing.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, MOST_MILLISECONDS)
}

/// 100 years; Redis refuses what overflows its clock.
const MOST_MILLISECONDS: u64 = 100 * 366 * 24 * 3600 * 1000;
