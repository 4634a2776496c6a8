//! All sessions of an app end on every replica, and it costs next to nothing while none does.

use std::time::Duration;

use futures_util::future::join_all;

use crate::chaos::{Chaos, Fault};
use crate::raw::{Answer, Wire};
use crate::redis_server::{PATIENCE, Server, eventually};
use crate::support::config::Config;
use crate::support::jwt::Jwt;
use crate::support::wechat::{APPID, OTHER_APPID};
use crate::support::{House, Replica, on, on_within, token_in};
use crate::tunnels::{assert_echoes, ends, silent};

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
    with_two_apps(on(&server.url()))
}

fn with_two_apps(config: Config) -> Config {
    let other = format!("appid = \"{OTHER_APPID}\"\nsecret = \"${{SECRET}}\"");
    config.table("apps.other", &other).key("admin", "token = \"${ADMIN}\"").variable("ADMIN", ADMIN)
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
async fn one_value_a_second_is_read_however_many_apps_and_configurations_there_are() {
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
    assert!(took > Duration::from_secs(3), "seven reads in {took:?}");
    for mut tunnel in tunnels {
        assert_echoes(&mut tunnel).await;
    }
}

/// The link is slow, so that much could pass before the store has said a word.
#[tokio::test]
async fn a_replica_that_starts_later_lets_nobody_in_who_ended_before() {
    let (house, server) = (House::open().await, Server::start().await);
    let first = replica(&house, two_apps(&server)).await;
    let ended = log_in(&house, &first, APPID).await;
    let stays = log_in(&house, &first, OTHER_APPID).await;
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(end_app(&first, APPID).await.status, 200);
    for session in ["", "revocation = \"none\""] {
        let chaos = Chaos::start(server.address()).await;
        chaos.set(Fault::Delay(Duration::from_millis(60)));
        let url = format!("redis://{}", chaos.address());
        let slow = house.start(with_two_apps(on_within(&url, "250ms")).key("session", session));
        let slow = slow.await;
        let refuses = async || {
            let is_ready = slow.admin("/readyz").await == 200;
            match slow.status(&ended).await {
                401 => true,
                503 => {
                    assert!(!is_ready, "ready, and does not know");
                    false
                }
                status => panic!("{session}: {status}"),
            }
        };
        eventually("it refuses who has ended", PATIENCE, refuses).await;
        let lets_in = async || slow.status(&stays).await == 200;
        eventually("it lets in who has not", PATIENCE, lets_in).await;
        let is_ready = async || slow.admin("/readyz").await == 200;
        eventually("it is ready", PATIENCE, is_ready).await;
    }
}

/// A new token says when its session began, and not just when it was made.
#[tokio::test]
async fn no_refresh_outlives_the_end_of_its_app() {
    let (house, server) = (House::open().await, Server::start().await);
    for session in ["", "revocation = \"none\""] {
        let config = two_apps(&server).key("session", session);
        let one = replica(&house, config.clone()).await;
        let other = replica(&house, config).await;
        let mut refreshed = None;
        // A replica may hear of the end before the refresh comes, and refuse it.
        for _ in 0..20 {
            let token = log_in(&house, &one, APPID).await;
            assert_eq!(other.status(&token).await, 200);
            house.clock.advance(Duration::from_secs(1));
            assert_eq!(end_app(&one, APPID).await.status, 200);
            house.clock.advance(Duration::from_secs(1));
            let answer = other.post("/refresh").token(&token).await;
            if answer.status == 200 {
                refreshed = Some(token_in(&answer));
                break;
            }
            assert_eq!(answer.status, 401);
        }
        let refreshed = refreshed.expect("one of them comes before the word of the end");
        let began = Jwt::read(&refreshed).claims["auth_time"].clone();
        for replica in [&one, &other] {
            let is_turned_away = async || replica.status(&refreshed).await == 401;
            eventually("the new token is turned away", PATIENCE, is_turned_away).await;
        }
        println!("turned away: a token of a session that began at {began}");
    }
}

#[tokio::test]
async fn ends_of_apps_at_once_are_all_kept() {
    let (house, server) = (House::open().await, Server::start().await);
    let replicas = join_all([0, 1, 2].map(|_| replica(&house, two_apps(&server)))).await;
    let tokens = [
        log_in(&house, &replicas[0], APPID).await,
        log_in(&house, &replicas[0], OTHER_APPID).await,
    ];
    house.clock.advance(Duration::from_secs(1));
    let both = [APPID, OTHER_APPID];
    let ends = replicas.iter().flat_map(|it| both.map(|appid| end_app(it, appid)));
    for answer in join_all(ends).await {
        assert_eq!(answer.status, 200);
    }
    let later = replica(&house, two_apps(&server)).await;
    for token in &tokens {
        assert_eq!(later.status(token).await, 401);
    }
}

/// Sessions of before have the lifetime of before.
#[tokio::test]
async fn the_end_of_an_app_outlives_every_session_whatever_the_lifetime_is_now() {
    let (house, server) = (House::open().await, Server::start().await);
    let long = "lifetime = \"3650d\"\nidle = \"3650d\"";
    let one = replica(&house, two_apps(&server).key("session", long)).await;
    let token = log_in(&house, &one, APPID).await;
    let short = two_apps(&server).key("session", "lifetime = \"1h\"\nidle = \"1h\"");
    one.reload(&short).await;
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(end_app(&one, APPID).await.status, 200);
    let left = async |pattern: &str| {
        let keys: Vec<String> = server.command(&["KEYS", pattern]).await;
        let [key] = &keys[..] else { panic!("{keys:?}") };
        server.command::<i64>(&["PEXPIRETIME", key]).await
    };
    let (of_session, of_end) = (left("wxgate:s:*").await, left("wxgate:ae:*").await);
    assert!(of_end >= of_session, "{of_end} is before {of_session}");
    assert_eq!(replica(&house, short).await.status(&token).await, 401);
}

#[tokio::test]
async fn a_tunnel_ends_with_its_app() {
    let (house, server) = (House::open().await, Server::start().await);
    for session in ["", "revocation = \"none\""] {
        let config = two_apps(&server).key("session", session);
        let one = replica(&house, config.clone()).await;
        let other = replica(&house, config).await;
        let (ending, staying) =
            (log_in(&house, &one, APPID).await, log_in(&house, &one, OTHER_APPID).await);
        let mut ending = silent(&house, &other, &ending).await;
        let mut staying = silent(&house, &other, &staying).await;
        house.clock.advance(Duration::from_secs(1));
        assert_eq!(end_app(&one, APPID).await.status, 200);
        ends(&mut ending).await;
        assert_echoes(&mut staying).await;
        house.clock.advance(Duration::from_secs(1));
    }
}
