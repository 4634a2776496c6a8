use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::oneshot::error::TryRecvError;

use super::*;
use crate::upstream::standing::Standing;
use crate::upstream::{Address, Eject, Health, Protocol, Server, Tls};

const SECOND: Duration = Duration::from_secs(1);

pub(in crate::upstream) fn settings(servers: Vec<Server>) -> Settings {
    Settings {
        name: "shop".to_owned(),
        servers,
        tls: Tls::default(),
        http2: false,
        balance: Balance::RoundRobin,
        connect_timeout: SECOND,
        timeout: SECOND,
        keepalive: 1,
        retries: 1,
        health: None,
        eject: Eject { failures: 3, duration: 30 * SECOND },
        preserve_host: true,
        pass_headers: Vec::new(),
    }
}

fn server(number: usize) -> Server {
    // Documentation addresses (RFC 5737): nothing is connected to.
    Server::Tcp { protocol: Protocol::Http, host: format!("192.0.2.{number}"), port: 80 }
}

pub(in crate::upstream) fn targets(count: usize) -> Vec<Arc<Target>> {
    targets_with((0..count).map(|_| Standing::new(None)))
}

pub(in crate::upstream) fn targets_with(
    standings: impl IntoIterator<Item = Standing>,
) -> Vec<Arc<Target>> {
    let target = |(number, standing)| {
        let address = SocketAddr::from(([192, 0, 2, number], 80));
        let server = server(number.into());
        let settings = settings(Vec::new());
        Target::new(&server, Address::Tcp(address), &settings, standing).map(Arc::new)
    };
    (1..).zip(standings).filter_map(target).collect()
}

async fn upstream(servers: usize, clock: &Clock) -> Arc<Upstream> {
    let settings = settings((1..=servers).map(server).collect());
    Upstream::start(settings, UpstreamMetrics::default(), clock.clone()).await
}

fn fail(upstream: &Arc<Upstream>, target: &Arc<Target>, outcome: Outcome, times: usize) {
    (0..times).for_each(|_| upstream.report(target, outcome));
}

/// The targets that get requests now.
fn in_use(upstream: &Upstream) -> Vec<Arc<Target>> {
    let mut used: Vec<Arc<Target>> = Vec::new();
    for _ in 0..200 {
        let Ok(lease) = upstream.pick(|| 0, None) else { break };
        if !used.iter().any(|known| Arc::ptr_eq(known, &lease)) {
            used.push(Arc::clone(&lease));
        }
    }
    used
}

#[tokio::test]
async fn who_fails_again_and_again_is_left_out_and_comes_back() {
    let clock = Clock::movable();
    let upstream = upstream(3, &clock).await;
    let bad = upstream.targets()[0].clone();
    fail(&upstream, &bad, Outcome::ServerError, 2);
    upstream.report(&bad, Outcome::Answered);
    fail(&upstream, &bad, Outcome::TimedOut, 2);
    assert_eq!(in_use(&upstream).len(), 3, "only failures in a row count");
    upstream.report(&bad, Outcome::Broken);
    assert_eq!(in_use(&upstream).len(), 2);
    clock.advance(29 * SECOND);
    assert_eq!(in_use(&upstream).len(), 2);
    clock.advance(2 * SECOND);
    assert_eq!(in_use(&upstream).len(), 3);
    upstream.report(&bad, Outcome::ServerError);
    assert_eq!(in_use(&upstream).len(), 2, "it has to prove itself");
    clock.advance(31 * SECOND);
    assert_eq!(in_use(&upstream).len(), 2, "this time for longer");
    clock.advance(30 * SECOND);
    assert_eq!(in_use(&upstream).len(), 3);
}

#[tokio::test]
async fn never_more_than_half_are_left_out() {
    for (servers, left) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)] {
        let upstream = upstream(servers, &Clock::movable()).await;
        for target in upstream.targets().iter() {
            fail(&upstream, target, Outcome::ServerError, 10);
        }
        assert_eq!(in_use(&upstream).len(), left, "of {servers}");
    }
}

