//! The session keys of a user: the current one, and those that data made a moment ago may still be
//! encrypted with. A key that too many failures were tried on is burnt: it opens nothing any more, for
//! CBC without a MAC lets whoever may fail often enough forge data.

use std::sync::Arc;
use std::time::Duration;

use ring::digest::{SHA256, digest};

use super::seal::{Purpose, Sealer};
use super::store::{Key, KeyId, Kind, Store, StoredKey, Unavailable};
use crate::clock::Clock;
use crate::wechat::session_key::SessionKey;
use crate::wechat::user::User;

/// A user's keys outlive the sessions: data of a returning user is made with the last of them.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Failures that one key may see in its life, counted over all replicas.
const FAILURES: u64 = 5;

/// The session keys of all users.
#[derive(Debug)]
pub struct KeyRings {
    store: Arc<dyn Store>,
    sealer: Arc<Sealer>,
    clock: Clock,
}

/// One key of a ring.
#[derive(Clone, Debug)]
pub struct RingKey {
    /// Its name.
    pub id: KeyId,
    /// The key.
    pub key: SessionKey,
}

impl KeyRings {
    /// Rings that are kept there.
    pub fn new(store: Arc<dyn Store>, sealer: Arc<Sealer>, clock: Clock) -> Self {
        Self { store, sealer, clock }
    }

    /// The user's keys, newest first. One that does not open any more is left out.
    pub async fn keys(&self, user: &User) -> Result<Vec<RingKey>, Unavailable> {
        let stored = self.store.session_keys(user).await?;
        let open = |stored: &StoredKey| {
            let text = self.sealer.open(Purpose::SessionKey, &owner(user), &stored.sealed).ok()?;
            let key = SessionKey::parse(std::str::from_utf8(&text).ok()?).ok()?;
            Some(RingKey { id: stored.id, key })
        };
        Ok(stored.iter().filter_map(open).collect())
    }

    /// Notes a login; whether it is the user's first, or the first for a long time. His ring does not
    /// say: it is empty, too, where its keys were burnt.
    pub async fn note_login(&self, user: &User) -> Result<bool, Unavailable> {
        let mark = Key::new(Kind::KnownUser, &owner(user));
        let is_first = self.store.put_if_absent(&mark, b"1", KEPT).await?.is_none();
        if !is_first {
            self.store.put(&mark, b"1", KEPT).await?;
        }
        Ok(is_first)
    }

    /// Puts a key that WeChat has just given first in the ring.
    pub async fn add(&self, user: &User, key: &SessionKey) -> Result<(), Unavailable> {
        let sealed = self.sealer.seal(Purpose::SessionKey, &owner(user), key.expose().as_bytes());
        let stored = StoredKey { id: key_id(user, key), sealed, acquired: self.clock.now() };
        self.store.add_session_key(user, stored, KEPT).await
    }

    /// Takes a key out of the ring.
    pub async fn remove(&self, user: &User, id: &KeyId) -> Result<(), Unavailable> {
        self.store.remove_session_key(user, id).await
    }

    /// Notes that data did not open with any of these keys; burns those that have seen too much of it.
    pub async fn note_failure(&self, user: &User, keys: &[RingKey]) -> Result<(), Unavailable> {
        for RingKey { id, .. } in keys {
            if self.store.increment(&failures(id), KEPT).await? >= FAILURES {
                self.remove(user, id).await?;
            }
        }
        Ok(())
    }

    /// Whether a key was burnt before.
    pub async fn is_burnt(&self, user: &User, key: &SessionKey) -> Result<bool, Unavailable> {
        let count = self.store.get(&failures(&key_id(user, key))).await?;
        let count = count.and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)));
        Ok(count.unwrap_or(0) >= FAILURES)
    }
}

fn failures(id: &KeyId) -> Key {
    Key::new(Kind::KeyFailures, &[&id.0])
}

fn owner(user: &User) -> [&[u8]; 2] {
    [user.appid.as_str().as_bytes(), user.openid.as_str().as_bytes()]
}

/// The same on every replica, and nothing that the key can be found from: it has 128 random bits.
fn key_id(user: &User, key: &SessionKey) -> KeyId {
    let [appid, openid] = owner(user);
    let text =
        [b"wxgate session key", appid, openid, key.expose().as_bytes()].join(b"\0".as_slice());
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(digest(&SHA256, &text).as_ref()) {
        *to = *from;
    }
    KeyId(id)
}
