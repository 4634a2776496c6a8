//! All sessions of an app end on every replica, and it costs next to nothing while none does.

use std::time::Duration;

use futures_util::future::join_all;

use crate::raw::{Answer, Wire};
use crate::redis_server::{PATIENCE, Server, eventually};
use crate::support::config::Config;
use crate::support::wechat::{APPID, OTHER_APPID};
use crate::support::{House, Replica, on, token_in};
use crate::tunnels::{assert_echoes, silent};

const ADMIN: &str = "a token for the admin listener";

/// A replica that knows its store; with two apps a login names its own.
async fn replica(house: &House, config: Config) -> Replica {
    let replica = house.start(config).await;
    let path = format!("/wxLogin?appid={APPID}&code={}", "0".repeat(32));
    let is_known = async || replica.get(&path).await.status == 401;
    eventually("the store is known", PATIENCE, is_known).await;
    replica
}

/// Two apps, and an admin listener that ends sessions.
fn two_apps(server: &Server) -> Config {
    let other = format!("appid = \"{OTHER_APPID}\"\nsecret = \"${{SECRET}}\"");
    on(&server.url())
        .table("apps.other", &other)
        .key("admin", "token = \"${ADMIN}\"")
        .variable("ADMIN", ADMIN)
}

async fn log_in(house: &House, replica: &Replica, appid: &str) -> String {
    let code = match appid {
        APPID => house.wechat.code("alice"),
        _ => house.wechat.code_of_other_app("alice"),
    };
    token_in(&replica.get(&format!("/wxLogin?code={code}&appid={appid}")).await)
}

async fn end_app(replica: &Replica, appid: &str) -> Answer {
    let head = format!("DELETE /sessions?app={appid} HTTP/1.1\r\nHost: a\r\n");
    let request = format!("{head}Authorization: Bearer {ADMIN}\r\n\r\n");
    Wire::ask(replica.admin, request).await
}

#[tokio::test]
async fn all_sessions_of_an_app_end_on_every_replica_and_the_other_apps_stay() {
    let (house, server) = (House::open().await, Server::start().await);
    let replicas = join_all([0, 1, 2].map(|_| replica(&house, two_apps(&server)))).await;
    for (ended, other) in [(APPID, OTHER_APPID), (OTHER_APPID, APPID)] {
        let stays = log_in(&house, &replicas[0], other).await;
        let ends = log_in(&house, &replicas[0], ended).await;
        for replica in &replicas {
            assert_eq!((replica.status(&stays).await, replica.status(&ends).await), (200, 200));
        }
        // In another second than it began.
        house.clock.advance(Duration::from_secs(1));
        assert_eq!(end_app(&replicas[1], ended).await.status, 200);
        assert_eq!(replicas[1].status(&ends).await, 401, "where it ended it ends at once");
        for replica in &replicas {
            let is_turned_away = async || replica.status(&ends).await == 401;
            eventually("the token is turned away", PATIENCE, is_turned_away).await;
            assert_eq!(replica.status(&stays).await, 200);
        }
        house.clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn one_mark_a_second_is_read_however_many_apps_and_configurations_there_are() {
    let (house, server) = (House::open().await, Server::start().await);
    let config = two_apps(&server);
    let replica = replica(&house, config.clone()).await;
    let token = log_in(&house, &replica, APPID).await;
    // Each holds the configuration that it began with.
    let mut tunnels = Vec::new();
    for size in 1..5 {
        tunnels.push(silent(&house, &replica, &token).await);
        replica
            .reload(&config.clone().table("limits", &format!("body_size = \"{size}KiB\"")))
            .await;
    }
    let read = async || {
        let stats: String = server.command(&["INFO", "commandstats"]).await;
        let gets = stats.lines().find_map(|line| line.strip_prefix("cmdstat_get:calls="));
        gets.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0_u64)
    };
    let before = read().await;
    let seven_more = async || read().await >= before + 7;
    let took = eventually("it looks seven times", PATIENCE, seven_more).await;
    // Seven looks, of which one may have read the marks of both apps.
    assert!(took > Duration::from_secs(3), "seven reads in {took:?}");
    for mut tunnel in tunnels {
        assert_echoes(&mut tunnel).await;
    }
}
