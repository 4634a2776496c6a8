//! The session keys of a user: which of them open, and for how long.

use serde_json::Value;
use wxgate::simulator::{Effect, Fault, KeyChoice, OpenData, Overrides, Payload};

use crate::raw::Answer;
use crate::support::config::Config;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::open_data::assert_stale;
use crate::support::seconds;

const CHECK: &str = "checksession";
const RESET: &str = "resetusersessionkey";

fn previous() -> Overrides {
    Overrides { key: KeyChoice::Previous, ..Overrides::default() }
}

/// Data that does not open with any key.
fn junk(gateway: &Gateway) -> OpenData {
    let data = gateway.wechat.sealed("alice", &Payload::Phone);
    OpenData { iv: "AAAAAAAAAAAAAAAAAAAAAA==".to_owned(), ..data }
}

async fn fail(gateway: &Gateway, token: &str, times: usize) {
    for number in 0..times {
        let answer = gateway.send_sealed("/phone", token, &junk(gateway)).await;
        assert_stale(&answer, &format!("failure {number}"));
    }
}

async fn send_phone(gateway: &Gateway, token: &str) -> Answer {
    let data = gateway.wechat.sealed("alice", &Payload::Phone);
    gateway.send_sealed("/phone", token, &data).await
}

#[tokio::test]
async fn wx_login_inside_of_the_callback_succeeds_for_a_returning_user() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    gateway.log_in("alice").await;
    let token = gateway.log_in_with_new_key("alice").await;
    let data = gateway.wechat.sealed_but("alice", &Payload::Phone, &previous());
    let answer = gateway.send_sealed("/phone", &token, &data).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    gateway.assert_opens(&token, "alice").await;
    assert_eq!(gateway.wechat.calls(CHECK).len(), 0, "nothing failed");
}

#[tokio::test]
async fn wx_login_inside_of_the_callback_is_stale_for_a_new_user_and_the_next_try_succeeds() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    // wx.login of long ago, whose code never came here.
    gateway.wechat.code("alice");
    let token = gateway.log_in_with_new_key("alice").await;
    let data = gateway.wechat.sealed_but("alice", &Payload::Phone, &previous());
    assert_stale(&gateway.send_sealed("/phone", &token, &data).await, "a key never seen");
    gateway.assert_opens(&token, "alice").await;
}

#[tokio::test]
async fn another_login_ends_neither_the_other_sessions_nor_their_data() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let phone = gateway.log_in("alice").await;
    let tablet = gateway.log_in_with_new_key("alice").await;
    for token in [&phone, &tablet] {
        assert_eq!(gateway.get("/api/x").token(token).await.status, 200);
        gateway.assert_opens(token, "alice").await;
        let data = gateway.wechat.sealed_but("alice", &Payload::Phone, &previous());
        assert_eq!(gateway.send_sealed("/phone", token, &data).await.status, 200);
    }
}

#[tokio::test]
async fn wx_05_the_fifth_failure_burns_the_key() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let bob = gateway.log_in("bob").await;
    fail(&gateway, &token, 4).await;
    gateway.assert_opens(&token, "alice").await;
    fail(&gateway, &token, 1).await;
    assert_stale(&send_phone(&gateway, &token).await, "valid data with a burnt key");
    assert_eq!(gateway.get("/api/x").token(&token).await.status, 200, "the session goes on");
    gateway.assert_opens(&bob, "bob").await;
}

#[tokio::test]
async fn failures_are_counted_over_all_sessions_and_ways_of_a_user() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let (one, other) = (gateway.log_in("alice").await, gateway.log_in("alice").await);
    fail(&gateway, &one, 2).await;
    fail(&gateway, &other, 1).await;
    let answer = gateway.send_sealed("/openData", &one, &junk(&gateway)).await;
    assert_stale(&answer, "open-data");
    let signed = gateway.get("/openData?rawData=%7B%7D&signature=75e8").token(&other).await;
    assert_stale(&signed, "a signature");
    assert_stale(&send_phone(&gateway, &one).await, "valid data with a burnt key");
}

