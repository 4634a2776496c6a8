//! Sessions in this process, so that a request of a known session makes no round trip.
//!
//! What is cached may be wrong from the moment when the store changes, so every entry can be called
//! back: [`Invalidations::forget`] also reaches those who hold the entry, by its mark. A load that an
//! invalidation overtakes is used once and not kept (quick_cache: one `remove` for each invalidation
//! makes the insert of a caller that is loading fail).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use http::HeaderValue;
use quick_cache::sync::Cache;

use super::record::{Session, SessionId};
use super::store::Invalidations;

/// Sessions held at one time. About 1 KiB each.
const CAPACITY: usize = 100_000;
/// Nobody has called it back.
const LIVE: u8 = 0;
/// It may have changed unheard of: it serves while the store cannot be asked, if the operator says so.
const DOUBTED: u8 = 1;
/// It has changed or ended.
const CALLED_BACK: u8 = 2;

/// The sessions that this process knows.
#[derive(Debug)]
pub(super) struct NearCache {
    sessions: Cache<SessionId, Arc<Live>>,
    called_back: Cache<SessionId, ()>,
    /// Whether changes in the store are heard of.
    heard: AtomicBool,
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
    mark: AtomicU8,
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
        Some(Self {
            session,
            app,
            openid,
            unionid,
            mark: AtomicU8::new(LIVE),
            stale_from,
            renew_from,
        })
    }

    /// Whether nobody has called it back: the session has not ended and not changed.
    pub fn is_live(&self) -> bool {
        self.mark.load(Ordering::Acquire) == LIVE
    }

    /// Whether it is known to have changed or ended.
    pub(super) fn is_called_back(&self) -> bool {
        self.mark.load(Ordering::Acquire) == CALLED_BACK
    }

    fn mark(&self, mark: u8) {
        self.mark.fetch_max(mark, Ordering::Release);
    }
}

impl NearCache {
    pub(super) fn new() -> Self {
        Self {
            sessions: Cache::new(CAPACITY),
            called_back: Cache::new(CAPACITY),
            heard: AtomicBool::new(true),
        }
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
                if !self.is_heard() || guard.insert(loaded.clone()).is_err() {
                    loaded.mark(DOUBTED);
                }
                Ok(Some(loaded))
            }
        }
    }

    /// Whether a session was called back here not long ago.
    pub(super) fn was_called_back(&self, id: &SessionId) -> bool {
        self.called_back.get(id).is_some()
    }

    fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Acquire)
    }
}

impl Invalidations for NearCache {
    fn forget(&self, id: &SessionId) {
        self.called_back.insert(id.clone(), ());
        if let Some((_, known)) = self.sessions.remove(id) {
            known.mark(CALLED_BACK);
        }
    }

    fn forget_all(&self) {
        for (_, known) in self.sessions.drain() {
            known.mark(DOUBTED);
        }
    }

    fn live(&self, live: bool) {
        self.heard.store(live, Ordering::Release);
        if !live {
            self.forget_all();
        }
    }
}