#[tokio::test]
async fn with_none_left_all_are_used() {
    let upstream = upstream(3, &Clock::movable()).await;
    upstream.targets().iter().for_each(|target| assert!(target.standing.set_well(false, 1)));
    assert_eq!(in_use(&upstream).len(), 3);
}

#[tokio::test]
async fn nobody_waits_for_servers_that_cannot_be_connected_to() {
    let upstream = upstream(2, &Clock::movable()).await;
    let targets = upstream.targets();
    fail(&upstream, &targets[0], Outcome::NotConnected, 3);
    assert_eq!(in_use(&upstream).len(), 1);
    fail(&upstream, &targets[1], Outcome::NotConnected, 3);
    assert_eq!(upstream.pick(|| 0, None).unwrap_err(), Unavailable::NobodyConnects);
    targets[0].standing.open(1, 3);
    assert_eq!(in_use(&upstream).len(), 1);
    upstream.report(&targets[0], Outcome::NotConnected);
    assert!(upstream.pick(|| 0, None).is_err(), "one more refusal is enough");
}

#[tokio::test]
async fn another_try_goes_to_another_server_where_there_is_one() {
    let two = upstream(2, &Clock::movable()).await;
    let one = upstream(1, &Clock::movable()).await;
    for _ in 0..50 {
        let first = two.pick(|| 0, None).unwrap();
        let second = two.pick(|| 0, Some(&first)).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        let only = one.pick(|| 0, None).unwrap();
        assert!(one.pick(|| 0, Some(&only)).is_ok());
    }
}

#[tokio::test]
async fn a_drained_server_gets_nothing_until_it_is_undrained() {
    let upstream = upstream(2, &Clock::movable()).await;
    assert!(upstream.set_drained("192.0.2.1:80", true));
    assert!(!upstream.set_drained("192.0.2.9:80", true), "there is none");
    assert_eq!(in_use(&upstream).len(), 1);
    assert!(upstream.set_drained("192.0.2.2:80", true));
    assert_eq!(upstream.pick(|| 0, None).unwrap_err(), Unavailable::Drained);
    assert!(upstream.set_drained("192.0.2.1:80", false));
    assert_eq!(in_use(&upstream).len(), 1);
}

#[tokio::test]
async fn ejection_can_be_turned_off() {
    let mut settings = settings(vec![server(1), server(2)]);
    settings.eject.failures = 0;
    let upstream = Upstream::start(settings, UpstreamMetrics::default(), Clock::movable()).await;
    let target = upstream.targets()[0].clone();
    fail(&upstream, &target, Outcome::ServerError, 100);
    fail(&upstream, &target, Outcome::NotConnected, 100);
    assert_eq!(in_use(&upstream).len(), 2);
}

#[tokio::test]
async fn a_server_that_is_down_stays_down_over_a_reload() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let before = upstream(2, &Clock::movable()).await;
    fail(&before, &before.targets()[0], Outcome::NotConnected, 3);
    let settings = Settings { timeout: 2 * SECOND, ..before.settings.clone() };
    let after = before.after_reload(settings).await;
    drop(before);
    assert_eq!(in_use(&after).len(), 1);
    assert_eq!(after.settings.timeout, 2 * SECOND);
    let checked = Health { path: "/".to_owned(), interval: SECOND, healthy: 1, unhealthy: 1 };
    let settings = Settings { health: Some(checked), ..after.settings.clone() };
    let anew = after.after_reload(settings).await;
    assert_eq!(in_use(&anew).len(), 2, "who is checked in another way is looked at anew");
}

#[tokio::test]
async fn what_goes_on_beside_the_requests_ends_with_the_upstream() {
    let upstream = upstream(1, &Clock::movable()).await;
    let (held, mut gone) = tokio::sync::oneshot::channel::<()>();
    upstream.spawn(async move {
        let _held = held;
        std::future::pending().await
    });
    tokio::task::yield_now().await;
    assert!(gone.try_recv().is_err_and(|error| error == TryRecvError::Empty));
    drop(upstream);
    assert!(gone.await.is_err());
}
