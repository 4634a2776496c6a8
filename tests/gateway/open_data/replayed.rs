//! The same data again: once for one session (WX-06).

use wxgate::simulator::Payload;

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::open_data::assert_stale;
use crate::support::seconds;

#[tokio::test]
async fn the_same_data_again_is_the_same_answer_for_the_same_session() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    for (path, payload) in [("/phone", Payload::Phone), ("/openData", Payload::UserInfo)] {
        let data = gateway.wechat.sealed("alice", &payload);
        let first = gateway.send_sealed(path, &token, &data).await;
        assert_eq!(first.status, 200);
        for wait in [0, 1, 300] {
            gateway.clock.advance(seconds(wait));
            let again = gateway.send_sealed(path, &token, &data).await;
            assert_eq!((again.status, again.text()), (200, first.text()));
        }
    }
}

#[tokio::test]
async fn wx_06_the_same_data_from_another_session_of_the_user_or_of_another_is_refused() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let second = gateway.log_in("alice").await;
    let bob = gateway.log_in("bob").await;
    for path in ["/phone", "/openData"] {
        let data = gateway.wechat.sealed("alice", &Payload::Phone);
        assert_eq!(gateway.send_sealed(path, &token, &data).await.status, 200);
        assert_stale(&gateway.send_sealed(path, &second, &data).await, "her other session");
        assert_stale(&gateway.send_sealed(path, &bob, &data).await, "another user");
        assert_eq!(gateway.send_sealed(path, &token, &data).await.status, 200);
    }
}

#[tokio::test]
async fn a_refreshed_token_is_the_same_session() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let data = gateway.wechat.sealed("alice", &Payload::Phone);
    let first = gateway.send_sealed("/phone", &token, &data).await;
    let refreshed = gateway.post("/refresh").token(&token).await.json();
    let again = gateway.send_sealed("/phone", refreshed["token"].as_str().unwrap(), &data).await;
    assert_eq!((again.status, again.text()), (200, first.text()));
}

#[tokio::test]
async fn of_many_sessions_that_send_the_same_data_at_once_one_gets_it() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let mut tokens = Vec::new();
    for _ in 0..8 {
        tokens.push(gateway.log_in("alice").await);
    }
    let data = gateway.wechat.sealed("alice", &Payload::Phone);
    let sent = tokens.iter().map(|token| gateway.send_sealed("/phone", token, &data));
    let answers = futures_util::future::join_all(sent).await;
    let opened = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(opened, 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_stale(answer, "too late");
    }
}

#[tokio::test]
async fn a_replay_does_not_count_as_a_failure_of_the_key() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let second = gateway.log_in("alice").await;
    let data = gateway.wechat.sealed("alice", &Payload::Phone);
    assert_eq!(gateway.send_sealed("/phone", &token, &data).await.status, 200);
    for _ in 0..10 {
        assert_stale(&gateway.send_sealed("/phone", &second, &data).await, "a replay");
    }
    gateway.assert_opens(&second, "alice").await;
}
