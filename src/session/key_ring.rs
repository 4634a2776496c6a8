//! The session keys of a user: the current one, and those that data made a moment ago may still be
//! encrypted with. A key that too many tries failed with is burnt: it opens nothing any more, for CBC
//! without a MAC lets whoever may fail often enough forge data. A try is counted before it is made, so
//! that those who come at once, on whatever replica, have no more of them than those who wait.

use std::sync::Arc;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use tokio::time::{Instant, sleep};

use super::seal::{Purpose, Sealer};
use super::store::{KeyId, Store, StoredKey, Unavailable};
use crate::clock::Clock;
use crate::telemetry::traces;
use crate::wechat::session_key::SessionKey;
use crate::wechat::user::User;

/// A user's keys outlive the sessions: data of a returning user is made with the last of them.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long to wait for the tries of others that are under way; one takes two calls to the store.
const PATIENCE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);

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

/// What became of a try, and the newest of the keys it was made with.
#[derive(Debug)]
pub struct Tried<T> {
    /// What it gave; nothing where it failed.
    pub found: Option<T>,
    /// The newest key.
    pub newest: Option<RingKey>,
}

impl KeyRings {
    /// Rings that are kept there.
    pub fn new(store: Arc<dyn Store>, sealer: Arc<Sealer>, clock: Clock) -> Self {
        Self { store, sealer, clock }
    }

    /// Whether the user is new, or was away for long, as far as logins tell that stand. His keys do not
    /// say: there are none, too, where they were burnt.
    pub async fn is_first_login(&self, user: &User) -> Result<bool, Unavailable> {
        Ok(!self.store.is_known(user).await?)
    }

    /// Notes that a first login stands: the next one is none.
    pub async fn note_first_login(&self, user: &User) -> Result<(), Unavailable> {
        self.store.note_known(user, KEPT).await
    }

    /// Puts a key that WeChat has just given first in the ring; whether it may be used. It may not where
    /// it was burnt before.
    pub async fn add(&self, user: &User, key: &SessionKey) -> Result<bool, Unavailable> {
        let sealed = self.sealer.seal(Purpose::SessionKey, &owner(user), key.expose().as_bytes());
        let stored = StoredKey { id: key_id(user, key), sealed, acquired: self.clock.now() };
        self.store.add_session_key(user, stored, KEPT).await
    }

    /// Takes a key out of the ring.
    pub async fn remove(&self, user: &User, id: &KeyId) -> Result<(), Unavailable> {
        self.store.remove_session_key(user, id).await
    }

    /// Tries something with the user's keys, newest first, which is counted where it fails. On a task of
    /// its own: a client that hangs up meanwhile leaves no try that never ends.
    pub async fn attempt<T: Send + 'static>(
        self: &Arc<Self>,
        user: &User,
        attempt: impl FnOnce(&[SessionKey]) -> Option<T> + Send + 'static,
    ) -> Result<Tried<T>, Unavailable> {
        let (rings, user) = (self.clone(), user.clone());
        let task = traces::spawn(async move { rings.attempt_here(&user, attempt).await });
        task.await.unwrap_or_else(|_| Err(Unavailable("an attempt was cut short".into())))
    }

    async fn attempt_here<T>(
        &self,
        user: &User,
        attempt: impl FnOnce(&[SessionKey]) -> Option<T>,
    ) -> Result<Tried<T>, Unavailable> {
        let stored = self.begin_try(user).await?;
        let oldest = self.clock.now().saturating_sub(KEPT.as_secs());
        let young = stored.iter().filter(|stored| stored.acquired >= oldest);
        let ring: Vec<_> = young.filter_map(|stored| self.open(user, stored)).collect();
        let keys: Vec<_> = ring.iter().map(|known| known.key.clone()).collect();
        let found = attempt(&keys);
        let is_tried = |stored: &&StoredKey| ring.iter().any(|known| known.id == stored.id);
        let (tried, others): (Vec<_>, Vec<_>) = stored.iter().partition(is_tried);
        self.end_try(user, &tried, found.is_none()).await?;
        self.end_try(user, &others, false).await?;
        Ok(Tried { found, newest: ring.into_iter().next() })
    }

    /// The keys, on which a try is counted. Where others have taken all that are left, it waits for what
    /// becomes of theirs. One that has not ended in all that time was cut off, and counts as failed.
    async fn begin_try(&self, user: &User) -> Result<Vec<StoredKey>, Unavailable> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(keys) = self.store.begin_try(user).await? {
                return Ok(keys);
            }
            if Instant::now() >= until {
                self.store.abandon_tries(user).await?;
            }
            sleep(POLL).await;
        }
    }

    async fn end_try(
        &self,
        user: &User,
        keys: &[&StoredKey],
        failed: bool,
    ) -> Result<(), Unavailable> {
        let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
        if ids.is_empty() { Ok(()) } else { self.store.end_try(user, &ids, failed).await }
    }

    /// A key as it is used; none where it does not open any more.
    fn open(&self, user: &User, stored: &StoredKey) -> Option<RingKey> {
        let text = self.sealer.open(Purpose::SessionKey, &owner(user), &stored.sealed).ok()?;
        let key = SessionKey::parse(std::str::from_utf8(&text).ok()?).ok()?;
        Some(RingKey { id: stored.id, key })
    }
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
