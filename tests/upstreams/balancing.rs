//! Which of several servers gets a request.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::join_all;
use reqwest::Method;
use tokio::task::JoinSet;

use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::server::{Gate, Seen, Server, Step, answer};

async fn servers(names: &[&str]) -> Vec<Server> {
    join_all(names.iter().map(|name| Server::start(name))).await
}

fn urls(servers: &[Server]) -> Vec<String> {
    servers.iter().map(Server::url).collect()
}

#[tokio::test]
async fn round_robin_gives_each_server_the_same() {
    let servers = servers(&["a", "b", "c"]).await;
    let gateway = Gateway::before(&urls(&servers), "").await;
    for _ in 0..30 {
        gateway.get("/").await;
    }
    let counts: Vec<_> = servers.iter().map(|server| server.seen().len()).collect();
    assert_eq!(counts, [10, 10, 10]);
}

#[tokio::test]
async fn least_requests_keeps_away_from_a_server_that_is_busy() {
    let servers = servers(&["busy", "free"]).await;
    let gate = Gate::closed();
    let opened = gate.clone();
    let wait = |step: Step, name: &'static str| {
        move |seen: &Seen| match seen.target() {
            "/waits" => [vec![step.clone()], answer(200, name)].concat(),
            _ => answer(200, name),
        }
    };
    servers[0].answers(wait(Step::Hang, "busy"));
    servers[1].answers(wait(Step::Await(opened), "free"));
    let gateway = Gateway::before(&urls(&servers), "balance = \"least-requests\"").await;
    let gateway = Arc::new(gateway);
    let mut waiting = JoinSet::new();
    for _ in 0..10 {
        let gateway = gateway.clone();
        waiting.spawn(async move { gateway.get("/waits").await });
    }
    let all_wait = async || servers.iter().map(|server| server.seen().len()).sum::<usize>() == 10;
    eventually("ten requests wait", all_wait).await;
    gate.open();
    for _ in 0..servers[1].seen().len() {
        waiting.join_next().await.unwrap().unwrap();
    }
    for _ in 0..40 {
        gateway.get("/").await;
    }
    let at_busy = servers[0].seen().iter().filter(|seen| seen.target() == "/").count();
    assert!(at_busy <= 4, "{at_busy} of 40 requests went to the busy server");
}

#[tokio::test]
async fn hash_openid_keeps_a_user_at_one_server() {
    let servers = servers(&["a", "b", "c", "d"]).await;
    let gateway = Gateway::before(&urls(&servers), "balance = \"hash:openid\"").await;
    let mut places: HashMap<usize, String> = HashMap::new();
    for user in 0..12 {
        let token = format!("Bearer {}", gateway.log_in(&format!("user{user}")).await);
        for _ in 0..3 {
            let headers = [("authorization", token.as_str())];
            let answer = gateway.ask(Method::GET, "/", &headers).await;
            let place = places.entry(user).or_insert_with(|| answer.text().to_owned());
            assert_eq!(answer.text(), place, "user {user} was moved");
        }
    }
    let used: HashSet<_> = places.into_values().collect();
    assert!(used.len() > 1, "all users are at one server");
}

#[tokio::test]
async fn hash_openid_takes_the_address_of_who_is_nobody() {
    let servers = servers(&["a", "b", "c"]).await;
    let gateway = Gateway::before(&urls(&servers), "balance = \"hash:openid\"").await;
    let first = gateway.get("/").await.text().to_owned();
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.text(), first);
    }
}
