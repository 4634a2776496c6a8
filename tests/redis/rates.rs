//! Limits that gateways share, and what holds where Redis is no help.

use std::time::{Duration, Instant};

use wxgate::rate::Quota;
use wxgate::session::store::{Key, Kind, Store};

use super::Gate;
use super::connecting::RULES;
use super::redis_server::{PATIENCE, Server, eventually, free_port};
use super::samples::DAY;

fn key() -> Key {
    Key::new(Kind::Rate, &[b"a"])
}

async fn passes(gate: &Gate, quota: &Quota, times: usize) -> usize {
    let mut passed = 0;
    for _ in 0..times {
        passed += usize::from(gate.store.take(&key(), quota).await.is_ok());
    }
    passed
}

async fn scripts_run(server: &Server) -> u64 {
    let statistics: String = server.command(&["INFO", "commandstats"]).await;
    let calls = statistics.lines().filter_map(|line| line.strip_prefix("cmdstat_eval"));
    calls
        .map(|line| {
            line.split_once("calls=").unwrap().1.split(',').next().unwrap().parse::<u64>().unwrap()
        })
        .sum()
}

#[tokio::test]
async fn two_gateways_together_let_through_what_one_would() {
    let server = Server::start().await;
    let (one, other) = (Gate::ready(&server.url()).await, Gate::ready(&server.url()).await);
    let quota = Quota::new(10, DAY, 10);
    let mut passed = 0;
    for _ in 0..10 {
        passed += passes(&one, &quota, 1).await + passes(&other, &quota, 1).await;
    }
    assert_eq!(passed, 10);
}

/// By the clock of Redis, and with fractions of a microsecond: 700,000 a second for an hour's burst.
#[tokio::test]
async fn a_rate_without_whole_microseconds_is_kept() {
    let server = Server::start().await;
    let gate = Gate::ready(&server.url()).await;
    let quota = Quota::new(700_000, Duration::from_secs(1), 50);
    assert_eq!(passes(&gate, &quota, 50).await, 50);
    let key: Vec<String> = server.command(&["KEYS", "wxgate:r:*"]).await;
    assert!(key.len() <= 1, "it is gone with its burst");
}

/// A flood of what is over its limit does not reach Redis.
#[tokio::test]
async fn a_refusal_holds_without_asking_again() {
    let server = Server::start().await;
    let gate = Gate::ready(&server.url()).await;
    let quota = Quota::new(1, DAY, 2);
    assert_eq!(passes(&gate, &quota, 3).await, 2);
    let before = scripts_run(&server).await;
    assert_eq!(passes(&gate, &quota, 1000).await, 0);
    assert_eq!(scripts_run(&server).await, before);
}

/// Neither an error nor no limit at all.
#[tokio::test]
async fn without_redis_the_limit_is_this_gateways_own() {
    let gate = Gate::open(&format!("redis://127.0.0.1:{}", free_port()));
    let start = Instant::now();
    assert_eq!(passes(&gate, &Quota::new(5, DAY, 5), 20).await, 5);
    assert!(start.elapsed() < PATIENCE);
}

/// What Redis knew is not given anew by its outage.
#[tokio::test]
async fn an_outage_goes_on_from_what_was_used_up() {
    let mut server = Server::start().await;
    let (one, other) = (Gate::ready(&server.url()).await, Gate::ready(&server.url()).await);
    let quota = Quota::new(10, DAY, 10);
    assert_eq!((passes(&one, &quota, 6).await, passes(&other, &quota, 1).await), (6, 1));
    server.kill();
    eventually("Redis is away", PATIENCE, async || !other.works().await).await;
    assert_eq!(passes(&other, &quota, 20).await, 3);
}

/// A primary whose clock is behind: nobody waits longer than for a burst.
#[tokio::test]
async fn a_clock_that_was_set_back_holds_nobody_for_ever() {
    let server = Server::start().await;
    let gate = Gate::ready(&server.url()).await;
    let quota = Quota::new(10, Duration::from_secs(1), 2);
    assert_eq!(passes(&gate, &quota, 1).await, 1);
    // As if it had been written a year ahead.
    let ahead =
        "redis.call('SET', redis.call('KEYS', 'wxgate:r:*')[1], '\\1' .. struct.pack('>d', 1e15))";
    server.command::<()>(&["EVAL", ahead, "0"]).await;
    let fresh = Gate::ready(&server.url()).await;
    let exceeded = fresh.store.take(&key(), &quota).await.unwrap_err();
    assert!(exceeded.wait <= Duration::from_millis(200), "{exceeded:?}");
}

#[tokio::test]
async fn cells_run_out() {
    let server = Server::start().await;
    let gate = Gate::ready(&server.url()).await;
    assert_eq!(passes(&gate, &Quota::new(10, Duration::from_secs(1000), 10), 3).await, 3);
    let keys: Vec<String> = server.command(&["KEYS", "wxgate:r:*"]).await;
    let left: u64 = server.command(&["PTTL", &keys[0]]).await;
    assert!((1..=300_000).contains(&left), "{left}");
}

#[tokio::test]
async fn the_rules_of_the_operations_guide_are_enough() {
    let server = Server::start().await;
    let mut rules = vec!["ACL", "SETUSER", "gate", "reset", "on", ">secret"];
    rules.extend(RULES);
    server.command::<()>(&rules).await;
    let url = format!("redis://gate:secret@127.0.0.1:{}", server.address().port());
    let (one, other) = (Gate::ready(&url).await, Gate::ready(&url).await);
    let quota = Quota::new(1, DAY, 1);
    assert_eq!((passes(&one, &quota, 1).await, passes(&other, &quota, 1).await), (1, 0));
}
