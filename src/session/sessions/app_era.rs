//! The end of all sessions of an app: a mark in the store with its time, and who began before it has ended.
//!
//! The names of sessions in the store are hashes of their users, so that nothing there tells the app; to
//! find them all would mean to read everything.
//!
//! A mark of all apps together changes whenever one of theirs does. It is all that a gateway reads each
//! second, which is how soon every replica knows. The app's own mark is written first, and read last: who
//! saw the common one change finds what it changed for, and who read the app's too early sees the common one
//! change at his next look. They are two keys, that may lie on two nodes of a cluster, of which one may lose
//! what it was just told: so everything is read now and then all the same.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::{Known, Sessions};
use crate::session::random_bytes;
use crate::session::record::Session;
use crate::session::store::{Invalidations, Key, Kind, Store, Unavailable};
use crate::wechat::app::AppId;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After so many looks at the common mark alone the apps' are read too: a failover may have taken it away,
/// and gateways of before write none.
const LOOKS: u32 = 60;

/// When the sessions of each app were ended, whatever the configuration.
#[derive(Debug, Default)]
pub(super) struct KnownEras(Mutex<HashMap<AppId, Era>>);

/// Sessions that began then or earlier have ended. In seconds since 1970.
type Era = Arc<AtomicU64>;

impl KnownEras {
    pub(super) fn of(&self, apps: &[AppId]) -> AppEras {
        let mut known = self.0.lock();
        AppEras(apps.iter().map(|app| known.entry(app.clone()).or_default().clone()).collect())
    }

    /// Every app that a configuration has had: what is under way may have begun with it.
    fn apps(&self) -> Vec<AppId> {
        self.0.lock().keys().cloned().collect()
    }

    /// Whether that is news.
    fn note(&self, app: &AppId, since: u64) -> bool {
        let known = self.0.lock();
        known.get(app).is_some_and(|era| era.fetch_max(since, Ordering::Relaxed) < since)
    }
}

/// Those of one configuration, by the position of the app.
#[derive(Debug)]
pub(super) struct AppEras(Vec<Era>);

impl AppEras {
    pub(super) fn has_ended(&self, app: usize, session: &Session) -> bool {
        self.0.get(app).is_some_and(|era| session.created <= era.load(Ordering::Relaxed))
    }
}

impl Sessions {
    /// Ends every session of an app. Other replicas know within a second or two; clocks that are apart
    /// move the line by as much. Where it fails some may know and others not: it is to be done again.
    pub async fn end_app(&self, app: &AppId) -> Result<(), Unavailable> {
        let now = self.clock.now();
        self.store.put(&mark_of(app), &now.to_be_bytes(), self.lifetime).await?;
        self.known.note_era(app, now);
        // Not the time: two apps may end in one second.
        self.store.put(&mark_of_all(), &random_bytes::<16>(), self.lifetime).await
    }

    /// Looks for marks of other replicas, for these sessions and all that come after them by
    /// [`Sessions::after_reload`], until the last of them is gone.
    pub fn watch_apps(&self) {
        tokio::spawn(watch(Arc::downgrade(&self.known), Arc::downgrade(&self.store)));
    }
}

impl Known {
    fn note_era(&self, app: &AppId, since: u64) {
        if self.eras.note(app, since) {
            self.near.forget_all();
        }
    }
}

