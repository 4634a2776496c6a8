//! Somebody who keeps copies of sessions, and notes what it is told about them.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::HashSet;
use std::sync::Mutex;

use wxgate::session::record::SessionId;
use wxgate::session::store::Invalidations;

#[derive(Debug, Default)]
pub(crate) struct Listener {
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    forgotten: HashSet<SessionId>,
    all: usize,
    live: bool,
}

impl Listener {
    pub(crate) fn is_live(&self) -> bool {
        self.heard.lock().unwrap().live
    }

    /// Whether a copy of this session would be gone since the last [`Listener::clear`].
    pub(crate) fn forgot(&self, id: &SessionId) -> bool {
        let heard = self.heard.lock().unwrap();
        heard.all > 0 || heard.forgotten.contains(id)
    }

    /// How many times everything was to be forgotten.
    pub(crate) fn forgot_all(&self) -> usize {
        self.heard.lock().unwrap().all
    }

    pub(crate) fn clear(&self) {
        let mut heard = self.heard.lock().unwrap();
        heard.forgotten.clear();
        heard.all = 0;
    }
}

impl Invalidations for Listener {
    fn forget(&self, id: &SessionId) {
        self.heard.lock().unwrap().forgotten.insert(id.clone());
    }

    fn forget_all(&self) {
        self.heard.lock().unwrap().all += 1;
    }

    fn live(&self, live: bool) {
        self.heard.lock().unwrap().live = live;
    }
}
