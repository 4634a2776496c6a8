//! An exchange that panics, as no exchange should.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use wxgate::clock::Clock;
use wxgate::rate::{Exceeded, Quota};
use wxgate::secret::Secret;
use wxgate::session::record::{Session, SessionId};
use wxgate::session::seal::Sealer;
use wxgate::session::store::{Key, KeyId, Store, StoredKey, Unavailable};
use wxgate::wechat::user::User;

use super::session_key::{app, exchanges};
use crate::support::wechat::Wechat;

/// Panics in the first question of an exchange, and in all others.
#[derive(Debug, Default)]
struct Panicking {
    asked: AtomicUsize,
}

#[tokio::test]
async fn a_code_whose_exchange_panicked_is_tried_again() {
    let clock = Clock::movable();
    let wechat = Wechat::start(clock.clone()).await;
    let store = Arc::<Panicking>::default();
    let exchanges = exchanges(&wechat, store.clone(), Arc::new(Sealer::new([&[7; 32]])), clock);
    for times in 1..=3 {
        assert!(
            exchanges
                .log_in(&app(), Secret::new("a-code"), Ipv4Addr::LOCALHOST.into())
                .await
                .is_err()
        );
        assert_eq!(store.asked.load(Ordering::Relaxed), times, "it is another exchange");
    }
}

#[async_trait]
impl Store for Panicking {
    async fn create(&self, _: &Session, _: Duration) -> Result<(), Unavailable> {
        panic!("nothing else is asked")
    }
    async fn find(
        &self,
        _: &User,
        _: &SessionId,
    ) -> Result<Option<(Session, Duration)>, Unavailable> {
        panic!("nothing else is asked")
    }
    async fn update(&self, _: &Session, _: &Session) -> Result<bool, Unavailable> {
        panic!("nothing else is asked")
    }
    async fn renew(&self, _: &User, _: &SessionId, _: Duration) -> Result<bool, Unavailable> {
        panic!("nothing else is asked")
    }
    async fn end(&self, _: &User, _: &SessionId) -> Result<bool, Unavailable> {
        panic!("nothing else is asked")
    }
    async fn sessions_of(&self, _: &User) -> Result<Vec<Session>, Unavailable> {
        panic!("nothing else is asked")
    }
    async fn end_all(&self, _: &User) -> Result<Vec<SessionId>, Unavailable> {
        panic!("nothing else is asked")
    }
    async fn is_known(&self, _: &User) -> Result<bool, Unavailable> {
        panic!("nothing else is asked")
    }
    async fn note_known(&self, _: &User, _: Duration) -> Result<(), Unavailable> {
        panic!("nothing else is asked")
    }
    async fn session_keys(&self, _: &User) -> Result<Vec<StoredKey>, Unavailable> {
        panic!("nothing else is asked")
    }
    async fn add_session_key(
        &self,
        _: &User,
        _: StoredKey,
        _: Duration,
    ) -> Result<bool, Unavailable> {
        panic!("nothing else is asked")
    }
    async fn remove_session_key(&self, _: &User, _: &KeyId) -> Result<(), Unavailable> {
        panic!("nothing else is asked")
    }
    async fn begin_try(&self, _: &User) -> Result<Option<Vec<StoredKey>>, Unavailable> {
        panic!("nothing else is asked")
    }
    async fn end_try(&self, _: &User, _: &[KeyId], _: bool) -> Result<(), Unavailable> {
        panic!("nothing else is asked")
    }
    async fn abandon_tries(&self, _: &User) -> Result<(), Unavailable> {
        panic!("nothing else is asked")
    }
    async fn get(&self, _: &Key) -> Result<Option<Vec<u8>>, Unavailable> {
        panic!("nothing else is asked")
    }
    async fn put(&self, _: &Key, _: &[u8], _: Duration) -> Result<(), Unavailable> {
        panic!("nothing else is asked")
    }
    async fn put_if_absent(
        &self,
        _: &Key,
        _: &[u8],
        _: Duration,
    ) -> Result<Option<Vec<u8>>, Unavailable> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        panic!("the store has a bug")
    }
    async fn replace(&self, _: &Key, _: &[u8], _: &[u8], _: Duration) -> Result<bool, Unavailable> {
        panic!("nothing else is asked")
    }
    async fn remove(&self, _: &Key, _: &[u8]) -> Result<bool, Unavailable> {
        panic!("nothing else is asked")
    }
    async fn increment(&self, _: &Key, _: Duration) -> Result<u64, Unavailable> {
        panic!("nothing else is asked")
    }
    async fn take(&self, _: &Key, _: &Quota) -> Result<(), Exceeded> {
        Ok(())
    }
}
