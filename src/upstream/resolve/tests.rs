use std::sync::Mutex;

use super::*;
use crate::clock::Clock;
use crate::upstream::pool::tests::settings;
use crate::upstream::{Lease, Protocol, UpstreamMetrics};

/// A DNS whose answer a test sets.
#[derive(Clone, Default)]
struct Zone(Arc<Mutex<Vec<u8>>>);

#[async_trait]
impl Lookup for Zone {
    async fn lookup(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let hosts = self.0.lock().unwrap().clone();
        match hosts.contains(&0) {
            true => Err(io::Error::other("the resolver is gone")),
            false => Ok(hosts.iter().map(|host| ([192, 0, 2, *host], port).into()).collect()),
        }
    }
}

impl Zone {
    fn set(&self, hosts: &[u8]) {
        *self.0.lock().unwrap() = hosts.to_vec();
    }
}

async fn upstream(zone: &Zone) -> Arc<Upstream> {
    let server = Server::Tcp { protocol: Protocol::Http, host: "shop".to_owned(), port: 80 };
    let (lookup, metrics) = (Box::new(zone.clone()), UpstreamMetrics::default());
    let clock = Clock::movable();
    Upstream::start_with(settings(vec![server]), metrics, clock, lookup, Vec::new()).await
}

fn hosts(upstream: &Upstream) -> Vec<String> {
    let address = |target: &Arc<Target>| target.address.to_string();
    let hosts = upstream.targets().iter().map(address).collect::<Vec<_>>();
    hosts.iter().map(|text| text.replace("192.0.2.", "").replace(":80", "")).collect()
}

#[tokio::test(start_paused = true)]
async fn addresses_come_and_go_with_the_name() {
    let zone = Zone::default();
    zone.set(&[2, 1, 1]);
    let upstream = upstream(&zone).await;
    assert_eq!(hosts(&upstream), ["1", "2"], "all of them, once");
    let first = upstream.targets()[0].clone();
    let under_way = Lease::new(&first);
    zone.set(&[3, 2]);
    let kept = upstream.targets()[1].clone();
    sleep(AGAIN + AT_MOST).await;
    assert_eq!(hosts(&upstream), ["2", "3"]);
    assert!(Arc::ptr_eq(&kept, &upstream.targets()[0]), "what is known of it stays known");
    assert!(upstream.targets()[1].standing.weight(upstream.clock.elapsed()) < 1.0);
    assert_eq!(first.under_way(), 1, "what is under way at an address that is gone ends there");
    drop(under_way);
}

#[tokio::test(start_paused = true)]
async fn the_last_addresses_stay_while_a_name_does_not_resolve() {
    let zone = Zone::default();
    zone.set(&[1, 2]);
    let upstream = upstream(&zone).await;
    for gone in [&[0][..], &[]] {
        zone.set(gone);
        sleep(3 * AGAIN).await;
        assert_eq!(hosts(&upstream), ["1", "2"]);
    }
    zone.set(&[4]);
    sleep(AGAIN + AT_MOST).await;
    assert_eq!(hosts(&upstream), ["4"]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_resolves_later_is_used_then() {
    let zone = Zone::default();
    let upstream = upstream(&zone).await;
    assert!(hosts(&upstream).is_empty());
    zone.set(&[1]);
    sleep(AGAIN + AT_MOST).await;
    assert_eq!(hosts(&upstream), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_connected_to_makes_its_name_be_asked_at_once() {
    let zone = Zone::default();
    zone.set(&[1]);
    let upstream = upstream(&zone).await;
    zone.set(&[2]);
    sleep(AT_MOST * 2).await;
    assert_eq!(hosts(&upstream), ["1"]);
    upstream.resolve_now.notify_one();
    sleep(AT_MOST).await;
    assert_eq!(hosts(&upstream), ["2"]);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_nobody_has_ends() {
    let zone = Zone::default();
    zone.set(&[1]);
    let weak = Arc::downgrade(&upstream(&zone).await);
    sleep(AT_MOST * 3).await;
    assert!(weak.upgrade().is_none());
}