async fn watch(known: Weak<Known>, store: Weak<dyn Store>) {
    let mut read = None;
    while let (Some(known), Some(store)) = (known.upgrade(), store.upgrade()) {
        let get = |key| {
            let store = &store;
            async move { store.get(&key).await }
        };
        let (now_read, ended) = look(read, &known.eras.apps(), get).await;
        ended.iter().for_each(|(app, since)| known.note_era(app, *since));
        read = now_read;
        drop((known, store));
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// That the marks of all apps were read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AllRead {
    /// The common mark, as it was before.
    mark: Option<Vec<u8>>,
    /// So many there were; none is ever forgotten.
    apps: usize,
    looks_since: u32,
}

/// Looks once; gives what is read now, and when the apps were ended whose marks had to be read.
async fn look<Answer>(
    read: Option<AllRead>,
    apps: &[AppId],
    get: impl Fn(Key) -> Answer,
) -> (Option<AllRead>, Vec<(AppId, u64)>)
where
    Answer: Future<Output = Result<Option<Vec<u8>>, Unavailable>>,
{
    // While the store is away nobody can end anything; when it is back, it may be another one.
    let Ok(mark) = get(mark_of_all()).await else { return (None, Vec::new()) };
    let apps_read = apps.len();
    let is_current =
        |read: &AllRead| (&read.mark, read.apps) == (&mark, apps_read) && read.looks_since < LOOKS;
    if let Some(read) = read.filter(is_current) {
        return (Some(AllRead { looks_since: read.looks_since + 1, ..read }), Vec::new());
    }
    let (mut all, mut ended) = (true, Vec::new());
    for app in apps {
        match get(mark_of(app)).await {
            Ok(mark) => ended.extend(mark.and_then(time).map(|since| (app.clone(), since))),
            Err(_) => all = false,
        }
    }
    (all.then_some(AllRead { mark, apps: apps_read, looks_since: 0 }), ended)
}

fn time(mark: Vec<u8>) -> Option<u64> {
    mark.try_into().ok().map(u64::from_be_bytes)
}

fn mark_of(app: &AppId) -> Key {
    Key::new(Kind::AppEnded, &[app.as_str().as_bytes()])
}

/// Of no app, and of all.
fn mark_of_all() -> Key {
    Key::new(Kind::AppEnded, &[])
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::ready;

    use super::*;

    /// A store of marks, and the keys that it was asked for.
    #[derive(Default)]
    struct Marks {
        values: RefCell<HashMap<Key, Vec<u8>>>,
        asked: RefCell<Vec<Key>>,
        away: RefCell<Vec<Key>>,
        read: Option<AllRead>,
    }

    impl Marks {
        fn end(&self, app: &AppId, time: u64) {
            self.values.borrow_mut().insert(mark_of(app), time.to_be_bytes().to_vec());
            self.values.borrow_mut().insert(mark_of_all(), random_bytes::<16>().to_vec());
        }

        /// What one look finds, and how many marks it reads for it; `between` is what somebody does after
        /// the first of them was read.
        async fn look(&mut self, apps: &[AppId], between: impl Fn(&Self)) -> (Vec<u64>, usize) {
            self.asked.borrow_mut().clear();
            let get = |key: Key| {
                let value = self.values.borrow().get(&key).cloned();
                self.asked.borrow_mut().push(key.clone());
                if self.asked.borrow().len() == 1 {
                    between(self);
                }
                let is_away = self.away.borrow().contains(&key);
                ready(if is_away { Err(Unavailable("away".into())) } else { Ok(value) })
            };
            let (read, ended) = look(self.read.clone(), apps, get).await;
            self.read = read;
            (ended.into_iter().map(|(_, time)| time).collect(), self.asked.borrow().len())
        }
    }

    fn apps() -> [AppId; 2] {
        ["wx0000000000000001", "wx0000000000000002"].map(|appid| AppId::parse(appid).unwrap())
    }

    #[tokio::test]
    async fn one_mark_is_read_where_nothing_ended() {
        let (mut marks, apps) = (Marks::default(), apps());
        assert_eq!(marks.look(&apps, |_| {}).await, (vec![], 3), "what was before the start");
        for _ in 0..LOOKS {
            assert_eq!(marks.look(&apps, |_| {}).await, (vec![], 1));
        }
        assert_eq!(marks.look(&apps, |_| {}).await, (vec![], 3), "now and then");
        marks.end(&apps[1], 7);
        assert_eq!(marks.look(&apps, |_| {}).await, (vec![7], 3));
        assert_eq!(marks.look(&apps, |_| {}).await, (vec![], 1));
        marks.end(&apps[0], 7);
        assert_eq!(marks.look(&apps, |_| {}).await, (vec![7, 7], 3), "also in the same second");
    }

    #[tokio::test]
    async fn what_ends_during_a_look_is_found_by_the_next() {
        let (mut marks, apps) = (Marks::default(), apps());
        // This look sees it already, or does not; what counts is that the next one does.
        marks.look(&apps, |marks| marks.end(&apps[0], 7)).await;
        assert_eq!(marks.look(&apps, |_| {}).await, (vec![7], 3));
        // The app's mark is there, the common one not yet.
        let time = 9_u64.to_be_bytes().to_vec();
        marks.values.borrow_mut().insert(mark_of(&apps[1]), time);
        assert_eq!(marks.look(&apps, |_| {}).await, (vec![], 1));
        marks.end(&apps[1], 9);
        assert_eq!(marks.look(&apps, |_| {}).await, (vec![7, 9], 3));
    }

    #[tokio::test]
    async fn a_read_that_failed_is_done_again() {
        let (mut marks, apps) = (Marks::default(), apps());
        marks.look(&apps, |_| {}).await;
        marks.end(&apps[1], 7);
        marks.away.borrow_mut().push(mark_of(&apps[1]));
        assert_eq!(marks.look(&apps, |_| {}).await, (vec![], 3));
        marks.away.borrow_mut().clear();
        assert_eq!(marks.look(&apps, |_| {}).await, (vec![7], 3));
        // The common mark is lost in an outage, the app's own is not.
        marks.away.borrow_mut().push(mark_of_all());
        assert_eq!(marks.look(&apps, |_| {}).await, (vec![], 1));
        let mark = marks.values.borrow()[&mark_of_all()].clone();
        marks.end(&apps[0], 9);
        marks.values.borrow_mut().insert(mark_of_all(), mark);
        marks.away.borrow_mut().clear();
        assert_eq!(marks.look(&apps, |_| {}).await, (vec![9, 7], 3));
    }

    #[tokio::test]
    async fn the_mark_of_an_app_that_is_new_is_read() {
        let (mut marks, apps) = (Marks::default(), apps());
        marks.end(&apps[1], 7);
        assert_eq!(marks.look(&apps[..1], |_| {}).await, (vec![], 2));
        assert_eq!(marks.look(&apps, |_| {}).await, (vec![7], 3));
    }
}
