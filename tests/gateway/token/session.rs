//! The session behind a token: refreshed, described, ended, run out.

use serde_json::json;

use super::assert_opens_nothing;
use crate::raw::Answer;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt::Jwt;
use crate::support::seconds;
use crate::support::wechat::APPID;

fn token_in(answer: &Answer) -> String {
    answer.json()["token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

async fn status(gateway: &Gateway, token: &str) -> u16 {
    gateway.get("/api/x").token(token).await.status
}

#[tokio::test]
async fn the_session_is_described_to_its_owner() {
    let gateway = Gateway::start().await;
    gateway.wechat.set(|settings| settings.unionid = true);
    let token = gateway.log_in("alice").await;
    let claims = Jwt::read(&token).claims;
    gateway.clock.advance(seconds(10));
    let answer = gateway.get("/session").token(&token).await;
    assert_eq!(answer.status, 200);
    let session = answer.json();
    assert_eq!(session["openid"], gateway.wechat.openid("alice"));
    assert_eq!(
        session["unionid"].as_str(),
        gateway.wechat.world().unionid(APPID, "alice").as_deref()
    );
    assert_eq!(session["appid"], APPID);
    assert_eq!(session["created"], claims["auth_time"]);
    let left = claims["exp"].as_u64().unwrap() - gateway.clock.now();
    assert!(session["expires_in"].as_u64().unwrap().abs_diff(left) <= 2, "{session}");
    assert_eq!(session.as_object().unwrap().len(), 5);
    assert_eq!(gateway.get("/session").await.code(), "token_missing");
}

#[tokio::test]
async fn a_refreshed_token_works_and_the_old_one_for_a_minute_more() {
    let gateway = Gateway::start().await;
    let old = gateway.log_in("alice").await;
    let answer = gateway.post("/refresh").token(&old).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert!(answer.json()["expires_in"].as_u64().unwrap() > 604_000);
    let new = token_in(&answer);
    assert_ne!(old, new);
    for name in ["sid", "auth_time"] {
        assert_eq!(Jwt::read(&old).claims[name], Jwt::read(&new).claims[name], "{name}");
    }
    assert_eq!((status(&gateway, &old).await, status(&gateway, &new).await), (200, 200));
    gateway.clock.advance(seconds(58));
    assert_eq!((status(&gateway, &old).await, status(&gateway, &new).await), (200, 200));
    gateway.clock.advance(seconds(3));
    assert_eq!((status(&gateway, &old).await, status(&gateway, &new).await), (401, 200));
}

#[tokio::test]
async fn of_two_refreshes_at_once_both_tokens_work() {
    let gateway = Gateway::start().await;
    let old = gateway.log_in("alice").await;
    let refresh = async || token_in(&gateway.post("/refresh").token(&old).await);
    let (one, other) = tokio::join!(refresh(), refresh());
    assert_eq!((status(&gateway, &one).await, status(&gateway, &other).await), (200, 200));
}

#[tokio::test]
async fn a_logout_ends_this_session_and_no_other() {
    let gateway = Gateway::start().await;
    let (phone, tablet) = (gateway.log_in("alice").await, gateway.log_in("alice").await);
    let somebody = gateway.log_in("bob").await;
    let refreshed = token_in(&gateway.post("/refresh").token(&phone).await);
    // All of them stand in the gateway's cache by now.
    for token in [&phone, &refreshed, &tablet, &somebody] {
        assert_eq!(status(&gateway, token).await, 200);
    }
    let answer = gateway.post("/logout").token(&phone).await;
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    for token in [&phone, &refreshed] {
        assert_eq!(status(&gateway, token).await, 401);
    }
    for token in [&tablet, &somebody] {
        assert_eq!(status(&gateway, token).await, 200);
    }
    assert_eq!(gateway.post("/logout").token(&phone).await.status, 401);
}

#[tokio::test]
async fn a_logout_everywhere_ends_the_users_other_sessions_too() {
    for by in ["query", "json", "form"] {
        let gateway = Gateway::start().await;
        let (phone, tablet) = (gateway.log_in("alice").await, gateway.log_in("alice").await);
        let somebody = gateway.log_in("bob").await;
        let logout = match by {
            "query" => gateway.post("/logout?everywhere=true"),
            "json" => gateway.post("/logout").json(&json!({ "everywhere": true })),
            _ => gateway.post("/logout").form("everywhere=1"),
        };
        assert_eq!(status(&gateway, &tablet).await, 200);
        assert_eq!(logout.token(&phone).await.status, 204, "{by}");
        for token in [&phone, &tablet] {
            assert_eq!(status(&gateway, token).await, 401, "{by}");
        }
        assert_eq!(status(&gateway, &somebody).await, 200, "{by}");
    }
}

#[tokio::test]
async fn a_session_runs_out_when_it_is_not_used() {
    let config = Config::default().key("session", "idle = \"1h\"\nlifetime = \"30d\"");
    let gateway = Gateway::with(config).await;
    let token = gateway.log_in("alice").await;
    for _ in 0..5 {
        gateway.clock.advance(seconds(50 * 60));
        assert_eq!(status(&gateway, &token).await, 200, "it was in use");
    }
    gateway.clock.advance(seconds(61 * 60));
    assert_eq!(status(&gateway, &token).await, 401, "it was not used for longer than an hour");
}

#[tokio::test]
async fn a_session_ends_with_its_lifetime_however_much_it_is_used() {
    let config = Config::default().key("session", "idle = \"1h\"\nlifetime = \"3h\"");
    let gateway = Gateway::with(config).await;
    let token = gateway.log_in("alice").await;
    for _ in 0..7 {
        gateway.clock.advance(seconds(25 * 60));
        assert_eq!(status(&gateway, &token).await, 200);
    }
    let newest = token_in(&gateway.post("/refresh").token(&token).await);
    gateway.clock.advance(seconds(6 * 60));
    assert_eq!((status(&gateway, &token).await, status(&gateway, &newest).await), (401, 401));
}

#[tokio::test]
async fn wx_04_a_token_of_another_app_opens_no_route_of_this_one() {
    let config = Config::with_two_apps().routes(&[
        r#"path = "/wxLogin", action = "login""#,
        r#"path = "/shop/**", upstream = "shop", app = "shop""#,
        r#"path = "/shop-or-nobody/**", upstream = "shop", app = "shop", auth = "optional""#,
        r#"path = "/session", action = "session", app = "shop""#,
        r#"path = "/both/**", upstream = "shop""#,
    ]);
    let gateway = Gateway::with(config).await;
    let ours = gateway.log_in("alice").await;
    let code = gateway.wechat.code_of_other_app("alice");
    let login = gateway.get(&format!("/wxLogin?code={code}&appid=wxfedcba9876543210")).await;
    let theirs = token_in(&login);
    for path in ["/shop/x", "/shop-or-nobody/x", "/session"] {
        assert_eq!(gateway.get(path).token(&ours).await.status, 200, "{path}");
        let answer = gateway.get(path).token(&theirs).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "token_invalid"), "{path}");
    }
    assert_eq!(gateway.get("/both/x").token(&theirs).await.status, 200);
    assert_eq!(gateway.upstream.last().header("x-wx-appid"), Some("wxfedcba9876543210"));
}

#[tokio::test]
async fn a_route_that_needs_a_token_says_when_there_is_none() {
    let gateway = Gateway::start().await;
    let answer = gateway.get("/api/x").await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "token_missing"));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    assert_eq!(gateway.upstream.requests().len(), 0);
    let empty = gateway.get("/api/x").header("authorization", "Bearer ").await;
    assert_eq!(empty.status, 401);
    assert_opens_nothing(&gateway, "x", "garbage").await;
}
