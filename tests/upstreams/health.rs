//! Active health checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::server::{Server, answer, bytes};

const HEALTH: &str =
    "health = { path = \"/up?deep=1\", interval = \"50ms\", healthy = 2, unhealthy = 2 }";

/// A server whose health a test sets.
async fn server(name: &'static str) -> (Server, Arc<AtomicU16>) {
    let server = Server::start(name).await;
    let status = Arc::new(AtomicU16::new(200));
    let shared = status.clone();
    server.answers(move |seen| match seen.is_health_check() {
        true => {
            assert_eq!(seen.target(), "/up?deep=1");
            answer(shared.load(Ordering::SeqCst), "")
        }
        false => answer(200, name),
    });
    (server, status)
}

async fn only_goes_to(gateway: &Gateway, name: &str) -> bool {
    for _ in 0..6 {
        if gateway.get("/").await.text() != name {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn a_server_that_is_not_well_is_left_out_until_it_is() {
    let ((sick, status), (well, _)) = (server("sick").await, server("well").await);
    let gateway = Gateway::before(&[sick.url(), well.url()], HEALTH).await;
    status.store(500, Ordering::SeqCst);
    eventually("the sick server is left out", async || only_goes_to(&gateway, "well").await).await;
    status.store(204, Ordering::SeqCst);
    let back = async || !only_goes_to(&gateway, "well").await;
    eventually("it comes back", back).await;
    let its_share = async |of: usize| {
        let before = sick.seen().len();
        for _ in 0..of {
            gateway.get("/").await;
        }
        sick.seen().len() - before
    };
    let share = its_share(60).await;
    assert!(share < 20, "it comes back slowly, not with {share} of 60 requests");
    gateway.clock.advance(std::time::Duration::from_secs(11));
    assert_eq!(its_share(10).await, 5, "its full share");
}

#[tokio::test]
async fn with_no_server_well_all_are_used() {
    let ((one, first), (two, second)) = (server("one").await, server("two").await);
    let gateway = Gateway::before(&[one.url(), two.url()], HEALTH).await;
    first.store(500, Ordering::SeqCst);
    eventually("one is left out", async || only_goes_to(&gateway, "two").await).await;
    second.store(500, Ordering::SeqCst);
    let panic = async || !only_goes_to(&gateway, "two").await;
    eventually("both are used again", panic).await;
    assert_eq!(gateway.get("/").await.status, 200);
}

#[tokio::test]
async fn a_redirect_is_a_good_answer_and_is_not_followed() {
    let (elsewhere, _) = server("elsewhere").await;
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    let location = format!(
        "HTTP/1.1 302 Found\r\nLocation: {}/trap\r\nContent-Length: 0\r\n\r\n",
        elsewhere.url()
    );
    let checks = Arc::new(AtomicU16::new(0));
    let counted = checks.clone();
    one.answers(move |seen| match seen.is_health_check() {
        true => {
            counted.fetch_add(1, Ordering::SeqCst);
            bytes(&location)
        }
        false => answer(200, "one"),
    });
    let gateway = Gateway::before(&[one.url(), two.url()], HEALTH).await;
    let checked = async || checks.load(Ordering::SeqCst) > 5;
    eventually("health is asked", checked).await;
    assert!(!only_goes_to(&gateway, "two").await);
    assert_eq!(elsewhere.connections(), 0);
}
