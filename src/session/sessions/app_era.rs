//! The end of all sessions of an app: its time is in the store, and what began before it has ended.
//!
//! The names of sessions in the store are hashes of their users, so that nothing there tells the app; to
//! find them all would mean to read everything.
//!
//! The ends of all apps are one value, which every gateway reads each second: that is how soon every replica
//! knows, and one read is the whole truth, however many apps there are and whatever nodes a cluster has lost.
//! It outlives every session, whatever `lifetime` was when the session began.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use ring::digest::{SHA256, digest};

use super::{CHANGE_TRIES, Known, Sessions};
use crate::lifecycle::ready::{BlockReady, Ready};
use crate::session::LONGEST_LIFETIME;
use crate::session::record::Session;
use crate::session::store::{Invalidations, Key, Kind, Store, Unavailable};
use crate::wechat::app::AppId;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Until the first look succeeds, for which requests wait.
const FIRST_LOOK_EVERY: Duration = Duration::from_millis(100);

/// When the sessions of each app were ended, whatever the configuration: those of apps that it does not have
/// may be those of the next one.
#[derive(Debug, Default)]
pub(super) struct KnownEras {
    eras: Mutex<HashMap<AppName, Era>>,
    /// Whether the store has told any of it: before it has, nobody knows who has ended.
    are_known: AtomicBool,
}

/// Sessions that began then or earlier have ended. In seconds since 1970.
type Era = Arc<AtomicU64>;

impl KnownEras {
    pub(super) fn of(&self, apps: &[AppId]) -> AppEras {
        let mut known = self.eras.lock();
        AppEras(apps.iter().map(|app| known.entry(AppName::of(app)).or_default().clone()).collect())
    }

    /// Whether that is news.
    fn learn(&self, ends: &Ends) -> bool {
        let mut known = self.eras.lock();
        let mut is_news = false;
        for (app, since) in &ends.0 {
            let era = known.entry(*app).or_default();
            is_news |= era.fetch_max(*since, Ordering::Relaxed) < *since;
        }
        self.are_known.store(true, Ordering::Release);
        is_news
    }

    pub(super) fn are_known(&self) -> bool {
        self.are_known.load(Ordering::Acquire)
    }
}

/// Those of one configuration, by the position of the app.
#[derive(Debug)]
pub(super) struct AppEras(Vec<Era>);

impl AppEras {
    /// Whether a session has ended with its app, as far as is known here.
    pub(super) fn has_ended(&self, app: usize, session: &Session) -> bool {
        self.0.get(app).is_some_and(|era| session.created <= era.load(Ordering::Relaxed))
    }
}

impl Sessions {
    /// Ends every session of an app. Other replicas know within a second or two; clocks that are apart
    /// move the line by as much. Where it fails some may know and others not: it is to be done again.
    pub async fn end_app(&self, app: &AppId) -> Result<(), Unavailable> {
        let now = self.clock.now();
        for _ in 0..CHANGE_TRIES {
            let before = self.store.get(&key()).await?;
            let mut ends = Ends::read(before.as_deref());
            ends.note(app, now);
            let after = ends.write();
            let is_written = match &before {
                Some(before) => {
                    self.store.replace(&key(), before, &after, LONGEST_LIFETIME).await?
                }
                None => {
                    let there = self.store.put_if_absent(&key(), &after, LONGEST_LIFETIME).await?;
                    there.is_none()
                }
            };
            if is_written {
                self.known.learn_ends(&ends);
                return Ok(());
            }
        }
        Err(Unavailable("the sessions of apps are ended by many at once".into()))
    }

    /// Looks for ends by other replicas, for these sessions and all that come after them by
    /// [`Sessions::after_reload`], until the last of them is gone. The gateway is not ready before the
    /// first look.
    pub fn watch_apps(&self, ready: &Ready) {
        let unknown =
            ready.block("sessions", "the store has not said yet which of them have ended");
        // A store in this process answers at once, and nobody has to wait.
        let first = self.known.look(&*self.store).now_or_never();
        let unknown = (!matches!(first, Some(Ok(())))).then_some(unknown);
        tokio::spawn(watch(Arc::downgrade(&self.known), Arc::downgrade(&self.store), unknown));
    }

