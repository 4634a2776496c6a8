//! The lock of the replica that renews an app's access_token.

use std::pin::pin;
use std::time::Duration;

use crate::session::random_bytes;
use crate::session::store::{Key, Kind, Store, Unavailable};
use crate::wechat::app::App;

/// How long the lock of a replica that died stands.
const LEASE: Duration = Duration::from_secs(15);
const RENEW_LEASE: Duration = Duration::from_secs(5);

/// The lock, held. It spares WeChat calls and guards nothing by itself: an owner may be late, and what
/// it writes counts only where nobody has written since (see [`super::kept::Shelf::write`]).
pub(super) struct Lock<'a> {
    store: &'a dyn Store,
    key: Key,
    owner: [u8; 16],
}

impl<'a> Lock<'a> {
    /// Takes the lock where nobody holds it.
    pub(super) async fn take(store: &'a dyn Store, app: &App) -> Result<Option<Self>, Unavailable> {
        let key = Key::new(Kind::AccessTokenLock, &[app.appid.as_str().as_bytes()]);
        let owner = random_bytes();
        let other = store.put_if_absent(&key, &owner, LEASE).await?;
        Ok(other.is_none().then_some(Self { store, key, owner }))
    }

    /// Does the work and renews the lease meanwhile.
    pub(super) async fn hold_during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            match tokio::time::timeout(RENEW_LEASE, &mut work).await {
                Ok(done) => return done,
                // Whether the lock is lost shows when the work is written.
                Err(_) => {
                    let _ = self.store.replace(&self.key, &self.owner, &self.owner, LEASE).await;
                }
            }
        }
    }

    /// Gives the lock back, if it is still this owner's.
    pub(super) async fn release(self) {
        // Where the store does not answer, the lease ends by itself.
        let _ = self.store.remove(&self.key, &self.owner).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::secret::Secret;
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

    #[tokio::test(start_paused = true)]
    async fn the_lease_lasts_as_long_as_the_work() {
        let clock = Clock::movable();
        let (store, app) = (MemoryStore::new(clock.clone()), app());
        let lock = Lock::take(&store, &app).await.unwrap().unwrap();
        let work = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(6)).await;
                clock.advance(Duration::from_secs(6));
            }
        };
        lock.hold_during(work).await;
        assert!(Lock::take(&store, &app).await.unwrap().is_none(), "it is still held");
        lock.release().await;
        assert!(Lock::take(&store, &app).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_late_owner_does_not_take_the_lock_from_the_next_one() {
        let clock = Clock::movable();
        let (store, app) = (MemoryStore::new(clock.clone()), app());
        let late = Lock::take(&store, &app).await.unwrap().unwrap();
        clock.advance(LEASE + Duration::from_secs(1));
        let _next = Lock::take(&store, &app).await.unwrap().unwrap();
        late.hold_during(async {}).await;
        late.release().await;
        assert!(Lock::take(&store, &app).await.unwrap().is_none());
    }
}
