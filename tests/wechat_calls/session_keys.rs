//! checkSessionKey and ResetUserSessionKey.

use wxgate::refusal::{Reason, Refusal};
use wxgate::secret::Secret;
use wxgate::wechat::session_key::SessionKey;
use wxgate::wechat::user::User;

use crate::support::{APPID, Wechat};

async fn is_valid(wechat: &Wechat, user: &User, key: &SessionKey) -> bool {
    let call =
        |token: Secret| async move { wechat.client.check_session(&token, &user.openid, key).await };
    wechat.replica().call_with_token(&wechat.app, call).await.unwrap()
}

async fn reset(wechat: &Wechat, user: &User, key: &SessionKey) -> Result<SessionKey, Refusal> {
    let call = |token: Secret| async move {
        wechat.client.reset_user_session_key(&token, &user.openid, key).await
    };
    wechat.replica().call_with_token(&wechat.app, call).await
}

#[tokio::test]
async fn a_key_is_valid_until_the_next_one_is_made() {
    let wechat = Wechat::start().await;
    let (alice, key) = wechat.log_in("alice").await;
    let (bob, _) = wechat.log_in("bob").await;
    assert!(is_valid(&wechat, &alice, &key).await);
    assert!(!is_valid(&wechat, &bob, &key).await, "of another user");
    wechat.world().login_with_new_key(APPID, "alice").unwrap();
    assert!(!is_valid(&wechat, &alice, &key).await, "87009 is an answer");
}

#[tokio::test]
async fn a_reset_key_takes_the_place_of_the_old_one_at_once() {
    let wechat = Wechat::start().await;
    let (alice, old) = wechat.log_in("alice").await;
    let new = reset(&wechat, &alice, &old).await.unwrap();
    assert_eq!(wechat.world().session_key(APPID, "alice").as_deref(), Some(new.expose()));
    assert!(is_valid(&wechat, &alice, &new).await);
    assert!(!is_valid(&wechat, &alice, &old).await);
}

#[tokio::test]
async fn a_key_that_is_not_valid_resets_nothing() {
    let wechat = Wechat::start().await;
    let (alice, old) = wechat.log_in("alice").await;
    wechat.world().login_with_new_key(APPID, "alice").unwrap();
    let refusal = reset(&wechat, &alice, &old).await.unwrap_err();
    assert_eq!((refusal.reason, refusal.wechat_errcode), (Reason::SessionKeyStale, Some(87009)));
    assert!(!format!("{refusal:?}").contains(old.expose()));
}

#[tokio::test]
async fn a_session_key_never_goes_over_the_wire() {
    let wechat = Wechat::start().await;
    let (alice, key) = wechat.log_in("alice").await;
    wechat.world().clear_calls();
    is_valid(&wechat, &alice, &key).await;
    reset(&wechat, &alice, &key).await.unwrap();
    for call in wechat.world().calls(None).unwrap() {
        let sent = format!("{:?} {} {:?}", call.query, call.body, call.headers);
        assert!(!sent.contains(key.expose()), "{sent}");
    }
}
