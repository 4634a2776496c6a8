//! Redis that is away, stalled, slow or mad, with requests under way (REL-04): each ends in time, nobody
//! is taken for somebody else, nobody is logged out, and it goes on soon after.

use std::time::{Duration, Instant};

use crate::chaos::{Chaos, Fault};
use crate::redis_server::{PATIENCE, Server, eventually};
use crate::support::load::{Load, Sample, counted, slowest};
use crate::support::{House, Replica, User, on_within};

/// What a call to Redis may take, several of which follow each other at most, on a busy machine.
const IN_TIME: Duration = Duration::from_secs(1);
const BACK: Duration = Duration::from_secs(2);
const LASTING: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];
const FAULTS: [Fault; 7] = [
    Fault::Stall,
    Fault::HalfOpen,
    Fault::Garbage,
    Fault::Cut,
    Fault::Refuse,
    Fault::Delay(Duration::from_secs(2)),
    Fault::Slow(10),
];

fn deny(url: &str) -> crate::support::config::Config {
    on_within(url, "250ms")
}

fn allow_signed(url: &str) -> crate::support::config::Config {
    let policy = "on_store_outage = \"allow-signed\"\noutage_grace = \"5m\"";
    on_within(url, "250ms").key("session", policy)
}

/// A login that cannot be: in time, with a hint when to try again, and never a 401.
async fn login_is_refused(house: &House, replica: &Replica) {
    let start = Instant::now();
    let answer = replica.login(&house.wechat.code("newcomer")).await;
    assert_eq!((answer.status, &*answer.code()), (503, "store_unavailable"), "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
}

/// Waits until logins fail: the fault has come through.
async fn store_is_away(house: &House, replica: &Replica) {
    eventually("the store is away", PATIENCE, async || {
        replica.login(&house.wechat.code("newcomer")).await.status == 503
    })
    .await;
}

/// Until everybody is served by every replica, and a newcomer can log in.
async fn goes_on(house: &House, replicas: &[&Replica], users: &[User]) -> Duration {
    let took = eventually("it goes on", PATIENCE, async || {
        for replica in replicas {
            if replica.login(&house.wechat.code("newcomer")).await.status != 200 {
                return false;
            }
            for user in users {
                match replica.status(&user.token).await {
                    200 => {}
                    503 => return false,
                    status => panic!("{status}: {} lost the session", user.name),
                }
            }
        }
        true
    })
    .await;
    assert!(took < BACK, "{took:?}");
    took
}

fn ended_in_time(samples: &[Sample]) {
    assert!(slowest(samples) < IN_TIME, "{:?}", slowest(samples));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_deny_nobody_is_served_while_redis_is_down_and_nobody_is_logged_out() {
    let (house, mut server) = (House::open().await, Server::with(&LASTING).await);
    let one = house.replica(deny(&server.url())).await;
    let other = house.replica(deny(&server.url())).await;
    let users = house.users(&[&one, &other], 6).await;
    goes_on(&house, &[&one, &other], &users).await;
    for _ in 0..2 {
        let load = Load::start(&[&one, &other], &users);
        server.kill();
        for replica in [&one, &other] {
            store_is_away(&house, replica).await;
            login_is_refused(&house, replica).await;
            for user in &users {
                let answer = replica.get("/api/x").token(&user.token).await;
                assert_eq!((answer.status, &*answer.code()), (503, "store_unavailable"));
                assert!(answer.header("retry-after").is_some());
            }
            for path in ["/session", "/maybe/x"] {
                assert_eq!(replica.get(path).token(&users[0].token).await.status, 503, "{path}");
            }
            // What needs no session goes on.
            assert_eq!(replica.get("/public/x").await.status, 200);
        }
        server.restart().await;
        let back = goes_on(&house, &[&one, &other], &users).await;
        let samples = load.end().await;
        println!(
            "deny: {:?}, back in {back:?}, slowest {:?}",
            counted(&samples),
            slowest(&samples)
        );
        assert!(samples.iter().all(|sample| [200, 503].contains(&sample.status)));
        ended_in_time(&samples);
    }
    house.nobody_was_mixed_up(&users);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_allow_signed_known_sessions_are_served_all_the_time() {
    let (house, mut server) = (House::open().await, Server::with(&LASTING).await);
    let one = house.replica(allow_signed(&server.url())).await;
    let other = house.replica(allow_signed(&server.url())).await;
    let users = house.users(&[&one, &other], 6).await;
    goes_on(&house, &[&one, &other], &users).await;
    for _ in 0..2 {
        let load = Load::start(&[&one, &other], &users);
        server.kill();
        for replica in [&one, &other] {
            store_is_away(&house, replica).await;
            login_is_refused(&house, replica).await;
        }
        server.restart().await;
        let back = goes_on(&house, &[&one, &other], &users).await;
        let samples = load.end().await;
        println!("allow-signed: {:?}, back in {back:?}", counted(&samples));
        assert!(samples.iter().all(|sample| sample.status == 200), "{:?}", counted(&samples));
        ended_in_time(&samples);
    }
    house.nobody_was_mixed_up(&users);
}

#[tokio::test]
async fn allow_signed_ends_with_its_grace_and_says_503() {
    let (house, mut server) = (House::open().await, Server::with(&LASTING).await);
    let replica = house.replica(allow_signed(&server.url())).await;
    let users = house.users(&[&replica], 2).await;
    goes_on(&house, &[&replica], &users).await;
    server.kill();
    store_is_away(&house, &replica).await;
    house.clock.advance(Duration::from_secs(290));
    assert_eq!(replica.status(&users[0].token).await, 200);
    house.clock.advance(Duration::from_secs(20));
    let answer = replica.get("/api/x").token(&users[0].token).await;
    assert_eq!((answer.status, &*answer.code()), (503, "store_unavailable"));
    server.restart().await;
    goes_on(&house, &[&replica], &users).await;
}

#[tokio::test]
async fn allow_signed_serves_sessions_that_a_replica_only_heard_of() {
    let (house, mut server) = (House::open().await, Server::with(&LASTING).await);
    let one = house.replica(allow_signed(&server.url())).await;
    let other = house.replica(allow_signed(&server.url())).await;
    let warm = house.users(&[&one], 1).await;
    goes_on(&house, &[&one, &other], &warm).await;
    // Logged in, and not a single request since.
    let token = one.log_in(&house, "alice").await;
    server.kill();
    for replica in [&one, &other] {
        store_is_away(&house, replica).await;
        assert_eq!(replica.status(&token).await, 200);
    }
}

#[tokio::test]
async fn a_session_that_ended_before_the_outage_stays_out() {
    let (house, mut server) = (House::open().await, Server::with(&LASTING).await);
    let one = house.replica(allow_signed(&server.url())).await;
    let other = house.replica(allow_signed(&server.url())).await;
    let users = house.users(&[&one], 1).await;
    goes_on(&house, &[&one, &other], &users).await;
    let (phone, tablet, unused) = (
        one.log_in(&house, "alice").await,
        one.log_in(&house, "alice").await,
        one.log_in(&house, "alice").await,
    );
    let bob = one.log_in(&house, "bob").await;
    for replica in [&one, &other] {
        for token in [&phone, &tablet, &bob] {
            assert_eq!(replica.status(token).await, 200);
        }
    }
    one.log_out(&bob).await;
    assert_eq!(one.post("/logout?everywhere=true").token(&phone).await.status, 204);
    for replica in [&one, &other] {
        for token in [&phone, &tablet, &bob] {
            replica.turns_away(token).await;
        }
    }
    server.kill();
    for replica in [&one, &other] {
        store_is_away(&house, replica).await;
        for token in [&phone, &tablet, &unused, &bob] {
            assert_ne!(replica.status(token).await, 200, "it was logged out");
        }
        assert_eq!(replica.status(&users[0].token).await, 200);
    }
    server.restart().await;
    goes_on(&house, &[&one, &other], &users).await;
    for replica in [&one, &other] {
        for token in [&phone, &tablet, &unused, &bob] {
            assert_eq!(replica.status(token).await, 401);
        }
    }
}

#[tokio::test]
async fn an_end_that_was_not_heard_but_found_stays_one() {
    let (house, mut server) = (House::open().await, Server::with(&LASTING).await);
    let chaos = Chaos::start(server.address()).await;
    let deaf = house.replica(allow_signed(&format!("redis://{}", chaos.address()))).await;
    let other = house.replica(allow_signed(&server.url())).await;
    let users = house.users(&[&other], 1).await;
    goes_on(&house, &[&deaf, &other], &users).await;
    let token = other.log_in(&house, "alice").await;
    assert_eq!(deaf.status(&token).await, 200);
    chaos.set(Fault::Cut);
    store_is_away(&house, &deaf).await;
    other.log_out(&token).await;
    chaos.set(Fault::None);
    goes_on(&house, &[&deaf, &other], &users).await;
    deaf.turns_away(&token).await;
    server.kill();
    store_is_away(&house, &deaf).await;
    assert_eq!(deaf.status(&token).await, 503);
    assert_eq!(deaf.status(&users[0].token).await, 200);
}

/// Each fault with requests under way: one replica behind it, and one that sees Redis plainly.
async fn plays_every_fault(policy: fn(&str) -> crate::support::config::Config, served: bool) {
    let (house, server) = (House::open().await, Server::start().await);
    let chaos = Chaos::start(server.address()).await;
    let one = house.replica(policy(&format!("redis://{}", chaos.address()))).await;
    let other = house.replica(policy(&server.url())).await;
    let users = house.users(&[&one, &other], 6).await;
    for fault in FAULTS {
        goes_on(&house, &[&one, &other], &users).await;
        let load = Load::start(&[&one], &users);
        let beside = Load::start(&[&other], &users[..2]);
        chaos.set(fault);
        store_is_away(&house, &one).await;
        let until = Instant::now() + Duration::from_millis(1500);
        while Instant::now() < until {
            login_is_refused(&house, &one).await;
        }
        chaos.set(Fault::None);
        let back = goes_on(&house, &[&one], &users).await;
        let samples = load.end().await;
        println!(
            "{fault:?}: {:?}, back in {back:?}, slowest {:?}",
            counted(&samples),
            slowest(&samples)
        );
        for Sample { user, status, sent: _, took } in &samples {
            let promised = *status == 200 || (!served && *status == 503);
            assert!(promised, "{fault:?}: user {user} got {status} after {took:?}");
        }
        ended_in_time(&samples);
        let beside = beside.end().await;
        assert!(beside.iter().all(|sample| sample.status == 200), "{fault:?}: the other replica");
    }
    house.nobody_was_mixed_up(&users);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_04_with_deny_every_fault_ends_each_request_in_time_and_logs_nobody_out() {
    plays_every_fault(deny, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_allow_signed_no_fault_is_seen_by_those_who_are_logged_in() {
    plays_every_fault(allow_signed, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_redis_holds_no_request_up() {
    let (house, server) = (House::open().await, Server::start().await);
    let denying = house.replica(deny(&server.url())).await;
    let allowing = house.replica(allow_signed(&server.url())).await;
    let users = house.users(&[&denying, &allowing], 6).await;
    goes_on(&house, &[&denying, &allowing], &users).await;
    let denied = Load::start(&[&denying], &users);
    let allowed = Load::start(&[&allowing], &users);
    server.freeze();
    for replica in [&denying, &allowing] {
        store_is_away(&house, replica).await;
        login_is_refused(&house, replica).await;
    }
    eventually("the copies are no longer believed", Duration::from_secs(4), async || {
        denying.status(&users[0].token).await == 503
    })
    .await;
    server.thaw();
    let back = goes_on(&house, &[&denying, &allowing], &users).await;
    let (denied, allowed) = (denied.end().await, allowed.end().await);
    println!("frozen: {:?} and {:?}, back in {back:?}", counted(&denied), counted(&allowed));
    assert!(denied.iter().all(|sample| [200, 503].contains(&sample.status)));
    assert!(allowed.iter().all(|sample| sample.status == 200));
    ended_in_time(&denied);
    ended_in_time(&allowed);
    house.nobody_was_mixed_up(&users);
}