    /// Whether a session has ended with its app. Asks the store where it has not told yet.
    pub(super) async fn has_ended_with_its_app(
        &self,
        session: &Session,
    ) -> Result<bool, Unavailable> {
        if !self.known.eras.are_known() {
            self.known.look(&*self.store).await?;
        }
        Ok(self.is_known_to_have_ended_with_its_app(session))
    }

    pub(super) fn is_known_to_have_ended_with_its_app(&self, session: &Session) -> bool {
        let app = self.apps.get(&session.user.appid);
        app.is_none_or(|app| self.eras.has_ended(*app, session))
    }
}

impl Known {
    async fn look(&self, store: &dyn Store) -> Result<(), Unavailable> {
        let value = store.get(&key()).await?;
        self.learn_ends(&Ends::read(value.as_deref()));
        Ok(())
    }

    fn learn_ends(&self, ends: &Ends) {
        if self.eras.learn(ends) {
            self.near.forget_all();
        }
    }
}

async fn watch(known: Weak<Known>, store: Weak<dyn Store>, mut unknown: Option<BlockReady>) {
    while let (Some(known), Some(store)) = (known.upgrade(), store.upgrade()) {
        // While the store is away nobody can end anything, and what is known stays true.
        if known.look(&*store).await.is_ok() {
            unknown = None;
        }
        drop((known, store));
        let pause = if unknown.is_some() { FIRST_LOOK_EVERY } else { LOOK_EVERY };
        tokio::time::sleep(pause).await;
    }
}

/// An app as the store has it: a hash, as of everybody there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct AppName([u8; NAME]);

const NAME: usize = 16;
/// A name, and a time.
const ENTRY: usize = NAME + 8;

impl AppName {
    fn of(app: &AppId) -> Self {
        let hash = digest(&SHA256, app.as_str().as_bytes());
        let mut name = [0; NAME];
        name.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        Self(name)
    }
}

/// What the store has: when the sessions of each app were ended last.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ends(BTreeMap<AppName, u64>);

impl Ends {
    fn read(value: Option<&[u8]>) -> Self {
        let (entries, _) = value.unwrap_or_default().as_chunks::<ENTRY>();
        let entry = |entry: &[u8; ENTRY]| {
            let (name, time) = entry.split_first_chunk::<NAME>()?;
            Some((AppName(*name), u64::from_be_bytes(time.try_into().ok()?)))
        };
        Self(entries.iter().filter_map(entry).collect())
    }

    fn note(&mut self, app: &AppId, time: u64) {
        let last = self.0.entry(AppName::of(app)).or_default();
        *last = time.max(*last);
    }

    fn write(&self) -> Vec<u8> {
        let entry = |(name, time): (&AppName, &u64)| [&name.0[..], &time.to_be_bytes()].concat();
        self.0.iter().flat_map(entry).collect()
    }
}

fn key() -> Key {
    Key::new(Kind::AppEnded, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(number: u8) -> AppId {
        AppId::parse(&format!("wx{number:016}")).unwrap()
    }

    #[test]
    fn ends_are_read_as_they_were_written_and_never_move_back() {
        let mut ends = Ends::default();
        assert_eq!(Ends::read(None), ends);
        ends.note(&app(1), 7);
        ends.note(&app(2), 9);
        ends.note(&app(2), 8);
        assert_eq!(ends.write().len(), 2 * ENTRY);
        assert_eq!(Ends::read(Some(&ends.write())), ends);
        assert_eq!(ends.0.get(&AppName::of(&app(2))), Some(&9));
    }

    #[test]
    fn an_app_that_comes_later_has_ended_when_it_had() {
        let (known, mut ends) = (KnownEras::default(), Ends::default());
        assert!(!known.are_known());
        ends.note(&app(1), 7);
        assert!(known.learn(&ends) && !known.learn(&ends));
        assert!(known.are_known());
        let era = |app: AppId| known.of(&[app]).0[0].load(Ordering::Relaxed);
        assert_eq!((era(app(1)), era(app(2))), (7, 0));
    }
}
