//! Values in Redis that nobody can read: garbage, or of a version that is not known.

use crate::redis_server::Server;
use crate::support::metrics::Scrape;
use crate::support::{House, on};

const DAMAGED: &str = "wxgate_store_damaged_values_total";

#[tokio::test]
async fn a_damaged_session_is_a_401_and_counted() {
    let (house, server) = (House::open().await, Server::start().await);
    let gateway = house.replica(on(&server.url())).await;
    let token = gateway.log_in(&house, "alice").await;
    let other = gateway.log_in(&house, "bob").await;
    assert_eq!(gateway.status(&token).await, 200);
    assert_eq!(Scrape::of(gateway.admin).await.get(DAMAGED), 0.0);

    let alices: Vec<String> = server.command(&["KEYS", "wxgate:s:*"]).await;
    let session = session_in(&token);
    let key = alices.iter().find(|key| key.ends_with(&session)).expect("alice's session");
    for garbage in ["garbage", "\u{7f}of a version to come"] {
        let before = Scrape::of(gateway.admin).await.get(DAMAGED);
        server.command::<()>(&["SET", key, garbage, "EX", "100"]).await;
        gateway.turns_away(&token).await;
        let counted = Scrape::of(gateway.admin).await.get(DAMAGED) - before;
        assert!(counted >= 1.0, "{garbage}: {counted}");
    }
    assert_eq!(gateway.status(&other).await, 200);
    let again = gateway.log_in(&house, "alice").await;
    assert_eq!(gateway.status(&again).await, 200);
}

/// The name of the session that a token is for.
fn session_in(token: &str) -> String {
    let claims = crate::support::jwt::Jwt::read(token).claims;
    claims["sid"].as_str().expect("the session's name").to_owned()
}
