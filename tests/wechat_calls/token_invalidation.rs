//! A token that WeChat turns away: one renewal, one retry, and never a loop.

use std::sync::Arc;

use futures_util::future::join_all;
use wxgate::refusal::Reason;
use wxgate::session::access_token::AccessTokens;
use wxgate::wechat::client::Mode;

use crate::support::{STABLE_TOKEN, Wechat};

const CHECK: &str = "/wxa/msg_sec_check";

#[tokio::test]
async fn a_token_that_another_service_replaced_costs_one_renewal_and_one_retry() {
    for errcode in [40001, 40014, 42001] {
        let wechat = Wechat::start().await;
        let (user, _) = wechat.log_in("alice").await;
        let tokens = wechat.replica();
        tokens.get(&wechat.app).await.unwrap();
        // Somebody forces another token, so that stable_token has a new one to hand out.
        wechat.client.stable_token(&wechat.app, Mode::Force).await.unwrap();
        wechat.world().clear_calls();
        wechat.refuse(CHECK, errcode, 1);
        wechat.ask(&tokens, &user.openid).await.unwrap();
        assert_eq!(wechat.token_calls(), (1, 0), "no token is forced without need");
        assert_eq!(wechat.calls(CHECK).len(), 2);
    }
}

#[tokio::test]
async fn the_same_bad_token_again_is_forced_away_once() {
    let wechat = Wechat::start().await;
    let (user, _) = wechat.log_in("alice").await;
    let tokens = wechat.replica();
    let bad = tokens.get(&wechat.app).await.unwrap();
    wechat.refuse(CHECK, 40001, 1);
    wechat.ask(&tokens, &user.openid).await.unwrap();
    assert_eq!(wechat.token_calls(), (2, 1));
    assert_eq!(wechat.calls(CHECK).len(), 2);
    assert_ne!(tokens.get(&wechat.app).await.unwrap().expose(), bad.expose());
}

#[tokio::test]
async fn an_old_invalidation_does_not_end_a_new_token() {
    let wechat = Wechat::start().await;
    let replicas = [wechat.replica(), wechat.replica()];
    let bad = replicas[0].get(&wechat.app).await.unwrap();
    replicas[1].get(&wechat.app).await.unwrap();
    let new = replicas[0].invalidate(&wechat.app, &bad).await.unwrap();
    assert_ne!(new.expose(), bad.expose());
    let calls = wechat.token_calls();
    // In the process that knows the new token, and in one that still holds the old.
    for replica in &replicas {
        let got = replica.invalidate(&wechat.app, &bad).await.unwrap();
        assert_eq!(got.expose(), new.expose());
    }
    assert_eq!(wechat.token_calls(), calls);
}

#[tokio::test]
async fn a_thousand_refused_calls_on_five_replicas_are_one_renewal() {
    let wechat = Wechat::start().await;
    let (user, _) = wechat.log_in("alice").await;
    let replicas: Vec<_> = (0..5).map(|_| wechat.replica()).collect();
    for replica in &replicas {
        replica.get(&wechat.app).await.unwrap();
    }
    wechat.client.stable_token(&wechat.app, Mode::Force).await.unwrap();
    wechat.world().clear_calls();
    let asked = (0..200).flat_map(|_| &replicas).map(|tokens| wechat.ask(tokens, &user.openid));
    for asked in join_all(asked).await {
        asked.unwrap();
    }
    assert_eq!(wechat.token_calls(), (1, 0));
    assert!(wechat.calls(CHECK).len() <= 2000);
}

#[tokio::test]
async fn no_two_tokens_are_forced_within_thirty_seconds() {
    let wechat = Wechat::start().await;
    let replicas = [wechat.replica(), wechat.replica()];
    let force = async |replica: &Arc<AccessTokens>| {
        let bad = replica.get(&wechat.app).await?;
        replica.invalidate(&wechat.app, &bad).await
    };
    force(&replicas[0]).await.unwrap();
    let refusal = force(&replicas[1]).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::WechatUnavailable);
    assert_eq!(refusal.retry_after_seconds(), Some(31));
    wechat.advance(20);
    force(&replicas[0]).await.unwrap_err();
    assert_eq!(wechat.token_calls().1, 1);
    wechat.advance(31);
    replicas[1].get(&wechat.app).await.unwrap();
    assert_eq!(wechat.token_calls().1, 2);
}

#[tokio::test]
async fn a_token_that_wechat_refuses_for_ever_costs_a_bounded_number_of_calls() {
    let wechat = Wechat::start().await;
    let tokens = wechat.replica();
    let (user, _) = wechat.log_in("alice").await;
    wechat.refuse(CHECK, 40001, None);
    let refusal = wechat.ask(&tokens, &user.openid).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::WechatUnavailable);
    assert_eq!(wechat.calls(CHECK).len(), 2, "one call and one retry");
    for refused in join_all((0..500).map(|_| wechat.ask(&tokens, &user.openid))).await {
        assert_eq!(refused.unwrap_err().reason, Reason::WechatUnavailable);
    }
    assert_eq!(wechat.token_calls().1, 1);
    assert!(wechat.token_calls().0 <= 4, "{:?}", wechat.token_calls());

    // A whole day of it, with a request every ten seconds.
    for _ in 0..8640 {
        wechat.advance(10);
        wechat.ask(&tokens, &user.openid).await.unwrap_err();
    }
    let (normal, forced) = wechat.token_calls();
    // Two of WeChat's days are touched.
    assert!((20..=40).contains(&forced), "{forced} forced");
    assert!(normal <= 86_400 / 15, "{normal} in normal mode");
    let errcodes: Vec<_> = wechat.calls(STABLE_TOKEN).iter().map(|call| call.errcode).collect();
    assert!(errcodes.iter().all(|errcode| *errcode == Some(0)), "WeChat's own limits are kept");
}

#[tokio::test]
async fn a_service_whose_forced_tokens_are_used_up_recovers_with_the_token_at_hand() {
    let wechat = Wechat::start().await;
    let tokens = wechat.replica();
    let (user, _) = wechat.log_in("alice").await;
    wechat.refuse(CHECK, 40001, None);
    for _ in 0..200 {
        wechat.advance(31);
        wechat.ask(&tokens, &user.openid).await.unwrap_err();
    }
    wechat.world().clear_faults();
    wechat.advance(62);
    let (user, _) = wechat.log_in("alice").await;
    wechat.ask(&tokens, &user.openid).await.unwrap();
}
