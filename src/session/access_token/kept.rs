//! An access_token as it is kept: sealed, in the store, for all replicas.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::secret::Secret;
use crate::session::random_bytes;
use crate::session::seal::{Purpose, Sealer};
use crate::session::store::{Key, Kind, Store, Unavailable};
use crate::wechat::app::App;
use crate::wechat::client::Grant;

/// Seconds before a token's end in which its renewal begins. In its normal mode stable_token hands
/// out another token only in the last five minutes of the one before: to ask earlier gives the same
/// token again, and to ask later leaves no time for an outage. The spread keeps apps apart that
/// fetched together.
const LATEST: u64 = 150;
const SPREAD: u64 = 120;
/// Seconds before the next try where WeChat hands out a token that is near its end all the same.
const AGAIN: u64 = 15;
/// Replicas that took a token over begin its renewal so many seconds later at most: one comes first.
const REPLICA_SPREAD: u64 = 20;

/// An access_token with its times, in seconds since 1970.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) token: Secret,
    pub(super) expires: u64,
    /// From when on it is to be renewed.
    pub(super) due: u64,
    /// When WeChat turned it away, where it did before the end.
    pub(super) refused: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
    expires: u64,
    due: u64,
    refused: Option<u64>,
}

impl Kept {
    /// A token that was asked for at `now`.
    pub(super) fn new(grant: Grant, now: u64) -> Self {
        let expires = now + grant.expires_in.as_secs();
        let due = expires.saturating_sub(LATEST + random_below(SPREAD)).max(now + AGAIN);
        Self { token: grant.token, expires, due, refused: None }
    }

    pub(super) fn is(&self, token: &Secret) -> bool {
        self.token.matches(token.expose())
    }

    /// The same with a due time of this replica's own.
    pub(super) fn taken_over(mut self) -> Self {
        self.due += random_below(REPLICA_SPREAD);
        self
    }
}

fn random_below(bound: u64) -> u64 {
    u64::from_be_bytes(random_bytes()) % bound
}

/// The place in the store where the tokens are.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) store: Arc<dyn Store>,
    sealer: Arc<Sealer>,
    clock: Clock,
}

/// What stood in the store at one moment.
pub(super) struct Found {
    raw: Option<Vec<u8>>,
    /// The token in it, if it is still within its time.
    pub(super) kept: Option<Kept>,
}

impl Found {
    /// The token, if nothing is to be done about it.
    pub(super) fn fresh(&self, now: u64) -> Option<&Kept> {
        self.usable().filter(|kept| now < kept.due)
    }

    /// The token, if it can still be used.
    pub(super) fn usable(&self) -> Option<&Kept> {
        self.kept.as_ref().filter(|kept| kept.refused.is_none())
    }
}

impl Shelf {
    pub(super) fn new(store: Arc<dyn Store>, sealer: Arc<Sealer>, clock: Clock) -> Self {
        Self { store, sealer, clock }
    }

    /// The app's token.
    pub(super) async fn read(&self, app: &App) -> Result<Found, Unavailable> {
        let raw = self.store.get(&key(app)).await?;
        let kept = raw.as_deref().and_then(|sealed| self.open(app, sealed));
        let now = self.clock.now();
        Ok(Found { raw, kept: kept.filter(|kept| now < kept.expires) })
    }

    /// Writes the app's token where still stands what was found; whether it did. So a replica whose
    /// lease ran out while it waited for WeChat cannot overwrite what came after it.
    pub(super) async fn write(
        &self,
        app: &App,
        found: &Found,
        kept: &Kept,
    ) -> Result<bool, Unavailable> {
        let (key, sealed) = (key(app), self.seal(app, kept));
        let ttl = Duration::from_secs(kept.expires.saturating_sub(self.clock.now()).max(1));
        match &found.raw {
            Some(raw) => self.store.replace(&key, raw, &sealed, ttl).await,
            None => Ok(self.store.put_if_absent(&key, &sealed, ttl).await?.is_none()),
        }
    }

    fn seal(&self, app: &App, kept: &Kept) -> Vec<u8> {
        let Kept { token, expires, due, refused } = kept;
        let token = Cow::Borrowed(token.expose());
        let record = Record { token, expires: *expires, due: *due, refused: *refused };
        // Serialising plain data does not fail; an empty value would be read as none.
        let text = Zeroizing::new(serde_json::to_vec(&record).unwrap_or_default());
        self.sealer.seal(Purpose::AccessToken, &[app.appid.as_str().as_bytes()], &text)
    }

    /// The token that was sealed. One that does not open is none: its place is taken by the next.
    fn open(&self, app: &App, sealed: &[u8]) -> Option<Kept> {
        let owner = [app.appid.as_str().as_bytes()];
        let text = self.sealer.open(Purpose::AccessToken, &owner, sealed).ok()?;
        let Record { token, expires, due, refused } = serde_json::from_slice(&text).ok()?;
        Some(Kept { token: Secret::new(token), expires, due, refused })
    }
}

fn key(app: &App) -> Key {
    Key::new(Kind::AccessToken, &[app.appid.as_str().as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::memory::MemoryStore;
    use crate::wechat::app::AppId;

    fn app() -> App {
        App {
            name: "shop".to_owned(),
            appid: AppId::parse("wx0123456789abcdef").unwrap(),
            secret: Secret::new("secret"),
            env: None,
        }
    }

    fn kept(token: &str, seconds: u64, now: u64) -> Kept {
        let expires_in = Duration::from_secs(seconds);
        Kept::new(Grant { token: Secret::new(token), expires_in }, now)
    }

    #[test]
    fn a_token_is_due_in_wechats_last_five_minutes() {
        for _ in 0..1000 {
            let kept = kept("token", 7200, 1000);
            assert!((8200 - 270..=8200 - 150).contains(&kept.due), "{kept:?}");
            assert!(kept.taken_over().due < 8200 - 120);
        }
        assert_eq!(kept("token", 100, 1000).due, 1015, "a short life is not asked for each time");
    }

    #[tokio::test]
    async fn a_late_owner_overwrites_no_newer_token() {
        let (clock, app) = (Clock::movable(), app());
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let shelf = Shelf::new(store, Arc::new(Sealer::new(&[[7; 32]])), clock.clone());
        for before in [None, Some("old")] {
            let (late, punctual) =
                (shelf.read(&app).await.unwrap(), shelf.read(&app).await.unwrap());
            assert!(shelf.write(&app, &punctual, &kept("old", 7200, clock.now())).await.unwrap());
            let stale = kept("stale", 7200, clock.now());
            assert!(!shelf.write(&app, &late, &stale).await.unwrap(), "after {before:?}");
            let found = shelf.read(&app).await.unwrap();
            assert!(found.usable().unwrap().is(&Secret::new("old")));
        }
    }

    #[tokio::test]
    async fn a_token_is_gone_at_its_end_and_does_not_open_for_another_app() {
        let (clock, app) = (Clock::movable(), app());
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let shelf = Shelf::new(store, Arc::new(Sealer::new(&[[7; 32]])), clock.clone());
        let token = kept("token", 100, clock.now());
        let other = App { appid: AppId::parse("wxfedcba9876543210").unwrap(), ..app.clone() };
        assert!(shelf.open(&other, &shelf.seal(&app, &token)).is_none());
        let found = shelf.read(&app).await.unwrap();
        assert!(shelf.write(&app, &found, &token).await.unwrap());
        clock.advance(Duration::from_secs(101));
        assert!(shelf.read(&app).await.unwrap().kept.is_none());
    }
}
