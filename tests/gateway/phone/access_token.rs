//! The access_token that a phone code needs, and everything that does not need it.

use wxgate::simulator::{AdminConfirmation, Cut, Effect, Fault};

use crate::raw::Answer;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::open_data::{PHONE, TOKEN, assert_refused};
use crate::support::seconds;

async fn ask(gateway: &Gateway, token: &str) -> Answer {
    let code = gateway.wechat.phone_code("alice");
    gateway.get(&format!("/phone?code={code}")).token(token).await
}

#[tokio::test]
async fn the_token_is_fetched_at_first_need_and_once_for_all() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    assert_eq!(gateway.wechat.calls(TOKEN).len(), 0, "a login needs none");
    let both = tokio::join!(ask(&gateway, &token), ask(&gateway, &token), ask(&gateway, &token));
    assert_eq!([both.0.status, both.1.status, both.2.status], [200; 3]);
    assert_eq!(gateway.wechat.calls(TOKEN).len(), 1);
}

#[tokio::test]
async fn a_token_that_wechat_turns_away_costs_one_refresh_and_one_retry() {
    for errcode in [40001, 40014, 42001] {
        let gateway = Gateway::with(Config::with_open_data()).await;
        let token = gateway.log_in("alice").await;
        assert_eq!(ask(&gateway, &token).await.status, 200);
        let fault = Fault::new(PHONE, Effect::Errcode(errcode, None)).times(1);
        gateway.wechat.plays_fault(fault);
        gateway.wechat.world().clear_calls();
        assert_eq!(ask(&gateway, &token).await.status, 200, "{errcode}");
        let calls = gateway.wechat.calls(PHONE);
        assert_eq!(calls.len(), 2, "{errcode}: {calls:#?}");
        assert_eq!(calls[0].body, calls[1].body);
        assert_ne!(calls[0].query, calls[1].query, "another token");
        let forced = gateway.wechat.calls(TOKEN);
        let forced = forced.iter().filter(|call| call.body.contains(r#""force_refresh":true"#));
        assert_eq!(forced.count(), 1, "{errcode}");
    }
}

#[tokio::test]
async fn a_token_that_is_turned_away_again_and_again_is_no_loop() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    gateway.wechat.plays_fault(Fault::new(PHONE, Effect::Errcode(40001, None)));
    for _ in 0..5 {
        assert_refused(&ask(&gateway, &token).await, 503, "wechat_unavailable", "turned away");
    }
    let (phone, tokens) = (gateway.wechat.calls(PHONE).len(), gateway.wechat.calls(TOKEN));
    assert!(phone <= 6, "{phone} calls for five requests");
    let forced = tokens.iter().filter(|call| call.body.contains(r#""force_refresh":true"#)).count();
    assert!(forced <= 1 && tokens.len() <= 5, "{forced} forced of {}", tokens.len());
    // Back at the next occasion.
    gateway.wechat.recovers();
    gateway.clock.advance(seconds(60));
    assert_eq!(ask(&gateway, &token).await.status, 200);
}

#[tokio::test]
async fn without_a_token_api_logins_and_requests_go_on() {
    let errors = [-1, 40013, 40125, 40164, 40243, 89503, 45009, 45011];
    let effects = errors.map(|errcode| Effect::Errcode(errcode, None));
    let effects =
        effects.into_iter().chain([Effect::Cut(Cut::BeforeAnswer), Effect::HttpStatus(500)]);
    for effect in effects {
        let gateway = Gateway::with(Config::with_open_data()).await;
        let token = gateway.log_in("alice").await;
        gateway.wechat.plays_fault(Fault::new(TOKEN, effect.clone()));
        let (status, code) = match &effect {
            Effect::Errcode(-1 | 45009, _) | Effect::Cut(_) => (503, "wechat_unavailable"),
            Effect::Errcode(45011, _) => (429, "rate_limited"),
            Effect::Errcode(..) => (503, "wechat_misconfigured"),
            _ => (502, "wechat_bad_answer"),
        };
        for _ in 0..5 {
            assert_refused(&ask(&gateway, &token).await, status, code, &format!("{effect:?}"));
        }
        assert!(gateway.wechat.calls(TOKEN).len() <= 2, "a storm at {effect:?}");
        assert_eq!(gateway.wechat.calls(PHONE).len(), 0);
        let other = gateway.log_in("bob").await;
        assert_eq!(gateway.get("/api/x").token(&token).await.status, 200);
        assert_eq!(gateway.get("/api/x").token(&other).await.status, 200);
        // Sealed data need no access_token.
        gateway.assert_opens(&token, "alice").await;
        gateway.wechat.recovers();
        gateway.clock.advance(seconds(61));
        assert_eq!(ask(&gateway, &token).await.status, 200, "after {effect:?}");
    }
}

#[tokio::test]
async fn an_operators_error_says_nothing_of_the_inside_to_the_client() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    gateway.wechat.set(|settings| settings.ip_whitelist = Some(vec!["10.0.0.1".to_owned()]));
    let answer = ask(&gateway, &token).await;
    assert_refused(&answer, 503, "wechat_misconfigured", "the whitelist");
    assert_eq!(answer.json()["wechat_errcode"], 40164);
    assert!(!answer.text().contains("127.0.0.1") && !answer.text().contains("whitelist"));
    gateway.wechat.set(|settings| {
        settings.ip_whitelist = None;
        settings.admin_confirmation = Some(AdminConfirmation::Pending);
    });
    gateway.clock.advance(seconds(61));
    let answer = ask(&gateway, &token).await;
    assert_refused(&answer, 503, "wechat_misconfigured", "the admin");
    assert_eq!(answer.json()["wechat_errcode"], 89503);
}
