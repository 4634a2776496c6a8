//! How many connections there may be.

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
