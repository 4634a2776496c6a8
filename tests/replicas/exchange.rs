//! One code, one exchange, whatever replica it is brought to (WX-03).

use std::time::Duration;

use futures_util::future::join_all;
use wxgate::simulator::{Effect, Fault};

use crate::redis_server::Server;
use crate::support::{House, Replica, on, token_in};

fn slow() -> Fault {
    Fault::new("jscode2session", Effect::Nothing).delay(Duration::from_millis(300))
}

#[tokio::test]
async fn wx_03_fifty_identical_codes_over_two_replicas_make_one_call_and_one_answer() {
    let (house, server) = (House::open().await, Server::start().await);
    let one = house.replica(on(&server.url())).await;
    let other = house.replica(on(&server.url())).await;
    house.wechat.plays_fault(slow());
    let code = house.wechat.code("alice");
    let both = [&one, &other];
    let answers = join_all((0..50).map(|number| both[number % 2].login(&code))).await;
    let tokens: Vec<_> = answers.iter().map(token_in).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(house.wechat.asked_about(&code), 1);
    assert_eq!(other.status(&tokens[0]).await, 200);
}

#[tokio::test]
async fn fifty_identical_codes_over_two_replicas_share_one_refusal() {
    let (house, server) = (House::open().await, Server::start().await);
    let one = house.replica(on(&server.url())).await;
    let other = house.replica(on(&server.url())).await;
    let blocked = Fault::new("jscode2session", Effect::Errcode(40226, None));
    house.wechat.plays_fault(blocked.delay(Duration::from_millis(300)));
    let code = house.wechat.code("alice");
    let both = [&one, &other];
    let answers = join_all((0..50).map(|number| both[number % 2].login(&code))).await;
    assert!(answers.iter().all(|answer| answer.code() == "user_blocked"));
    assert_eq!(house.wechat.asked_about(&code), 1);
}

#[tokio::test]
async fn a_code_repeated_on_the_other_replica_gets_the_same_answer() {
    let (house, server) = (House::open().await, Server::start().await);
    let one = house.replica(on(&server.url())).await;
    let other = house.replica(on(&server.url())).await;
    let code = house.wechat.code("alice");
    let first = one.login(&code).await.json();
    for replica in [&other, &one, &other] {
        let again = replica.login(&code).await.json();
        assert_eq!((&again["token"], &again["openid"]), (&first["token"], &first["openid"]));
    }
    assert_eq!(house.wechat.asked_about(&code), 1);
    // After a logout the answer would be a dead token: it is not given again.
    other.log_out(first["token"].as_str().unwrap()).await;
    let answer = one.login(&code).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "login_code_used"));
    assert_eq!(house.wechat.asked_about(&code), 1);
}

/// The replica dies with its runtime, all of its tasks at once, as a process does that is killed.
#[test]
fn a_replica_that_dies_in_the_exchange_leaves_no_second_one() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let dying = runtime().unwrap();
    runtime().unwrap().block_on(async move {
        let (house, server) = (House::open().await, Server::start().await);
        let config = on(&server.url()).key("wechat", "timeout = \"500ms\"");
        let (wechat, upstream) = (house.wechat.url(), house.upstream.url());
        let build = Replica::build(config.clone(), wechat, upstream, house.clock.clone());
        let one = dying.spawn(build).await.unwrap();
        one.knows_its_store().await;
        let other = house.replica(config).await;
        house.wechat.plays_fault(slow());
        let code = house.wechat.code("alice");
        let asked = house.wechat.until_asked_about(&code);
        let request = one.get(&format!("/wxLogin?code={code}"));
        let asking = tokio::spawn(async move { drop(request.0.send().await) });
        asked.await;
        dying.shutdown_background();
        // The code was taken, and nobody will ever know by whom: the others do not ask again.
        let answers = join_all((0..5).map(|_| other.login(&code))).await;
        for answer in answers {
            assert_eq!((answer.status, &*answer.code()), (503, "wechat_unavailable"), "{answer:?}");
        }
        assert_eq!(house.wechat.asked_about(&code), 1);
        asking.await.unwrap();
        // The user logs in with another code.
        house.wechat.recovers();
        let token = other.log_in(&house, "alice").await;
        assert_eq!(other.status(&token).await, 200);
    });
}
