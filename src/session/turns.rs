//! Turns: what is done to one session is done one after the other in this process.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

use super::record::SessionId;

/// Sessions that share a place wait for each other; with so many places few do.
const PLACES: usize = 64;

/// Who is at it, by session.
#[derive(Debug)]
pub(super) struct Turns {
    hasher: RandomState,
    places: [Mutex<()>; PLACES],
}

impl Default for Turns {
    fn default() -> Self {
        Self { hasher: RandomState::new(), places: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Turns {
    /// Waits until nobody else is at this session.
    pub(super) async fn turn_of(&self, id: &SessionId) -> Option<MutexGuard<'_, ()>> {
        let place = self.hasher.hash_one(id) as usize % PLACES;
        match self.places.get(place) {
            Some(place) => Some(place.lock().await),
            // The remainder is always a place.
            None => None,
        }
    }
}
