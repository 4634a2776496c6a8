//! Sessions in this process, so that a request of a known session makes no round trip.
//!
//! What is cached may be wrong from the moment when the store changes, so every entry can be called
//! back: [`Invalidations::forget`] also reaches those who hold the entry, by its mark. A load that an
//! invalidation overtakes is used once and not kept. Where anything may have changed, the era ends: of
//! what was loaded in an earlier one, by whoever it is held, nothing is current any more.
//!
//! What is not there is not cached: each load is the outcome of those who waited for it, and of nobody else.
//! But a session that is known to have been ended is not asked for again: no name is given twice.

mod flights;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::HeaderValue;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter};

use self::flights::{Boarded, Flights, Leader};
use super::record::{Session, SessionId};
use super::store::{Invalidations, Unavailable};
use crate::telemetry::log::access::KeptName;

/// Sessions held at one time. About 1 KiB each.
const CAPACITY: usize = 100_000;

pub(super) use self::flights::Turn;

/// What came of a load.
type Outcome = Result<Option<Arc<Live>>, Unavailable>;

/// The sessions that this process knows.
#[derive(Debug)]
pub(super) struct NearCache {
    sessions: Cache<SessionId, Arc<Live>, UnitWeighter, DefaultHashBuilder, Release>,
    /// Those that ended not long ago.
    ended: Cache<SessionId, End>,
    flights: Flights<Outcome>,
    /// Whether changes in the store are heard of.
    heard: AtomicBool,
    era: AtomicU64,
}

/// How it is known that a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It was ended here, or the store has told so.
    Told,
    /// It was not in the store when it was asked for. One that was damaged or lost may be there again.
    Missed,
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
    /// When its load began.
    turn: Turn,
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
            turn: Turn::default(),
            stale_from,
            renew_from,
        })
    }

    /// Whether its load began no later than this.
    pub(super) fn was_asked_by(&self, turn: Turn) -> bool {
        self.turn <= turn
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
            flights: Flights::default(),
            heard: AtomicBool::new(true),
            era: AtomicU64::new(0),
        }
    }

    /// The session, from here or by `load`, which runs once for all who ask at one time.
    pub(super) async fn get(
        &self,
        id: &SessionId,
        now: u64,
        load: impl Future<Output = Result<Option<Live>, Unavailable>>,
    ) -> Outcome {
        if let Some(known) = self.sessions.get(id) {
            if self.is_current(&known, now) {
                return Ok(Some(known));
            }
            self.sessions.remove_if(id, |entry| Arc::ptr_eq(entry, &known));
        }
        if self.ended.get(id) == Some(End::Told) {
            return Ok(None);
        }
        loop {
            match self.flights.board(id) {
                Boarded::Leader(leader) => return self.lead(leader, id, load).await,
                Boarded::Follower(follower) => {
                    if let Some(outcome) = follower.outcome().await {
                        return outcome;
                    }
                }
            }
        }
    }

    async fn lead(
        &self,
        leader: Leader<'_, Outcome>,
        id: &SessionId,
        load: impl Future<Output = Result<Option<Live>, Unavailable>>,
    ) -> Outcome {
        let turn = leader.turn;
        let outcome = load.await.map(|live| live.map(|live| Arc::new(Live { turn, ..live })));
        match &outcome {
            Ok(Some(live)) => {
                let keep = || self.sessions.insert(id.clone(), live.clone());
                if !leader.land(outcome.clone(), keep) {
                    live.called_back.store(true, Ordering::Release);
                }
            }
            Ok(None) => {
                if self.ended.get(id).is_none() {
                    self.ended.insert(id.clone(), End::Missed);
                }
                leader.land(outcome.clone(), || ());
            }
            Err(_) => {
                leader.land(outcome.clone(), || ());
            }
        }
        outcome
    }

    /// What begins from now on comes after it.
    pub(super) fn turn(&self) -> Turn {
        self.flights.turn()
    }

    /// This copy of a session may be wrong. Another that was loaded since is none of it.
    pub(super) fn give_up(&self, live: &Arc<Live>) {
        live.called_back.store(true, Ordering::Release);
        self.sessions.remove_if(&live.session.id, |entry| Arc::ptr_eq(entry, live));
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
        self.flights.overtake(id);
        if let Some((_, known)) = self.sessions.remove(id) {
            known.called_back.store(true, Ordering::Release);
        }
    }

    fn ended(&self, id: &SessionId) {
        self.ended.insert(id.clone(), End::Told);
        self.forget(id);
    }

    fn forget_all(&self) {
        self.era.fetch_add(1, Ordering::Release);
        self.flights.overtake_all();
        self.sessions.clear();
    }

    fn live(&self, live: bool) {
        self.heard.store(live, Ordering::Release);
        if !live {
            self.forget_all();
        }
    }
}

#[cfg(test)]
mod tests;
