//! Sessions in this process, so that a request of a known session makes no round trip.
//!
//! What is cached may be wrong from the moment when the store changes, so every entry can be called
//! back: [`NearCache::forget`] also reaches those who hold the entry, by its `live` mark. A load that an
//! invalidation overtakes is used once and not kept (the proof of quick_cache's guard: one `remove`
//! for each invalidation makes the insert of a loading caller fail).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::HeaderValue;
use quick_cache::sync::Cache;

use super::record::{Session, SessionId};

/// Sessions held at one time. About 1 KiB each.
const CAPACITY: usize = 100_000;

/// The sessions that this process knows.
#[derive(Debug)]
pub(super) struct NearCache {
    sessions: Cache<SessionId, Arc<Live>>,
}

/// A session as it was when it was loaded, with what requests need of it made ready.
#[derive(Debug)]
pub struct Live {
    /// The session.
    pub session: Session,
    /// The position of its app in the settings.
    pub app: usize,
    /// The openid as a header value.
    pub openid: HeaderValue,
    /// The unionid as a header value, where there is one.
    pub unionid: Option<HeaderValue>,
    /// Whether nobody has called it back.
    live: AtomicBool,
    /// From when on the store should be asked again, in seconds since 1970.
    pub(super) stale_from: u64,
    /// From when on the store should be told that the session is in use.
    pub(super) renew_from: AtomicU64,
}

impl Live {
    pub(super) fn new(
        session: Session,
        app: usize,
        stale_from: u64,
        renew_from: u64,
    ) -> Option<Self> {
        let openid = HeaderValue::from_str(session.user.openid.as_str()).ok()?;
        let unionid = match &session.unionid {
            Some(unionid) => Some(HeaderValue::from_str(unionid.as_str()).ok()?),
            None => None,
        };
        let renew_from = AtomicU64::new(renew_from);
        let live = AtomicBool::new(true);
        Some(Self { session, app, openid, unionid, live, stale_from, renew_from })
    }

    /// Whether nobody has called it back: the session has not ended and not changed.
    pub fn is_live(&self) -> bool {
        self.live.load(Ordering::Acquire)
    }
}

impl NearCache {
    pub(super) fn new() -> Self {
        Self { sessions: Cache::new(CAPACITY) }
    }

    /// The session, from here or by `load`, which runs once for all who ask at one time.
    pub(super) async fn get<E>(
        &self,
        id: &SessionId,
        now: u64,
        load: impl Future<Output = Result<Option<Live>, E>>,
    ) -> Result<Option<Arc<Live>>, E> {
        if let Some(known) = self.sessions.get(id) {
            if known.is_live() && now < known.stale_from {
                return Ok(Some(known));
            }
            self.sessions.remove_if(id, |entry| Arc::ptr_eq(entry, &known));
        }
        match self.sessions.get_value_or_guard_async(id).await {
            Ok(known) => Ok(Some(known)),
            Err(guard) => {
                let Some(loaded) = load.await? else { return Ok(None) };
                let loaded = Arc::new(loaded);
                if guard.insert(loaded.clone()).is_err() {
                    loaded.live.store(false, Ordering::Release);
                }
                Ok(Some(loaded))
            }
        }
    }

    /// Calls a session back.
    pub(super) fn forget(&self, id: &SessionId) {
        if let Some((_, known)) = self.sessions.remove(id) {
            known.live.store(false, Ordering::Release);
        }
    }

    /// Calls all sessions back.
    pub(super) fn forget_all(&self) {
        for (_, known) in self.sessions.drain() {
            known.live.store(false, Ordering::Release);
        }
    }
}
