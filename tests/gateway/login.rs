//! `login`: a code for a token, by one exchange with WeChat, whatever WeChat does.

mod exchanged_once;
mod fields;
mod panicking;
mod refused;
mod session_key;
mod spoilt;
mod unionid;

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt::Jwt;

#[tokio::test]
async fn a_code_gives_a_token_the_openid_and_how_long_it_lasts() {
    let gateway = Gateway::start().await;
    let code = gateway.wechat.code("alice");
    let answer = gateway.get(&format!("/wxLogin?code={code}")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    let names: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["token", "token_type", "expires_in", "openid"]);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 604_800);
    assert_eq!(body["openid"], gateway.wechat.openid("alice"));
    let token = body["token"].as_str().unwrap();
    assert_eq!(gateway.get("/api/x").token(token).await.status, 200);
}

#[tokio::test]
async fn the_unionid_is_passed_on_where_wechat_gives_one() {
    let gateway = Gateway::start().await;
    gateway.wechat.set(|settings| settings.unionid = true);
    let code = gateway.wechat.code("alice");
    let body = gateway.get(&format!("/wxLogin?code={code}")).await.json();
    let unionid = gateway.wechat.world().unionid("wx0123456789abcdef", "alice");
    assert!(unionid.is_some());
    assert_eq!(body["unionid"].as_str(), unionid.as_deref());
}

#[tokio::test]
async fn a_login_ignores_the_token_that_comes_with_it() {
    let gateway = Gateway::start().await;
    let code = gateway.wechat.code("alice");
    let answer = gateway.get(&format!("/wxLogin?code={code}")).token("a.dead.token").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn ses_01_every_login_makes_a_new_session() {
    let gateway = Gateway::start().await;
    let first = Jwt::read(&gateway.log_in("alice").await).claims;
    let second = Jwt::read(&gateway.log_in("alice").await).claims;
    assert_eq!(first["sub"], second["sub"]);
    assert_ne!(first["sid"], second["sid"]);
}

#[tokio::test]
async fn a_login_sets_the_cookie_where_one_is_configured() {
    let cookie = r#"cookie = { name = "__Host-wxgate", same_site = "strict" }"#;
    let gateway = Gateway::with(Config::default().key("session", cookie)).await;
    let code = gateway.wechat.code("alice");
    let answer = gateway.get(&format!("/wxLogin?code={code}")).await;
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    let expected =
        format!("__Host-wxgate={token}; Path=/; Max-Age=604800; Secure; HttpOnly; SameSite=Strict");
    assert_eq!(answer.header("set-cookie"), Some(expected.as_str()));
}

#[tokio::test]
async fn many_logins_go_over_one_connection_and_carry_no_access_token() {
    let gateway = Gateway::start().await;
    for user in 0..20 {
        gateway.log_in(&user.to_string()).await;
    }
    let calls = gateway.wechat.exchanges();
    assert_eq!(calls.len(), 20);
    assert!(calls.iter().all(|call| call.peer == calls[0].peer), "{calls:#?}");
    for call in &calls {
        let names: Vec<_> = call.query.keys().collect();
        assert_eq!(names, ["appid", "secret", "js_code", "grant_type"]);
        assert_eq!(call.method, "GET");
    }
    let others = gateway.wechat.world().calls(None).unwrap();
    assert_eq!(others.len(), 20, "no other call was made: {others:#?}");
}
