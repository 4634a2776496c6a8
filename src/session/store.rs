//! Where sessions are kept, behind one trait: in memory or in Redis, held to one behaviour by one
//! conformance suite.
//!
//! Sessions and session keys have methods of their own, since they have to change together; all else
//! that replicas share (exchange results, replay marks, counters, the access_token and its lock) stands
//! on the few operations over [`Key`] at the end.

mod measured;
mod settings;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::record::{Session, SessionId};
use crate::rate::{Exceeded, Quota};
use crate::wechat::user::User;

pub use measured::MeasuredStore;
pub use settings::{EncryptionKey, Settings};

/// How many session keys of one user are kept: as many as are tried on open data.
pub const RING: usize = crate::wechat::open_data::RING;
/// Failures that one session key may see in its life; the last of them burns it.
pub const FAILURES: u8 = 5;

/// What keeps sessions. All durations count from the call; an entry that has run out is not there.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// Keeps a new session, for `idle` and never beyond its own end.
    async fn create(&self, session: &Session, idle: Duration) -> Result<(), Unavailable>;

    /// The session, with how long it is still kept without a [`Store::renew`].
    async fn find(
        &self,
        user: &User,
        id: &SessionId,
    ) -> Result<Option<(Session, Duration)>, Unavailable>;

    /// Writes a session anew where `from` is what is there, without keeping it longer; whether it was.
    async fn update(&self, from: &Session, to: &Session) -> Result<bool, Unavailable>;

    /// Keeps a session for `idle` from now, never beyond its own end; whether it was there.
    async fn renew(&self, user: &User, id: &SessionId, idle: Duration)
    -> Result<bool, Unavailable>;

    /// Ends a session; whether it was there.
    async fn end(&self, user: &User, id: &SessionId) -> Result<bool, Unavailable>;

    /// The sessions that a user has, oldest first.
    async fn sessions_of(&self, user: &User) -> Result<Vec<Session>, Unavailable>;

    /// Ends every session of a user, and says which ones.
    async fn end_all(&self, user: &User) -> Result<Vec<SessionId>, Unavailable>;

    /// Whether a user has logged in, as far as is remembered.
    async fn is_known(&self, user: &User) -> Result<bool, Unavailable>;

    /// Remembers for `ttl` at least that a user has logged in.
    async fn note_known(&self, user: &User, ttl: Duration) -> Result<(), Unavailable>;

    /// The user's session keys, newest first.
    async fn session_keys(&self, user: &User) -> Result<Vec<StoredKey>, Unavailable>;

    /// Puts a key first in the user's ring, keeps [`RING`] of them, and all that is known of the user
    /// for `ttl` at least. A key that is there already moves to the front. Whether it may be used: it
    /// may not where it was burnt before.
    async fn add_session_key(
        &self,
        user: &User,
        key: StoredKey,
        ttl: Duration,
    ) -> Result<bool, Unavailable>;

    /// Takes a key out of the user's ring; what was counted on it is remembered.
    async fn remove_session_key(&self, user: &User, id: &KeyId) -> Result<(), Unavailable>;

    /// Counts a try on each key of the user's ring, and gives the keys. None where one of them has seen
    /// [`FAILURES`] tries already, some of which are under way: nothing is counted then. So no key is
    /// ever tried more often than it may fail.
    async fn begin_try(&self, user: &User) -> Result<Option<Vec<StoredKey>>, Unavailable>;

    /// Ends a try: what succeeded is not counted any more, and the last of [`FAILURES`] burns a key.
    async fn end_try(&self, user: &User, keys: &[KeyId], failed: bool) -> Result<(), Unavailable>;

    /// Burns the keys that have no try left, where nobody is to be waited for any more.
    async fn abandon_tries(&self, user: &User) -> Result<(), Unavailable>;

    /// The value of a key.
    async fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Unavailable>;

    /// Sets a value.
    async fn put(&self, key: &Key, value: &[u8], ttl: Duration) -> Result<(), Unavailable>;

    /// Sets a value where there is none; else gives the one that is there.
    async fn put_if_absent(
        &self,
        key: &Key,
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Vec<u8>>, Unavailable>;

    /// Sets a value where `expected` is there; whether it was.
    async fn replace(
        &self,
        key: &Key,
        expected: &[u8],
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, Unavailable>;

    /// Takes a value away where `expected` is there; whether it was.
    async fn remove(&self, key: &Key, expected: &[u8]) -> Result<bool, Unavailable>;

    /// Why the store cannot be asked now, as far as is known without asking.
    fn outage(&self) -> Option<Unavailable> {
        None
    }

    /// Values found so far that could not be read. They count as missing, but for what is known of a user:
    /// that is an error, since nobody then knows his sessions. What is kept in this process cannot be damaged.
    fn damaged_values(&self) -> u64 {
        0
    }

    /// Adds one to a counter, which starts at nothing and is kept for `ttl` from its first count. Its
    /// value, as [`Store::get`] gives it, is the count in eight bytes, big-endian.
    async fn increment(&self, key: &Key, ttl: Duration) -> Result<u64, Unavailable>;

    /// Lets one more through a limit. It always knows: where what gateways share cannot be asked, a
    /// limit of this process alone is better than an error, and than none.
    async fn take(&self, key: &Key, quota: &Quota) -> Result<(), Exceeded>;
}

/// Who keeps copies of sessions, and is told when they may no longer be right. The calls come from
/// inside the store's connection, so they must be short and must not wait.
pub trait Invalidations: Send + Sync + 'static {
    /// This session was changed or ended somewhere: no copy of it may be used, and none that was asked
    /// for before this call may be kept.
    fn forget(&self, id: &SessionId);

    /// The same, and it is known that the session has ended.
    fn ended(&self, id: &SessionId) {
        self.forget(id);
    }

    /// The same as [`Invalidations::forget`] for every session.
    fn forget_all(&self);

    /// Whether changes are heard of now. While they are not, no copy may be used at all.
    fn live(&self, live: bool);
}

