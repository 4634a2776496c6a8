//! Which of several servers gets a request.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;

use crate::support::gateway::Gateway;
use crate::support::server::{Server, Step, answer};

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
async fn least_requests_keeps_away_from_a_server_that_is_slow() {
    let servers = servers(&["slow", "fast"]).await;
    servers[0].answers(|_| {
        let mut steps = vec![Step::Wait(Duration::from_millis(700))];
        steps.extend(answer(200, "slow"));
        steps
    });
    let gateway = Gateway::before(&urls(&servers), "balance = \"least-requests\"").await;
    let under_way = join_all((0..4).map(|_| gateway.get("/"))).await;
    let answers = join_all((0..40).map(async |turn| {
        tokio::time::sleep(Duration::from_millis(10 * turn)).await;
        gateway.get("/").await
    }));
    let answers = answers.await;
    assert!(under_way.iter().chain(&answers).all(|answer| answer.status == 200));
    let slow = servers[0].seen().len();
    assert!(slow <= 12, "{slow} of 44 requests went to the slow server");
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
