//! The end of all sessions of an app: a mark in the store with its time, and who began before it has ended.
//!
//! The names of sessions in the store are hashes of their users, so that nothing there tells the app; to
//! find them all would mean to read everything. The mark costs one read for each app and second, which is
//! how soon every replica knows.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::Sessions;
use crate::session::record::Session;
use crate::session::store::{Invalidations, Key, Kind, Unavailable};
use crate::wechat::app::AppId;

const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    /// move the line by as much.
    pub async fn end_app(&self, app: &AppId) -> Result<(), Unavailable> {
        let now = self.clock.now();
        self.store.put(&mark(app), &now.to_be_bytes(), self.lifetime).await?;
        self.note_era(app, now);
        Ok(())
    }

    /// Looks for marks of other replicas for as long as the sessions are used.
    pub fn watch_apps(self: &Arc<Self>) {
        tokio::spawn(watch(Arc::downgrade(self)));
    }

    async fn look_for_marks(&self) {
        for app in self.apps.keys() {
            // While the store is away nobody can end anything.
            let Ok(Some(value)) = self.store.get(&mark(app)).await else { continue };
            if let Ok(bytes) = value.as_slice().try_into() {
                self.note_era(app, u64::from_be_bytes(bytes));
            }
        }
    }

    fn note_era(&self, app: &AppId, since: u64) {
        let era = self.apps.get(app).and_then(|position| self.eras.0.get(*position));
        if era.is_some_and(|era| era.fetch_max(since, Ordering::Relaxed) < since) {
            self.known.near.forget_all();
        }
    }
}

async fn watch(sessions: Weak<Sessions>) {
    while let Some(sessions) = sessions.upgrade() {
        sessions.look_for_marks().await;
        drop(sessions);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn mark(app: &AppId) -> Key {
    Key::new(Kind::AppEnded, &[app.as_str().as_bytes()])
}