/// The store cannot be asked now, or cannot read what it has. Nothing is known about what was asked, least of
/// all that a session is gone.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the session store does not answer: {0}")]
pub struct Unavailable(pub Arc<str>);

/// One session key of a user, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// Tells keys apart without telling the key.
    pub id: KeyId,
    /// The key, as [`super::seal::Sealer`] sealed it.
    pub sealed: Vec<u8>,
    /// When WeChat gave it, in seconds since 1970.
    pub acquired: u64,
}

/// The name of a session key: a hash of it and its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 16]);

/// The name of a shared value: what it is for, and the parts that tell it from others of its kind. A
/// store encodes the parts so that no two lists of parts meet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// What the value is for.
    pub kind: Kind,
    /// What it belongs to; any bytes.
    pub parts: Vec<Vec<u8>>,
}

impl Key {
    /// A key of these parts.
    pub fn new(kind: Kind, parts: &[&[u8]]) -> Self {
        Self { kind, parts: parts.iter().map(|part| part.to_vec()).collect() }
    }
}

/// What a shared value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An app's access_token, sealed.
    AccessToken,
    /// Who refreshes an app's access_token now.
    AccessTokenLock,
    /// Forced refreshes of an app's access_token today.
    AccessTokenForced,
    /// The exchange of a login code: under way, or its sealed outcome.
    Exchange,
    /// Whether WeChat was asked of late if a session key still is the valid one.
    KeyCheck,
    /// When all sessions of an app were ended.
    AppEnded,
    /// How far a limit is used up.
    Rate,
    /// Encrypted data that was opened before.
    Replay,
    /// That an upstream has accepted a login.
    Accepted,
}

impl Kind {
    /// A short name that is part of keys at rest, so never changed.
    pub fn tag(self) -> &'static str {
        match self {
            Self::AccessToken => "at",
            Self::AccessTokenLock => "al",
            Self::AccessTokenForced => "af",
            Self::AppEnded => "ae",
            Self::Exchange => "x",
            Self::KeyCheck => "kc",
            Self::Rate => "r",
            Self::Replay => "rp",
            Self::Accepted => "ac",
        }
    }
}
