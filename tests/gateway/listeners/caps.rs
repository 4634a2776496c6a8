//! How many connections there may be.

use wxgate::lifecycle::reloads::Outcome;

use super::{GET, assert_ok, listening, on};
use crate::raw::Wire;
use crate::support::config::Config;
use crate::support::eventually;
use crate::support::gateway::Gateway;

/// A connection of this client, after its first request; none where it was closed.
async fn open(gateway: &Gateway, client: &str) -> Option<Wire> {
    let mut wire = Wire::connect(gateway.listener(1)).await;
    let header = format!("PROXY TCP4 {client} 192.0.2.9 1 2\r\n{GET}");
    wire.try_send(header).await.ok()?;
    assert_ok(&wire.next_answer(false).await?);
    Some(wire)
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_others_are_served() {
    let config = listening(&[on("proxy_protocol = true")])
        .key("server", "trusted_proxies = [\"127.0.0.1\"]")
        .key("limits", "connections_per_address = 2");
    let gateway = Gateway::with(config).await;
    let (one, _two) =
        (open(&gateway, "192.0.2.1").await.unwrap(), open(&gateway, "192.0.2.1").await);
    assert!(open(&gateway, "192.0.2.1").await.is_none());
    assert!(open(&gateway, "192.0.2.2").await.is_some());
    one.hang_up();
    eventually("there is room again", async || open(&gateway, "192.0.2.1").await.is_some()).await;
    // The proxy itself is not counted.
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut wire = Wire::connect(gateway.listener(0)).await;
        wire.send(GET).await;
        assert_ok(&wire.answer().await);
        held.push(wire);
    }
}

#[tokio::test]
async fn the_limit_holds_without_proxies() {
    let gateway =
        Gateway::with(Config::default().key("limits", "connections_per_address = 1")).await;
    let mut first = gateway.wire().await;
    first.send(GET).await;
    assert_ok(&first.answer().await);
    let mut second = gateway.wire().await;
    let _ = second.try_send(GET).await;
    assert!(second.is_closed().await);
    first.send(GET).await;
    assert_ok(&first.answer().await);
}

/// A new connection that was served; none where it was closed.
async fn served(gateway: &Gateway) -> Option<Wire> {
    let mut wire = gateway.wire().await;
    wire.try_send(GET).await.ok()?;
    assert_ok(&wire.next_answer(false).await?);
    Some(wire)
}

/// Connections count that come while there is a limit.
#[tokio::test]
async fn a_reload_changes_the_limit_and_who_is_not_counted() {
    let config = Config::default();
    let limited = config.clone().key("limits", "connections_per_address = 1");
    let trusting = limited.clone().key("server", "trusted_proxies = [\"127.0.0.1\"]");
    let gateway = Gateway::with(config.clone()).await;
    let _uncounted = served(&gateway).await.unwrap();
    assert!(matches!(gateway.reload(&limited).await, Outcome::Applied(_)));
    let _counted = served(&gateway).await.unwrap();
    assert!(served(&gateway).await.is_none());
    assert!(matches!(gateway.reload(&trusting).await, Outcome::Applied(_)));
    assert!(served(&gateway).await.is_some());
    assert!(matches!(gateway.reload(&limited).await, Outcome::Applied(_)));
    assert!(served(&gateway).await.is_none());
    assert!(matches!(gateway.reload(&config).await, Outcome::Applied(_)));
    assert!(served(&gateway).await.is_some());
}

/// What a trusted proxy says of the client is believed from the next request on, and no longer.
#[tokio::test]
async fn a_reload_changes_who_is_believed() {
    let config = Config::default();
    let trusting = config.clone().key("server", "trusted_proxies = [\"127.0.0.1\"]");
    let gateway = Gateway::with(config.clone()).await;
    let mut wire = gateway.wire().await;
    let mut clients = Vec::new();
    for config in [&config, &trusting, &config] {
        gateway.reload(config).await;
        wire.send("GET /public/x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n").await;
        assert_ok(&wire.answer().await);
        clients.push(gateway.upstream.last().header("x-real-ip").map(str::to_owned));
    }
    let [before, trusted, after] = clients.try_into().unwrap();
    assert_eq!((before.as_deref(), &before), (Some("127.0.0.1"), &after));
    assert_eq!(trusted.as_deref(), Some("192.0.2.7"));
}
