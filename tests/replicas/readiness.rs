//! `/readyz` and `/livez` while Redis comes and goes.

use std::time::{Duration, Instant};

use crate::chaos::{Chaos, Fault};
use crate::raw::Wire;
use crate::redis_server::{PATIENCE, Server, eventually};
use crate::support::{House, Replica, on_within};

async fn turns(replica: &Replica, ready: u16) -> Duration {
    eventually("readiness turns", PATIENCE, async || {
        assert_eq!(replica.admin("/livez").await, 200, "a process that lives is not restarted");
        replica.admin("/readyz").await == ready
    })
    .await
}

#[tokio::test]
async fn a_replica_without_redis_is_soon_not_ready_and_ready_again_and_always_alive() {
    let (house, mut server) = (House::open().await, Server::start().await);
    let replica = house.replica(on_within(&server.url(), "250ms")).await;
    turns(&replica, 200).await;
    for _ in 0..2 {
        server.kill();
        let down = turns(&replica, 503).await;
        // Two seconds of patience, and the time to notice.
        assert!(down > Duration::from_millis(1500), "no hysteresis: {down:?}");
        assert!(down < Duration::from_secs(5), "{down:?}");
        server.restart().await;
        let up = turns(&replica, 200).await;
        assert!(up > Duration::from_millis(500), "no hysteresis: {up:?}");
        assert!(up < Duration::from_secs(4), "{up:?}");
        println!("not ready after {down:?}, ready again after {up:?}");
    }
}

#[tokio::test]
async fn a_stalled_redis_is_no_ready_one_either() {
    let (house, server) = (House::open().await, Server::start().await);
    let replica = house.replica(on_within(&server.url(), "250ms")).await;
    turns(&replica, 200).await;
    server.freeze();
    let down = turns(&replica, 503).await;
    server.thaw();
    let up = turns(&replica, 200).await;
    println!("not ready {down:?} after a freeze, ready again after {up:?}");
    assert!(down < Duration::from_secs(8) && up < Duration::from_secs(4), "{down:?} {up:?}");
}

#[tokio::test]
async fn a_blink_of_the_network_turns_no_replica_away() {
    let (house, server) = (House::open().await, Server::start().await);
    let chaos = Chaos::start(server.address()).await;
    let replica = house.replica(on_within(&format!("redis://{}", chaos.address()), "250ms")).await;
    turns(&replica, 200).await;
    let until = Instant::now() + Duration::from_secs(4);
    let mut cut = false;
    let mut turn = Instant::now();
    while Instant::now() < until {
        if turn.elapsed() > Duration::from_millis(if cut { 300 } else { 700 }) {
            (cut, turn) = (!cut, Instant::now());
            chaos.set(if cut { Fault::Cut } else { Fault::None });
        }
        assert_eq!(replica.admin("/readyz").await, 200);
    }
}

#[tokio::test]
async fn a_replica_starts_without_redis_and_waits_for_it() {
    let (house, mut server) = (House::open().await, Server::start().await);
    server.kill();
    let replica = house.start(on_within(&server.url(), "250ms")).await;
    let answer = replica.login(&house.wechat.code("alice")).await;
    assert_eq!((answer.status, &*answer.code()), (503, "store_unavailable"));
    assert_eq!(replica.admin("/readyz").await, 503);
    server.restart().await;
    turns(&replica, 200).await;
    let token = replica.log_in(&house, "alice").await;
    assert_eq!(replica.status(&token).await, 200);
}

/// Whether connections are refused or nobody answers them: a link that is not set up yet is no sign of health.
#[tokio::test]
async fn a_replica_is_never_ready_before_redis_has_answered() {
    let (house, server) = (House::open().await, Server::start().await);
    for fault in [Fault::Refuse, Fault::Stall, Fault::HalfOpen] {
        let chaos = Chaos::start(server.address()).await;
        chaos.set(fault);
        let url = format!("redis://{}", chaos.address());
        let replica = house.start(on_within(&url, "250ms")).await;
        let until = Instant::now() + Duration::from_secs(3);
        let mut said = String::new();
        while Instant::now() < until {
            let request = "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n";
            let answer = Wire::ask(replica.admin, request).await;
            assert_eq!(answer.status, 503, "{fault:?}");
            for part in ["sessions", "store"] {
                assert!(answer.json()["blocked"][part].is_string(), "{fault:?} {part}: {answer:?}");
            }
            said = answer.json()["blocked"]["store"].to_string();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let why = if fault == Fault::Refuse { "refused" } else { "no answer within" };
        assert!(said.contains(why), "{fault:?}: {said}");
        chaos.set(Fault::None);
        turns(&replica, 200).await;
    }
}
