//! A unionid that comes later than the first session.

use crate::support::gateway::Gateway;
use crate::support::wechat::APPID;

async fn unionid_at_the_upstream(gateway: &Gateway, token: &str) -> Option<String> {
    assert_eq!(gateway.get("/api/x").token(token).await.status, 200);
    gateway.upstream.last().header("x-wx-unionid").map(str::to_owned)
}

#[tokio::test]
async fn a_unionid_that_a_later_login_brings_is_the_first_sessions_too() {
    let gateway = Gateway::start().await;
    let first = gateway.log_in("alice").await;
    let bob = gateway.log_in("bob").await;
    assert_eq!(unionid_at_the_upstream(&gateway, &first).await, None);
    // The app is bound to an open-platform account.
    gateway.wechat.set(|settings| settings.unionid = true);
    let second = gateway.log_in("alice").await;
    let unionid = gateway.wechat.world().unionid(APPID, "alice");
    assert!(unionid.is_some());
    for token in [&first, &second] {
        assert_eq!(unionid_at_the_upstream(&gateway, token).await, unionid);
        let session = gateway.get("/session").token(token).await.json();
        assert_eq!(session["unionid"].as_str(), unionid.as_deref());
    }
    assert_eq!(unionid_at_the_upstream(&gateway, &bob).await, None, "another user");
}

#[tokio::test]
async fn a_login_without_a_unionid_takes_none_away() {
    let gateway = Gateway::start().await;
    gateway.wechat.set(|settings| settings.unionid = true);
    let first = gateway.log_in("alice").await;
    let unionid = gateway.wechat.world().unionid(APPID, "alice");
    gateway.wechat.set(|settings| settings.unionid = false);
    let second = gateway.log_in("alice").await;
    assert_eq!(unionid_at_the_upstream(&gateway, &first).await, unionid);
    assert_eq!(unionid_at_the_upstream(&gateway, &second).await, None);
}
