//! The store on real Redis servers: every way of connecting, every way of failing, and what is heard of
//! changes on the way.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it measured"
)]

#[path = "support/chaos.rs"]
mod chaos;
#[path = "support/listener.rs"]
mod listener;
#[path = "support/redis.rs"]
mod redis_server;
#[path = "support/samples.rs"]
mod samples;

#[path = "redis/at_rest.rs"]
mod at_rest;
#[path = "redis/connecting.rs"]
mod connecting;
#[path = "redis/failover.rs"]
mod failover;
#[path = "redis/invalidations.rs"]
mod invalidations;
#[path = "redis/meanings.rs"]
mod meanings;
#[path = "redis/old.rs"]
mod old;
#[path = "redis/outages.rs"]
mod outages;
#[path = "redis/rates.rs"]
mod rates;
#[path = "redis/warnings.rs"]
mod warnings;

use std::sync::Arc;
use std::time::{Duration, Instant};

use wxgate::clock::Clock;
use wxgate::redis::{RedisStore, Settings};
use wxgate::session::record::Session;
use wxgate::session::store::{Store, Unavailable};

use self::listener::Listener;
use self::redis_server::PATIENCE;
use self::samples::{DAY, session, user};

/// The store of one gateway, and who listens to it.
struct Gate {
    store: RedisStore,
    listener: Arc<Listener>,
}

impl Gate {
    fn open(url: &str) -> Self {
        Self::with(Settings::parse_url(url).unwrap())
    }

    fn with(settings: Settings) -> Self {
        let listener = Arc::new(Listener::default());
        let store = RedisStore::connect(settings, Clock::system(), listener.clone());
        Self { store, listener }
    }

    /// One that answers and hears of changes.
    async fn ready(url: &str) -> Self {
        let gate = Self::open(url);
        gate.becomes_ready().await;
        gate
    }

    async fn becomes_ready(&self) -> Duration {
        let start = Instant::now();
        loop {
            let answer = self.login("o-probe").await;
            if answer.is_ok() && self.is_live() {
                return start.elapsed();
            }
            assert!(start.elapsed() < PATIENCE, "live: {}; {answer:?}", self.is_live());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn is_live(&self) -> bool {
        self.listener.is_live()
    }

    async fn works(&self) -> bool {
        self.login("o-probe").await.is_ok()
    }

    async fn login(&self, openid: &str) -> Result<Session, Unavailable> {
        let session = session(&user(openid), now());
        self.store.create(&session, DAY).await.map(|()| session)
    }

    async fn knows(&self, session: &Session) -> Result<bool, Unavailable> {
        Ok(self.store.find(&session.user, &session.id).await?.is_some())
    }

    /// Waits until calls fail and say all of these words, and gives what they say.
    async fn says(&self, words: &[&str]) -> String {
        let mut said = String::new();
        let deadline = Instant::now() + PATIENCE;
        while !words.iter().all(|word| said.contains(word)) || said.is_empty() {
            assert!(Instant::now() < deadline, "{words:?} in {said:?}");
            said = match self.login("o-probe").await {
                Ok(_) => String::new(),
                Err(Unavailable(why)) => why.to_string(),
            };
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        said
    }
}

fn now() -> u64 {
    Clock::system().now()
}
