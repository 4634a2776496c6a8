//! One renewal of the access_token, for any number of requests and replicas.

use futures_util::future::join_all;
use wxgate::refusal::Reason;
use wxgate::session::store::{Key, Kind, Store};
use wxgate::wechat::user::OpenId;

use crate::support::{APPID, STABLE_TOKEN, Wechat, until};

#[tokio::test]
async fn a_thousand_needs_at_once_are_one_call() {
    let wechat = Wechat::start().await;
    let tokens = wechat.replica();
    assert_eq!(wechat.token_calls(), (0, 0), "nothing is fetched before it is needed");
    let got = join_all((0..1000).map(|_| tokens.get(&wechat.app))).await;
    let first = got[0].as_ref().unwrap().expose();
    assert!(got.iter().all(|token| token.as_ref().unwrap().expose() == first));
    assert_eq!(wechat.token_calls(), (1, 0));
}

#[tokio::test]
async fn a_request_that_hangs_up_does_not_end_the_renewal_of_the_others() {
    let wechat = Wechat::start().await;
    let tokens = wechat.replica();
    let (one, app) = (tokens.clone(), wechat.app.clone());
    let request = tokio::spawn(async move { one.get(&app).await });
    until(|| wechat.token_calls() == (1, 0)).await;
    request.abort();
    tokens.get(&wechat.app).await.unwrap();
    assert_eq!(wechat.token_calls(), (1, 0));
}

#[tokio::test]
async fn replicas_share_one_token() {
    let wechat = Wechat::start().await;
    let replicas: Vec<_> = (0..5).map(|_| wechat.replica()).collect();
    let got = join_all(replicas.iter().map(|tokens| tokens.get(&wechat.app))).await;
    let first = got[0].as_ref().unwrap().expose();
    assert!(got.iter().all(|token| token.as_ref().unwrap().expose() == first));
    assert_eq!(wechat.token_calls(), (1, 0));
}

#[tokio::test]
async fn five_replicas_renew_an_ending_token_once_under_load() {
    let wechat = Wechat::start().await;
    let replicas: Vec<_> = (0..5).map(|_| wechat.replica()).collect();
    let load = async |openid: &OpenId| {
        let asked = (0..4).flat_map(|_| &replicas).map(|tokens| wechat.ask(tokens, openid));
        for asked in join_all(asked).await {
            asked.unwrap();
        }
    };
    let (user, _) = wechat.log_in("alice").await;
    load(&user.openid).await;
    // From before the last five minutes to after the old token's end.
    wechat.advance(6800);
    let (user, _) = wechat.log_in("alice").await;
    for _ in 0..45 {
        load(&user.openid).await;
        wechat.advance(10);
    }
    assert_eq!(wechat.token_calls(), (2, 0));
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end_while_the_old_one_serves() {
    let wechat = Wechat::start().await;
    let tokens = wechat.replica();
    let old = tokens.get(&wechat.app).await.unwrap();
    wechat.advance(6900);
    tokens.get(&wechat.app).await.unwrap();
    assert_eq!(wechat.token_calls(), (1, 0), "WeChat would give the same token again");
    wechat.advance(200);
    assert_eq!(tokens.get(&wechat.app).await.unwrap().expose(), old.expose(), "nobody waits");
    until(|| wechat.token_calls() == (2, 0)).await;
    while tokens.get(&wechat.app).await.unwrap().expose() == old.expose() {
        tokio::task::yield_now().await;
    }
    assert_eq!(wechat.token_calls(), (2, 0));
}

#[tokio::test]
async fn while_the_renewal_fails_the_old_token_serves_until_its_end() {
    let wechat = Wechat::start().await;
    let tokens = wechat.replica();
    let old = tokens.get(&wechat.app).await.unwrap();
    wechat.refuse(STABLE_TOKEN, -1, None);
    wechat.advance(7100);
    for _ in 0..80 {
        assert_eq!(tokens.get(&wechat.app).await.unwrap().expose(), old.expose());
        tokio::task::yield_now().await;
        wechat.advance(1);
    }
    wechat.advance(20);
    until(|| wechat.token_calls().0 > 1).await;
    assert!(wechat.token_calls().0 <= 51, "a failure is remembered for two seconds");
    let refusal = tokens.get(&wechat.app).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::WechatUnavailable);
    wechat.world().clear_faults();
    wechat.advance(3);
    assert_ne!(tokens.get(&wechat.app).await.unwrap().expose(), old.expose());
}

#[tokio::test]
async fn a_replica_that_died_holding_the_lock_is_waited_out() {
    let wechat = Wechat::start().await;
    let lock = Key::new(Kind::AccessTokenLock, &[APPID.as_bytes()]);
    let lease = std::time::Duration::from_secs(15);
    assert!(wechat.store.put_if_absent(&lock, b"the dead", lease).await.unwrap().is_none());
    let (tokens, app) = (wechat.replica(), wechat.app.clone());
    let waiting = tokio::spawn(async move { tokens.get(&app).await });
    tokio::task::yield_now().await;
    assert_eq!(wechat.token_calls(), (0, 0));
    wechat.advance(16);
    waiting.await.unwrap().unwrap();
    assert_eq!(wechat.token_calls(), (1, 0));
    assert_eq!(wechat.store.get(&lock).await.unwrap(), None, "the lock is given back");
}

#[tokio::test]
async fn the_token_is_sealed_in_the_store() {
    let wechat = Wechat::start().await;
    let token = wechat.replica().get(&wechat.app).await.unwrap();
    let key = Key::new(Kind::AccessToken, &[APPID.as_bytes()]);
    let stored = wechat.store.get(&key).await.unwrap().unwrap();
    let part = &token.expose().as_bytes()[..16];
    assert!(!stored.windows(16).any(|window| window == part));
    assert_eq!(format!("{token:?}"), "[REDACTED]");
    assert!(!format!("{:?}", wechat.replica()).contains(token.expose()));
}

#[tokio::test]
async fn a_record_that_does_not_open_is_replaced() {
    let wechat = Wechat::start().await;
    let key = Key::new(Kind::AccessToken, &[APPID.as_bytes()]);
    let day = std::time::Duration::from_secs(86_400);
    wechat.store.put(&key, b"sealed with a key that is gone", day).await.unwrap();
    let token = wechat.replica().get(&wechat.app).await.unwrap();
    assert_eq!(wechat.replica().get(&wechat.app).await.unwrap().expose(), token.expose());
    assert_eq!(wechat.token_calls(), (1, 0));
}
