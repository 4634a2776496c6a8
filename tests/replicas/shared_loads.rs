//! Many requests of one session at one time, which ask the store as one.

use std::time::Duration;

use futures_util::future::join_all;

use crate::redis_server::Server;
use crate::support::{House, on, sessions_asked_for, token_in};

const MANY: usize = 200;

#[tokio::test]
async fn a_token_whose_session_was_ended_asks_the_store_nothing() {
    let (house, server) = (House::open().await, Server::start().await);
    let one = house.replica(on(&server.url())).await;
    let other = house.replica(on(&server.url())).await;
    let token = one.log_in(&house, "alice").await;
    assert_eq!(other.status(&token).await, 200);
    one.log_out(&token).await;
    other.turns_away(&token).await;
    let before = sessions_asked_for(&server).await;
    for replica in [&one, &other] {
        let statuses = join_all((0..MANY).map(|_| replica.status(&token))).await;
        assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
    }
    assert_eq!(sessions_asked_for(&server).await, before);
}

#[tokio::test]
async fn a_token_that_was_replaced_long_ago_asks_the_store_once() {
    let (house, server) = (House::open().await, Server::start().await);
    let one = house.replica(on(&server.url())).await;
    let other = house.replica(on(&server.url())).await;
    let old = one.log_in(&house, "alice").await;
    let token = token_in(&one.post("/refresh").token(&old).await);
    house.clock.advance(Duration::from_secs(3600));
    assert_eq!(one.status(&token).await, 200);
    let before = sessions_asked_for(&server).await;
    assert_eq!(other.status(&old).await, 401);
    assert_eq!(sessions_asked_for(&server).await, before + 1);
}
