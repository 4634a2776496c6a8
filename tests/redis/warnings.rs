//! What the log says of a Redis that works, and of one that does not.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::subscriber::DefaultGuard;
use wxgate::clock::Clock;
use wxgate::redis::{RedisStore, Settings};
use wxgate::session::store::{Key, Kind, Store};

use super::Gate;
use super::listener::Listener;
use super::old::Old;
use super::redis_server::{PATIENCE, Server, eventually};

/// What is logged in this thread, where a test and all its tasks run.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    async fn says(&self, words: &str) {
        eventually(words, PATIENCE, async || self.text().contains(words)).await;
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn an_evicting_redis_and_a_clock_that_is_off_are_said_once() {
    let server =
        Server::with(&["--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"]).await;
    let (log, _guard) = Log::start();
    let clock = Clock::movable();
    clock.advance(Duration::from_secs(600));
    let settings = Settings::parse_url(&server.url()).unwrap();
    let store = RedisStore::connect(settings, clock, Arc::new(Listener::default()));
    log.says("maxmemory-policy volatile-lru logs users out").await;
    log.says("s apart").await;
    let connections = store.connections();
    server.command::<u64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    eventually("it is back", PATIENCE, async || store.connections() > connections).await;
    tokio::task::yield_now().await;
    assert_eq!(log.text().matches("volatile-lru").count(), 1, "{}", log.text());
}

#[tokio::test]
async fn a_redis_that_is_too_old_is_said_at_start_and_used() {
    let old = Old::start().await;
    let (log, _guard) = Log::start();
    let gate = Gate::open(&format!("redis://{}", old.address));
    log.says("Redis 5.0.14 is older than 6.0").await;
    log.says("Ended sessions are not heard of, so every request asks Redis").await;
    assert!(log.text().contains("too old for RESP3 (HELLO, from 6.0); upgrade it"));
    let key = Key::new(Kind::Rate, &[b"a"]);
    gate.store.put(&key, b"one", Duration::from_secs(60)).await.unwrap();
    assert_eq!(gate.store.get(&key).await.unwrap().as_deref(), Some(&b"one"[..]));
    assert!(!gate.is_live(), "nothing may be kept where changes are not heard of");
    assert_eq!(log.text().matches("older than 6.0").count(), 1, "{}", log.text());
}

#[tokio::test]
async fn a_good_redis_gives_no_warning() {
    let server = Server::with(&["--maxmemory", "100mb", "--maxmemory-policy", "noeviction"]).await;
    let (log, _guard) = Log::start();
    Gate::ready(&server.url()).await;
    assert!(!log.text().contains("WARN"), "{}", log.text());
}

#[tokio::test]
async fn an_outage_is_said_once_and_no_password_ever() {
    let mut server = Server::with_password("hunter2").await;
    let (log, _guard) = Log::start();
    let gate = Gate::ready(&format!("redis://:hunter2@{}", server.address())).await;
    server.kill();
    log.says("Redis is not available").await;
    gate.says(&["refused"]).await;
    eventually("it is tried again", PATIENCE, async || !gate.works().await).await;
    server.restart().await;
    gate.becomes_ready().await;
    log.says("Redis is available again").await;
    let wrong = Gate::open(&format!("redis://:hunter3@{}", server.address()));
    wrong.says(&["WRONGPASS"]).await;
    log.says("WRONGPASS").await;
    let text = log.text();
    assert_eq!(text.matches("refused; start Redis").count(), 1, "{text}");
    assert!(!text.contains("hunter"), "{text}");
}
