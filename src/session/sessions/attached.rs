//! What lives as long as a session and no longer: tunnels, and answers without an end.
//!
//! The near cache knows at once when a session may have changed. So every quarter of a second all that is
//! attached is looked at, and a session is asked for anew where its copy is no longer current, as it
//! would be for a request. Only a definite answer closes anything: an outage of the store does not.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tracing::debug;

use super::{Live, NotAuthenticated, Revocation, Sessions};
use crate::lifecycle::closer::Closer;

/// The time after which a session that was called back is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// In milliseconds: between two questions for one session where no copy can be kept.
const ASK_AGAIN: u64 = 500;
/// Questions to the store at one time.
const QUESTIONS: usize = 64;

/// All that is attached to sessions.
#[derive(Debug)]
pub(super) struct AllAttached {
    looked_after: AtomicBool,
    list: Arc<Mutex<List>>,
    questions: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct List {
    last: u64,
    entries: HashMap<u64, Arc<Entry>>,
}

#[derive(Debug)]
struct Entry {
    live: ArcSwap<Live>,
    closer: Closer,
    /// Whether the session is being asked for.
    asking: AtomicBool,
    /// Not to be asked for before this, by [`crate::clock::Clock::elapsed`].
    not_before: AtomicU64,
}

/// Something that is closed when its session ends, until this is dropped.
#[derive(Debug)]
pub struct Attached {
    number: u64,
    closer: Closer,
    list: Arc<Mutex<List>>,
}

impl Attached {
    /// Whether the session has ended.
    pub fn has_ended(&self) -> bool {
        self.closer.is_closed()
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.list.lock().entries.remove(&self.number);
    }
}

impl Default for AllAttached {
    fn default() -> Self {
        let questions = Arc::new(Semaphore::new(QUESTIONS));
        Self { looked_after: AtomicBool::new(false), list: Arc::default(), questions }
    }
}

impl AllAttached {
    fn all(&self) -> Vec<Arc<Entry>> {
        self.list.lock().entries.values().cloned().collect()
    }
}

impl Sessions {
    /// Closes something when this session ends: by a logout anywhere, by being idle, by its lifetime.
    /// Being attached counts as use of the session.
    pub fn attach(self: &Arc<Self>, live: Arc<Live>, closer: Closer) -> Attached {
        if !self.attached.looked_after.swap(true, Ordering::Relaxed) {
            tokio::spawn(look_after(Arc::downgrade(self)));
        }
        let entry = Entry {
            live: live.into(),
            closer: closer.clone(),
            asking: AtomicBool::new(false),
            not_before: AtomicU64::new(0),
        };
        let list = self.attached.list.clone();
        let mut locked = list.lock();
        locked.last += 1;
        let number = locked.last;
        locked.entries.insert(number, Arc::new(entry));
        drop(locked);
        Attached { number, closer, list }
    }

    fn look_at_attached(self: &Arc<Self>) {
        let (now, elapsed) = (self.clock.now(), self.clock.elapsed());
        for entry in self.attached.all() {
            let live = entry.live.load_full();
            let expired = now >= live.session.expires;
            let due = elapsed >= entry.not_before.load(Ordering::Relaxed);
            if !expired && (!due || self.known.near.is_current(&live, now)) {
                continue;
            }
            if entry.closer.is_closed() || entry.asking.swap(true, Ordering::Relaxed) {
                continue;
            }
            let sessions = self.clone();
            tokio::spawn(async move { sessions.ask_for(&entry, &live).await });
        }
    }

    async fn ask_for(&self, entry: &Entry, live: &Live) {
        // It is never closed.
        let _question = self.attached.questions.acquire().await;
        match self.still_lives(live).await {
            // A change after this calls it back again, and is looked at with the next look.
            Ok(anew) if self.known.near.is_current(&anew, self.clock.now()) => {
                entry.live.store(anew)
            }
            Ok(_) | Err(NotAuthenticated::Unavailable(_)) => {
                let not_before = self.clock.elapsed() + ASK_AGAIN;
                entry.not_before.store(not_before, Ordering::Relaxed);
            }
            Err(NotAuthenticated::Invalid) => {
                debug!("a tunnel or an endless answer was closed: its session has ended");
                entry.closer.close();
            }
        }
        entry.asking.store(false, Ordering::Relaxed);
    }

    /// The session as it is now.
    async fn still_lives(&self, live: &Live) -> Result<Arc<Live>, NotAuthenticated> {
        let (session, now) = (&live.session, self.clock.now());
        if now >= session.expires || self.known.near.has_ended(&session.id) {
            return Err(NotAuthenticated::Invalid);
        }
        if self.revocation == Revocation::None {
            if self.has_ended_with_its_app(session).await? {
                return Err(NotAuthenticated::Invalid);
            }
            let anew = Live::new(session.clone(), self.known.near.era(), session.expires, u64::MAX);
            return anew.map(Arc::new).ok_or(NotAuthenticated::Invalid);
        }
        let anew = self.find(&session.user, &session.id, now).await?;
        self.renew_when_due(&anew, now);
        Ok(anew)
    }
}

async fn look_after(sessions: Weak<Sessions>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(sessions) = sessions.upgrade() else { return };
        sessions.look_at_attached();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::session::memory::MemoryStore;
    use crate::session::token::{SigningKey, install_crypto_provider};
    use crate::session::{OnStoreOutage, Settings};
    use crate::wechat::app::AppId;
    use crate::wechat::user::{OpenId, User};

    const HOUR: Duration = Duration::from_secs(3600);

    async fn sessions(clock: &Clock) -> (Arc<Sessions>, Arc<Live>) {
        install_crypto_provider();
        let settings = Settings {
            idle: HOUR,
            lifetime: 4 * HOUR,
            signing_keys: vec![SigningKey::random()],
            revocation: Revocation::Instant,
            on_store_outage: OnStoreOutage::Deny,
            open_data_max_age: None,
            token_from: Vec::new(),
            cookie: None,
        };
        let appid = AppId::parse("wx0123456789abcdef").unwrap();
        let store = |_| Arc::new(MemoryStore::new(clock.clone())) as Arc<dyn super::super::Store>;
        let sessions = Sessions::new(&settings, std::slice::from_ref(&appid), store, clock.clone());
        let user = User { appid, openid: OpenId::parse("oABCDEFGHIJKLMNOPQRSTUVWXYZ0").unwrap() };
        let session = sessions.begin(user, None).await.unwrap();
        let live = sessions.authenticate(&sessions.token(&session).unwrap()).await.unwrap().live;
        (Arc::new(sessions), live)
    }

    /// Some looks at what is attached go by.
    async fn looks() {
        for _ in 0..9 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_attached_keeps_a_session_in_use_until_its_lifetime_is_over() {
        let clock = Clock::movable();
        let (sessions, live) = sessions(&clock).await;
        let attached = sessions.attach(live, Closer::default());
        for _ in 0..5 {
            clock.advance(HOUR * 3 / 4);
            looks().await;
            assert!(!attached.has_ended());
        }
        clock.advance(HOUR / 4);
        looks().await;
        assert!(attached.has_ended());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_ended_before_it_was_attached_is_noticed() {
        let (sessions, live) = sessions(&Clock::movable()).await;
        sessions.end(&live.session.user, &live.session.id).await.unwrap();
        let attached = sessions.attach(live, Closer::default());
        looks().await;
        assert!(attached.has_ended());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_gone_is_attached_no_more() {
        let (sessions, live) = sessions(&Clock::movable()).await;
        drop(sessions.attach(live, Closer::default()));
        assert!(sessions.attached.all().is_empty());
    }
}
