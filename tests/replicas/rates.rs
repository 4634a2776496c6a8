//! Rates are one for all gateways on one Redis.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::redis_server::Server;
use crate::support::config::Config;
use crate::support::{House, Replica, on};

fn limited(server: &Server) -> Config {
    on(&server.url())
        .route(r#"path = "/limited", upstream = "shop", rate = { per = "openid", limit = "10/h" }"#)
}

fn counted(statuses: &[u16]) -> BTreeMap<u16, usize> {
    let mut counted = BTreeMap::new();
    for status in statuses {
        *counted.entry(*status).or_default() += 1;
    }
    counted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_together_let_through_a_users_rate() {
    let (house, server) = (House::open().await, Server::start().await);
    let replicas = [house.replica(limited(&server)).await, house.replica(limited(&server)).await];
    let token = replicas[0].log_in(&house, "alice").await;
    let ask = |replica: &Replica| {
        let request = replica.get("/limited").token(&token);
        async move { request.await.status }
    };
    let statuses = join_all((0..40).map(|number| ask(&replicas[number % 2]))).await;
    assert_eq!(counted(&statuses), BTreeMap::from([(200, 10), (429, 30)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_together_ask_wechat_at_the_rate_of_logins() {
    let (house, server) = (House::open().await, Server::start().await);
    let config = || on(&server.url()).table("limits", r#"login_rate = { per_app = "30/h" }"#);
    let replicas = [house.replica(config()).await, house.replica(config()).await];
    let before = house.wechat.exchanges().len();
    let codes: Vec<_> = (0..60).map(|number| format!("{:032}", number + 1)).collect();
    let logins = codes.iter().enumerate().map(|(number, code)| replicas[number % 2].login(code));
    let statuses: Vec<_> = join_all(logins).await.iter().map(|answer| answer.status).collect();
    // What found out that the store is known has counted too.
    assert_eq!(counted(&statuses), BTreeMap::from([(401, 30 - before), (429, 30 + before)]));
    assert_eq!(house.wechat.exchanges().len(), 30);
}

/// A limit outlives its store, on each gateway by itself, and is no error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_each_gateway_has_the_limit_to_itself() {
    let (house, mut server) = (House::open().await, Server::start().await);
    let route = r#"path = "/limited", upstream = "shop", auth = "none", rate = { per = "ip", limit = "10/h" }"#;
    let config = || on(&server.url()).route(route);
    let replicas = [house.replica(config()).await, house.replica(config()).await];
    let ask = async |replica: &Replica| replica.get("/limited").await.status;
    for _ in 0..4 {
        assert_eq!(ask(&replicas[0]).await, 200);
    }
    server.kill();
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(ask(&replicas[0]).await);
    }
    assert_eq!(counted(&statuses), BTreeMap::from([(200, 6), (429, 6)]));
    assert_eq!(ask(&replicas[1]).await, 200);
}
