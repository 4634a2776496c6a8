//! Another configuration while Redis is there, or not.

use crate::redis_server::{PATIENCE, Server, eventually};
use crate::support::jwt::{KEY, OTHER_KEY};
use crate::support::{ENCRYPTION_KEY, House, OTHER_ENCRYPTION_KEY, on, on_within};

const SIGNED: &str = "on_store_outage = \"allow-signed\"\noutage_grace = \"5m\"";
const LASTING: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

#[tokio::test]
async fn a_reload_while_redis_is_away_logs_nobody_out_and_nobody_in() {
    let (house, mut server) = (House::open().await, Server::with(&LASTING).await);
    let config = on_within(&server.url(), "250ms").key("session", SIGNED);
    let replica = house.replica(config.clone()).await;
    let users = house.users(&[&replica], 3).await;
    let gone = replica.log_in(&house, "gone").await;
    replica.log_out(&gone).await;
    for user in &users {
        assert_eq!(replica.status(&user.token).await, 200);
    }
    server.kill();
    eventually("the store is away", PATIENCE, async || {
        replica.login(&house.wechat.code("newcomer")).await.status == 503
    })
    .await;
    // New keys in front, and another limit.
    let next = config
        .table("store", &format!("url = \"{}\"\ntimeout = \"250ms\"", server.url()))
        .encryption_keys(&[OTHER_ENCRYPTION_KEY, ENCRYPTION_KEY])
        .table("session", SIGNED)
        .signing_keys(&[OTHER_KEY, KEY])
        .table("limits", "body_size = \"1KiB\"");
    assert!(replica.reload(&next).await.contains("the signing keys changed"));
    for user in &users {
        assert_eq!(replica.status(&user.token).await, 200, "{}", user.name);
    }
    assert_ne!(replica.status(&gone).await, 200, "who was logged out stays out");
    server.restart().await;
    eventually("a newcomer logs in", PATIENCE, async || {
        replica.login(&house.wechat.code("newcomer")).await.status == 200
    })
    .await;
    for user in &users {
        assert_eq!(replica.status(&user.token).await, 200, "{}", user.name);
    }
    assert_eq!(replica.status(&gone).await, 401);
}

#[tokio::test]
async fn a_logout_elsewhere_is_heard_of_after_a_reload() {
    let (house, server) = (House::open().await, Server::start().await);
    let (one, other) =
        (house.replica(on(&server.url())).await, house.replica(on(&server.url())).await);
    let users = house.users(&[&one, &other], 4).await;
    one.reload(&on(&server.url()).table("limits", "body_size = \"1KiB\"")).await;
    for user in &users {
        assert_eq!(one.status(&user.token).await, 200);
        other.log_out(&user.token).await;
        one.turns_away(&user.token).await;
    }
}