#[tokio::test]
async fn a_burnt_key_that_wechat_gives_again_is_replaced_before_it_is_used() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let burnt = gateway.wechat.session_key("alice");
    let old = gateway.wechat.sealed("alice", &Payload::Phone);
    fail(&gateway, &token, 5).await;
    assert_eq!(gateway.wechat.calls(RESET).len(), 0);
    let again = gateway.log_in("alice").await;
    let resets = gateway.wechat.calls(RESET);
    assert_eq!(resets.len(), 1);
    let openid = gateway.wechat.openid("alice");
    let named = |name: &str| {
        let body: Value = serde_json::from_str(&resets[0].body).unwrap_or_default();
        resets[0].query.get(name).or_else(|| body.get(name)).cloned().unwrap_or_default()
    };
    assert_eq!((named("openid"), named("sig_method")), (openid.into(), "hmac_sha256".into()));
    assert_ne!(gateway.wechat.session_key("alice"), burnt);
    for token in [&token, &again] {
        gateway.assert_opens(token, "alice").await;
    }
    assert_stale(&gateway.send_sealed("/phone", &again, &old).await, "made with the burnt key");
}

#[tokio::test]
async fn a_login_stands_where_the_burnt_key_could_not_be_replaced() {
    for effect in [
        Effect::Errcode(-1, None),
        Effect::Errcode(87007, None),
        Effect::HttpStatus(500),
        Effect::Errcode(45011, None),
    ] {
        let gateway = Gateway::with(Config::with_open_data()).await;
        let token = gateway.log_in("alice").await;
        fail(&gateway, &token, 5).await;
        gateway.wechat.plays_fault(Fault::new(RESET, effect.clone()));
        let again = gateway.log_in("alice").await;
        assert_eq!(gateway.wechat.calls(RESET).len(), 1, "{effect:?}");
        assert_eq!(gateway.get("/api/x").token(&again).await.status, 200, "{effect:?}");
        assert_stale(&send_phone(&gateway, &again).await, "valid data with a burnt key");
        gateway.wechat.recovers();
        let third = gateway.log_in("alice").await;
        gateway.assert_opens(&third, "alice").await;
    }
}

#[tokio::test]
async fn a_login_does_not_wait_for_a_reset_that_hangs() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    fail(&gateway, &token, 5).await;
    gateway.wechat.plays_fault(Fault::new(RESET, Effect::Nothing).delay(seconds(60)));
    let (again, took) = crate::support::timed(gateway.log_in("alice")).await;
    assert!(took < seconds(3), "{took:?}");
    assert_eq!(gateway.get("/api/x").token(&again).await.status, 200);
}

#[tokio::test]
async fn a_new_key_from_wechat_opens_after_a_burnt_one_without_a_reset() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    fail(&gateway, &token, 5).await;
    let again = gateway.log_in_with_new_key("alice").await;
    gateway.assert_opens(&again, "alice").await;
    assert_eq!(gateway.wechat.calls(RESET).len(), 0);
}

#[tokio::test]
async fn after_a_failure_wechat_is_asked_once_whether_the_key_is_valid() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    fail(&gateway, &token, 1).await;
    let checked = async || gateway.wechat.calls(CHECK).len() == 1;
    eventually("the key is checked", checked).await;
    fail(&gateway, &token, 2).await;
    gateway.assert_opens(&token, "alice").await;
    let calls = gateway.wechat.calls(CHECK);
    assert_eq!((calls.len(), calls[0].errcode), (1, Some(0)));
    assert!(!calls[0].body.contains(&gateway.wechat.session_key("alice")));
}

#[tokio::test]
async fn a_key_that_is_not_valid_any_more_leaves_the_ring() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let before = gateway.wechat.sealed("alice", &Payload::UserInfo);
    // wx.login whose code never came here.
    gateway.clock.advance(seconds(60));
    gateway.wechat.code("alice");
    let data = gateway.wechat.sealed("alice", &Payload::Phone);
    assert_stale(&gateway.send_sealed("/phone", &token, &data).await, "a key never seen");
    eventually("the key is gone", async || {
        let calls = gateway.wechat.calls(CHECK);
        calls.last().is_some_and(|call| call.errcode == Some(87009))
    })
    .await;
    // What that key made does not open any more; in a moment, for the answer goes round once.
    let raw = (before.raw_data.unwrap(), before.signature.unwrap());
    let fields = serde_json::json!({ "rawData": raw.0, "signature": raw.1 });
    eventually("the ring is empty", async || {
        gateway.post("/openData").token(&token).json(&fields).await.status == 409
    })
    .await;
    let again = gateway.log_in("alice").await;
    gateway.assert_opens(&again, "alice").await;
    gateway.assert_opens(&token, "alice").await;
}

#[tokio::test]
async fn a_check_that_wechat_does_not_answer_changes_nothing() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    gateway.wechat.plays_fault(Fault::new(CHECK, Effect::Errcode(-1, None)));
    fail(&gateway, &token, 1).await;
    eventually("the key is checked", async || gateway.wechat.calls(CHECK).len() == 1).await;
    gateway.assert_opens(&token, "alice").await;
}
