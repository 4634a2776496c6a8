//! Tries of a session key that come at once, on several replicas: never more than may fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use wxgate::clock::Clock;
use wxgate::redis::{RedisStore, Settings};
use wxgate::session::key_ring::KeyRings;
use wxgate::session::memory::MemoryStore;
use wxgate::session::record::SessionId;
use wxgate::session::seal::Sealer;
use wxgate::session::store::{FAILURES, Invalidations, Store};
use wxgate::simulator::{Overrides, Payload};
use wxgate::wechat::app::AppId;
use wxgate::wechat::session_key::SessionKey;
use wxgate::wechat::user::{OpenId, User};

use crate::redis_server::{PATIENCE, Server};
use crate::support::wechat::APPID;
use crate::support::{House, forged, on, open};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Somebody who keeps no copies.
struct Nobody;

impl Invalidations for Nobody {
    fn forget(&self, _: &SessionId) {}
    fn forget_all(&self) {}
    fn live(&self, _: bool) {}
}

/// The rings of two replicas on one Redis, and those of one that is alone.
struct Subject {
    replicas: Vec<Arc<KeyRings>>,
    store: Arc<dyn Store>,
}

impl Subject {
    fn redis(server: &Server) -> Self {
        let store = || -> Arc<dyn Store> {
            let mut settings = Settings::parse_url(&server.url()).unwrap();
            settings.timeout = PATIENCE;
            Arc::new(RedisStore::connect(settings, Clock::system(), Arc::new(Nobody)))
        };
        Self::of(&[store(), store()])
    }

    fn memory() -> Self {
        Self::of(&[Arc::new(MemoryStore::new(Clock::system()))])
    }

    fn of(stores: &[Arc<dyn Store>]) -> Self {
        let sealer = Arc::new(Sealer::new(&[[7; 32]]));
        let rings = |store: &Arc<dyn Store>| {
            Arc::new(KeyRings::new(store.clone(), sealer.clone(), Clock::system()))
        };
        Self { replicas: stores.iter().map(rings).collect(), store: stores[0].clone() }
    }
}

fn user() -> User {
    let openid = OpenId::parse("oABCDEFGHIJKLMNOPQRSTUVWXYZ0").unwrap();
    User { appid: AppId::parse(APPID).unwrap(), openid }
}

fn key(letter: char) -> SessionKey {
    SessionKey::parse(&format!("{}==", letter.to_string().repeat(22))).unwrap()
}

/// Tries at once that all fail or all succeed; how many of them had a key, and how many succeeded.
async fn burst(subject: &Subject, size: usize, succeed: bool) -> (usize, usize) {
    let tried = Arc::<AtomicUsize>::default();
    let tries = (0..size).map(|number| {
        let (rings, tried) =
            (subject.replicas[number % subject.replicas.len()].clone(), tried.clone());
        tokio::spawn(async move {
            let attempt = move |keys: &[SessionKey]| {
                tried.fetch_add(usize::from(!keys.is_empty()), Ordering::Relaxed);
                (succeed && !keys.is_empty()).then_some(())
            };
            rings.attempt(&user(), attempt).await.unwrap().found.is_some()
        })
    });
    let found = join_all(tries).await.into_iter().filter(|found| *found.as_ref().unwrap()).count();
    (tried.load(Ordering::Relaxed), found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_over_two_replicas_tries_a_key_five_times() {
    let server = Server::start().await;
    for subject in [Subject::redis(&server), Subject::memory()] {
        assert!(subject.replicas[0].add(&user(), &key('B')).await.unwrap());
        // Those that succeed wait for each other, and count for nothing.
        assert_eq!(burst(&subject, 60, true).await, (60, 60));
        assert_eq!(burst(&subject, 100, false).await, (usize::from(FAILURES), 0));
        assert_eq!(burst(&subject, 20, true).await, (0, 0), "it is burnt");
        assert!(!subject.replicas[0].add(&user(), &key('B')).await.unwrap());
        assert!(subject.replicas[0].add(&user(), &key('C')).await.unwrap());
        assert_eq!(burst(&subject, 20, true).await, (20, 20));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tries_of_a_replica_that_died_hold_nobody_up_for_long() {
    let server = Server::start().await;
    let subject = Subject::redis(&server);
    assert!(subject.replicas[0].add(&user(), &key('B')).await.unwrap());
    for _ in 0..FAILURES {
        assert!(subject.store.begin_try(&user()).await.unwrap().is_some());
    }
    let start = Instant::now();
    assert_eq!(burst(&subject, 2, true).await, (0, 0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    // From then on it is as good as burnt, and the next key is tried alone.
    let start = Instant::now();
    assert!(subject.replicas[1].add(&user(), &key('C')).await.unwrap());
    assert_eq!(burst(&subject, 2, true).await, (2, 2));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_key_is_not_tried_after_30_days_though_its_user_is_known_for_longer() {
    let clock = Clock::movable();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
    let sealer = Arc::new(Sealer::new(&[[7; 32]]));
    let rings = Arc::new(KeyRings::new(store.clone(), sealer, clock.clone()));
    assert!(rings.add(&user(), &key('B')).await.unwrap());
    store.note_known(&user(), 60 * DAY).await.unwrap();
    clock.advance(29 * DAY);
    assert!(rings.add(&user(), &key('C')).await.unwrap());
    for (days, expected) in [(0, 2), (2, 1), (29, 0)] {
        clock.advance(days * DAY);
        let tried = rings.attempt(&user(), |keys| Some(keys.len())).await.unwrap();
        assert_eq!(tried.found, Some(expected), "{days}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_forged_data_burns_the_key_and_one_of_good_data_does_not() {
    let (house, server) = (House::open().await, Server::start().await);
    let replicas = [house.replica(on(&server.url())).await, house.replica(on(&server.url())).await];
    let token = replicas[0].log_in(&house, "alice").await;
    let sealed =
        || house.wechat.world().encrypt(APPID, "alice", &Payload::Phone, &Overrides::default());
    let good: Vec<_> = (0..40).map(|_| sealed().unwrap()).collect();
    let both = |number: usize| &replicas[number % 2];
    let answers = good.iter().enumerate().map(|(number, data)| open(both(number), &token, data));
    assert!(join_all(answers).await.iter().all(|answer| answer.status == 200));
    let forged: Vec<_> = (0..60).map(forged).collect();
    let answers = forged.iter().enumerate().map(|(number, data)| open(both(number), &token, data));
    let answers = join_all(answers).await;
    assert!(answers.iter().all(|answer| answer.status == 409));
    assert_eq!(open(&replicas[1], &token, &sealed().unwrap()).await.status, 409, "it is burnt");
    assert_eq!(replicas[1].status(&token).await, 200, "the session goes on");
}
