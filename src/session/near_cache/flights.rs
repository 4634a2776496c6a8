//! Loads under way, each with all who ask for the same session while it is: whatever comes of it is the outcome
//! of all of them, be it nothing or an error. Nobody who comes later hears of it.
//!
//! quick_cache's own placeholders share what was found and nothing else: after a load that fails, the next of
//! those who wait loads again, one after the other (k of them wait for k timeouts).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::SessionId;

/// By their sessions. A load that an invalidation overtakes is not here any more.
#[derive(Debug)]
pub(super) struct Flights<T> {
    under_way: Mutex<HashMap<SessionId, Flight<T>>>,
    turns: AtomicU64,
}

#[derive(Debug)]
struct Flight<T> {
    turn: Turn,
    outcome: watch::Receiver<Option<T>>,
}

/// Loads and questions in the order in which they began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::session) struct Turn(u64);

/// Who asks for a session.
#[derive(Debug)]
pub(super) enum Boarded<'a, T> {
    /// He has to load it.
    Leader(Leader<'a, T>),
    /// Somebody loads it.
    Follower(Follower<T>),
}

/// Who loads it. Where he goes away before he has, another of those who wait does.
#[derive(Debug)]
pub(super) struct Leader<'a, T> {
    flights: &'a Flights<T>,
    id: &'a SessionId,
    pub(super) turn: Turn,
    outcome: watch::Sender<Option<T>>,
}

/// Who waits for the load of another.
#[derive(Debug)]
pub(super) struct Follower<T>(watch::Receiver<Option<T>>);

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self { under_way: Mutex::default(), turns: AtomicU64::new(0) }
    }
}

impl<T: Clone> Flights<T> {
    /// The turn of what began last.
    pub(super) fn turn(&self) -> Turn {
        Turn(self.turns.load(Ordering::Acquire))
    }

    /// Joins the load of this session that is under way, or begins one.
    pub(super) fn board<'a>(&'a self, id: &'a SessionId) -> Boarded<'a, T> {
        let mut under_way = self.under_way.lock();
        if let Some(flight) = under_way.get(id) {
            return Boarded::Follower(Follower(flight.outcome.clone()));
        }
        let turn = Turn(self.turns.fetch_add(1, Ordering::AcqRel) + 1);
        let (outcome, receiver) = watch::channel(None);
        under_way.insert(id.clone(), Flight { turn, outcome: receiver });
        Boarded::Leader(Leader { flights: self, id, turn, outcome })
    }

    /// What is loaded of this session now may be wrong already.
    pub(super) fn overtake(&self, id: &SessionId) {
        self.under_way.lock().remove(id);
    }

    /// The same for all sessions.
    pub(super) fn overtake_all(&self) {
        self.under_way.lock().clear();
    }
}

impl<T> Leader<'_, T> {
    /// The load has ended so; `keep` keeps what it gave, unless it was overtaken. Tells whether it was kept.
    pub(super) fn land(self, outcome: T, keep: impl FnOnce()) -> bool {
        let is_current = {
            let mut under_way = self.flights.under_way.lock();
            let is_current = take(&mut under_way, self.id, self.turn);
            if is_current {
                // While the lock is held, so that whoever calls it back finds one or the other.
                keep();
            }
            is_current
        };
        self.outcome.send_replace(Some(outcome));
        is_current
    }
}

impl<T> Drop for Leader<'_, T> {
    fn drop(&mut self) {
        take(&mut self.flights.under_way.lock(), self.id, self.turn);
    }
}

impl<T: Clone> Follower<T> {
    /// What came of the load; nothing where its leader went away.
    pub(super) async fn outcome(mut self) -> Option<T> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

/// Takes the flight of this turn away; whether it was there.
fn take<T>(under_way: &mut HashMap<SessionId, Flight<T>>, id: &SessionId, turn: Turn) -> bool {
    let is_there = under_way.get(id).is_some_and(|flight| flight.turn == turn);
    if is_there {
        under_way.remove(id);
    }
    is_there
}
