//! Sessions in this process, so that a request of a known session makes no round trip.
//!
//! What is cached may be wrong from the moment when the store changes, so every entry can be called
//! back: [`Invalidations::forget`] also reaches those who hold the entry, by its mark. A load that an
//! invalidation overtakes is used once and not kept (quick_cache: one `remove` for each invalidation
//! makes the insert of a caller that is loading fail). Where anything may have changed, the era ends: of
//! what was loaded in an earlier one, by whoever it is held, nothing is current any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::HeaderValue;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter};

use super::record::{Session, SessionId};
use super::store::Invalidations;
use crate::telemetry::log::access::KeptName;

/// Sessions held at one time. About 1 KiB each.
const CAPACITY: usize = 100_000;
/// The sessions that this process knows.
#[derive(Debug)]
pub(super) struct NearCache {
    sessions: Cache<SessionId, Arc<Live>, UnitWeighter, DefaultHashBuilder, Release>,
    /// Those that ended not long ago.
    ended: Cache<SessionId, ()>,
    /// Whether changes in the store are heard of.
    heard: AtomicBool,
    era: AtomicU64,
}

/// A session as it was when it was loaded, with what requests need of it made ready.
#[derive(Debug)]
pub struct Live {
    /// The session.
    pub session: Session,
    /// The openid as a header value.
    pub openid: HeaderValue,
    /// The unionid as a header value, where there is one.
    pub unionid: Option<HeaderValue>,
    /// The openid as the log has it.
    pub openid_in_log: KeptName,
    /// Whether it is known to have changed or ended.
    called_back: AtomicBool,
    /// Whether the cache holds it, and so can call it back.
    held: AtomicBool,
    /// The era that its load began in.
    era: u64,
    /// From when on the store should be asked again, in seconds since 1970.
    pub(super) stale_from: u64,
    /// From when on the store should be told that the session is in use.
    pub(super) renew_from: AtomicU64,
}

impl Live {
    pub(super) fn new(
        session: Session,
        era: u64,
        stale_from: u64,
        renew_from: u64,
    ) -> Option<Self> {
        let openid = HeaderValue::from_str(session.user.openid.as_str()).ok()?;
        let unionid = match &session.unionid {
            Some(unionid) => Some(HeaderValue::from_str(unionid.as_str()).ok()?),
            None => None,
        };
        let renew_from = AtomicU64::new(renew_from);
        let called_back = AtomicBool::new(false);
        let held = AtomicBool::new(true);
        Some(Self {
            session,
            openid,
            unionid,
            openid_in_log: KeptName::default(),
            called_back,
            held,
            era,
            stale_from,
            renew_from,
        })
    }

    /// Whether it is known to have changed or ended.
    fn is_called_back(&self) -> bool {
        self.called_back.load(Ordering::Acquire)
    }
}

/// Tells whoever still holds a session that has no place here any more: it could not be called back.
#[derive(Clone, Debug)]
struct Release;

impl Lifecycle<SessionId, Arc<Live>> for Release {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: SessionId, evicted: Arc<Live>) {
        evicted.held.store(false, Ordering::Release);
    }
}

impl NearCache {
    pub(super) fn new() -> Self {
        Self {
            sessions: Cache::with(
                CAPACITY,
                CAPACITY as u64,
                UnitWeighter,
                DefaultHashBuilder::default(),
                Release,
            ),
            ended: Cache::new(CAPACITY),
            heard: AtomicBool::new(true),
            era: AtomicU64::new(0),
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
            if self.is_current(&known, now) {
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
                    loaded.called_back.store(true, Ordering::Release);
                }
                Ok(Some(loaded))
            }
        }
    }

    /// Whether a session still is what it was when it was loaded, as far as can be known here.
    pub(super) fn is_current(&self, live: &Live, now: u64) -> bool {
        !live.is_called_back()
            && live.held.load(Ordering::Acquire)
            && live.era == self.era()
            && now < live.stale_from
            && self.heard.load(Ordering::Acquire)
    }

    /// What a load has to note before it asks the store.
    pub(super) fn era(&self) -> u64 {
        self.era.load(Ordering::Acquire)
    }

    /// Whether a session is known here to have ended not long ago.
    pub(super) fn has_ended(&self, id: &SessionId) -> bool {
        self.ended.get(id).is_some()
    }
}

impl Invalidations for NearCache {
    fn forget(&self, id: &SessionId) {
        if let Some((_, known)) = self.sessions.remove(id) {
            known.called_back.store(true, Ordering::Release);
        }
    }

    fn ended(&self, id: &SessionId) {
        self.ended.insert(id.clone(), ());
        self.forget(id);
    }

    fn forget_all(&self) {
        self.era.fetch_add(1, Ordering::Release);
        self.sessions.clear();
    }

    fn live(&self, live: bool) {
        self.heard.store(live, Ordering::Release);
        if !live {
            self.forget_all();
        }
    }
}
