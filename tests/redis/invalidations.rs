//! What is heard of changes, by somebody who keeps copies of sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use wxgate::clock::Clock;
use wxgate::redis::{RedisStore, Settings};
use wxgate::session::record::{Session, SessionId};
use wxgate::session::store::{Invalidations, Key, Kind, Store};

use super::Gate;
use super::chaos::{Chaos, Fault};
use super::connecting::RULES;
use super::redis_server::groups::Cluster;
use super::redis_server::{PATIENCE, Server, eventually};
use super::samples::DAY;

const AT_ONCE: Duration = Duration::from_secs(1);

async fn hears(gate: &Gate, id: &SessionId) {
    let took = eventually("it is heard of", AT_ONCE, async || gate.listener.forgot(id)).await;
    assert!(took < AT_ONCE);
}

#[tokio::test]
async fn every_change_of_a_session_is_heard_of() {
    let server = Server::start().await;
    let (gate, other) = (Gate::ready(&server.url()).await, Gate::ready(&server.url()).await);
    let session = gate.login("o1").await.unwrap();
    let (user, id) = (&session.user, &session.id);
    for change in 0..4 {
        gate.listener.clear();
        match change {
            0 => drop(super::samples::rewrite(&other.store, &session).await.unwrap()),
            1 => drop(other.store.renew(user, id, DAY).await.unwrap()),
            2 => drop(other.store.end(user, id).await.unwrap()),
            _ => {
                other.store.create(&session, DAY).await.unwrap();
                gate.listener.clear();
                drop(other.store.end_all(user).await.unwrap());
            }
        }
        hears(&gate, id).await;
        assert_eq!(gate.listener.forgot_all(), 0);
    }
}

#[tokio::test]
async fn other_values_are_no_news() {
    let server = Server::start().await;
    let gate = Gate::ready(&server.url()).await;
    let session = gate.login("o1").await.unwrap();
    // What was heard of so far is past once this was heard of.
    hears(&gate, &session.id).await;
    gate.listener.clear();
    let key = Key::new(Kind::Rate, &[b"a"]);
    gate.store.increment(&key, DAY).await.unwrap();
    gate.store.put(&key, b"a", DAY).await.unwrap();
    let ring = super::samples::stored_key(1);
    gate.store.add_session_key(&session.user, ring, DAY).await.unwrap();
    let last = gate.login("o2").await.unwrap();
    hears(&gate, &last.id).await;
    assert!(!gate.listener.forgot(&session.id));
}

#[tokio::test]
async fn a_session_that_runs_out_is_heard_of() {
    let server = Server::start().await;
    let gate = Gate::ready(&server.url()).await;
    let session = super::session(&super::user("o1"), super::now());
    gate.store.create(&session, Duration::from_millis(200)).await.unwrap();
    hears(&gate, &session.id).await;
    gate.listener.clear();
    // Redis looks for what ran out ten times a second.
    eventually("it is heard of", PATIENCE, async || gate.listener.forgot(&session.id)).await;
}

#[tokio::test]
async fn an_emptied_redis_is_heard_of() {
    let server = Server::start().await;
    let gate = Gate::ready(&server.url()).await;
    gate.listener.clear();
    server.command::<()>(&["FLUSHALL"]).await;
    eventually("all is forgotten", AT_ONCE, async || gate.listener.forgot_all() > 0).await;
    assert!(gate.is_live());
}

#[tokio::test]
async fn changes_are_heard_of_again_after_the_connection_broke() {
    let server = Server::start().await;
    let (gate, other) = (Gate::ready(&server.url()).await, Gate::ready(&server.url()).await);
    for _ in 0..10 {
        let session = gate.login("o1").await.unwrap();
        gate.listener.clear();
        // Only those who hear of changes have RESP3 tracking on.
        let clients: String = server.command(&["CLIENT", "LIST"]).await;
        for client in clients.lines().filter(|client| flags(client).contains('t')) {
            let id = client.strip_prefix("id=").unwrap().split(' ').next().unwrap();
            server.command::<()>(&["CLIENT", "KILL", "ID", id]).await;
        }
        // Whoever ends it now: either it is heard of, or everything is forgotten.
        other.store.end(&session.user, &session.id).await.unwrap();
        hears(&gate, &session.id).await;
        assert!(gate.works().await, "commands go on");
        gate.becomes_ready().await;
        let session = gate.login("o1").await.unwrap();
        hears(&gate, &session.id).await;
        gate.listener.clear();
        other.becomes_ready().await;
        other.store.end(&session.user, &session.id).await.unwrap();
        hears(&gate, &session.id).await;
    }
}

fn flags(client: &str) -> &str {
    client.split(' ').find_map(|field| field.strip_prefix("flags=")).unwrap()
}

#[tokio::test]
async fn a_session_that_ended_during_a_cut_is_not_kept() {
    let server = Server::start().await;
    let chaos = Chaos::start(server.address()).await;
    let gate = Gate::ready(&format!("redis://{}", chaos.address())).await;
    let other = Gate::ready(&server.url()).await;
    for fault in [Fault::Cut, Fault::HalfOpen, Fault::Stall] {
        let session = gate.login("o1").await.unwrap();
        hears(&gate, &session.id).await;
        gate.listener.clear();
        chaos.set(fault);
        other.store.end(&session.user, &session.id).await.unwrap();
        // A dead link is noticed as soon as an end is heard of over a good one.
        let took =
            eventually("nothing is kept", AT_ONCE, async || gate.listener.forgot(&session.id))
                .await;
        println!("{took:?} after {fault:?}");
        assert!(!gate.is_live());
        chaos.set(Fault::None);
        gate.becomes_ready().await;
        assert!(!gate.knows(&session).await.unwrap());
    }
}

#[tokio::test]
async fn who_may_not_hear_may_not_keep() {
    let server = Server::start().await;
    let mut rules = vec!["ACL", "SETUSER", "gate", "reset", "on", ">secret"];
    rules.extend(RULES);
    rules.push("-client|tracking");
    server.command::<()>(&rules).await;
    let gate = Gate::open(&format!("redis://gate:secret@{}", server.address()));
    eventually("commands work", PATIENCE, async || gate.works().await).await;
    assert!(!gate.is_live());
}

#[tokio::test]
async fn every_node_of_a_cluster_is_heard() {
    let cluster = Cluster::start(0).await;
    let (gate, other) = (Gate::ready(&cluster.url()).await, Gate::ready(&cluster.url()).await);
    for number in 0..60 {
        let session = gate.login(&format!("o{number}")).await.unwrap();
        hears(&gate, &session.id).await;
        gate.listener.clear();
        assert_eq!(
            other.store.end_all(&session.user).await.unwrap(),
            std::slice::from_ref(&session.id)
        );
        hears(&gate, &session.id).await;
    }
}

/// Copies of sessions, as a gateway keeps them.
struct Near {
    copies: Cache<SessionId, Arc<Session>>,
    live: AtomicBool,
    loads: AtomicU64,
}

impl Near {
    async fn get(&self, store: &RedisStore, session: &Session) -> bool {
        let load = async {
            self.loads.fetch_add(1, Ordering::Relaxed);
            let found = store.find(&session.user, &session.id).await.unwrap();
            found.map(|(session, _)| Arc::new(session))
        };
        if !self.live.load(Ordering::Acquire) {
            return load.await.is_some();
        }
        match self.copies.get_value_or_guard_async(&session.id).await {
            Ok(_) => true,
            Err(guard) => {
                let Some(found) = load.await else { return false };
                // It fails where the session was forgotten meanwhile.
                let _ = guard.insert(found);
                true
            }
        }
    }
}

impl Invalidations for Near {
    fn forget(&self, id: &SessionId) {
        self.copies.remove(id);
    }

    fn forget_all(&self) {
        self.copies.clear();
    }

    fn live(&self, live: bool) {
        self.live.store(live, Ordering::Release);
    }
}

/// A request races a logout on another gateway: whatever it saw, the next ones see that it ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_stays_logged_in_after_a_race() {
    const ROUNDS: u32 = 3000;
    let server = Server::start().await;
    let near = Arc::new(Near {
        copies: Cache::new(10_000),
        live: AtomicBool::new(false),
        loads: AtomicU64::new(0),
    });
    let mut settings = Settings::parse_url(&server.url()).unwrap();
    settings.timeout = PATIENCE;
    let store = Arc::new(RedisStore::connect(settings, Clock::system(), near.clone()));
    let other = Gate::ready(&server.url()).await;
    eventually("it hears", PATIENCE, async || near.live.load(Ordering::Acquire)).await;
    let mut late = Vec::new();
    let mut raced = 0;
    for round in 0..ROUNDS {
        let session = other.login("o1").await.unwrap();
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (near, store, session) = (near.clone(), store.clone(), session.clone());
                tokio::spawn(async move { near.get(&store, &session).await })
            })
            .collect();
        spin(Duration::from_micros(u64::from(round) * 7919 % 300));
        assert!(other.store.end(&session.user, &session.id).await.unwrap());
        for reader in readers {
            raced += u32::from(reader.await.unwrap());
        }
        let start = Instant::now();
        let took = eventually("it is over", AT_ONCE, async || !near.get(&store, &session).await);
        took.await;
        late.push(start.elapsed());
    }
    late.sort();
    let loads = near.loads.load(Ordering::Relaxed);
    println!(
        "{ROUNDS} races: {raced} requests still got in, {loads} loads; over after {:?}, at most {:?}",
        late[late.len() / 2],
        late[late.len() - 1],
    );
    assert!(near.live.load(Ordering::Acquire));
    assert!(raced > 100, "the requests race the end");
}

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}
