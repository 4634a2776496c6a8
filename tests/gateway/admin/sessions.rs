//! Who is logged in, and ending it from outside.

use http::Method;
use serde_json::Value;

use super::TOKEN;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::wechat::APPID;
use crate::support::{eventually, seconds};

impl Gateway {
    async fn sessions_of(&self, user: &str) -> Vec<Value> {
        let openid = self.wechat.openid(user);
        let answer = self.admin(Method::GET, &format!("/sessions?openid={openid}&app=shop")).await;
        assert_eq!(answer.status, 200);
        answer.json()["sessions"].as_array().unwrap().clone()
    }

    async fn is_let_in(&self, token: &str) -> bool {
        match self.get("/api/x").token(token).await.status {
            200 => true,
            401 => false,
            status => panic!("{status}"),
        }
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all_of_a_user() {
    let gateway = Gateway::with_admin_token(Config::default()).await;
    let (one, two) = (gateway.log_in("alice").await, gateway.log_in("alice").await);
    let bob = gateway.log_in("bob").await;
    let sessions = gateway.sessions_of("alice").await;
    assert_eq!(sessions.len(), 2);
    let openid = gateway.wechat.openid("alice");
    for session in &sessions {
        assert_eq!(
            (&session["openid"], &session["app"]),
            (&openid.as_str().into(), &"shop".into())
        );
        assert!(session["expires"].as_u64() > session["created"].as_u64());
        let text = session.to_string();
        assert!(!text.contains(&one) && !text.contains(&two) && !text.contains(TOKEN));
        assert!(!text.contains(&gateway.wechat.session_key("alice")));
    }
    let sid = sessions[0]["sid"].as_str().unwrap();
    let path = format!("/sessions/{sid}?openid={openid}");
    assert!(gateway.is_let_in(&one).await && gateway.is_let_in(&two).await);
    assert_eq!(gateway.admin(Method::DELETE, &path).await.json()["ended"], 1);
    assert_eq!(gateway.admin(Method::DELETE, &path).await.status, 404, "it is gone");
    let left = [gateway.is_let_in(&one).await, gateway.is_let_in(&two).await];
    assert_eq!(left.iter().filter(|left| **left).count(), 1);
    let all = gateway.admin(Method::DELETE, &format!("/sessions?openid={openid}")).await;
    assert_eq!(all.json()["ended"], 1);
    assert!(!gateway.is_let_in(&one).await && !gateway.is_let_in(&two).await);
    assert!(gateway.is_let_in(&bob).await, "he is somebody else");
    assert!(gateway.sessions_of("alice").await.is_empty());
    let ended = r#"wxgate_sessions_ended_total{reason="admin"}"#;
    let scrape = crate::support::metrics::Scrape::of(gateway.app.admin_address).await;
    assert_eq!(scrape.get(ended), 2.0);
}

#[tokio::test]
async fn all_sessions_of_an_app_end_and_the_other_apps_stay() {
    let gateway = Gateway::with_admin_token(Config::with_two_apps()).await;
    let (one, two) = (gateway.log_in("alice").await, gateway.log_in("bob").await);
    let code = gateway.wechat.code_of_other_app("alice");
    let appid = crate::support::wechat::OTHER_APPID;
    let answer = gateway.get(&format!("/wxLogin?code={code}&appid={appid}")).await;
    let other = answer.json()["token"].as_str().unwrap().to_owned();
    for token in [&one, &two, &other] {
        assert!(gateway.is_let_in(token).await);
    }
    let answer = gateway.admin(Method::DELETE, &format!("/sessions?app={APPID}")).await;
    assert_eq!(answer.status, 200);
    assert!(!gateway.is_let_in(&one).await && !gateway.is_let_in(&two).await);
    assert!(gateway.is_let_in(&other).await);
    assert!(gateway.sessions_of("alice").await.is_empty());
    gateway.clock.advance(seconds(1));
    let again = gateway.log_in("alice").await;
    eventually("who logs in anew stays in", async || gateway.is_let_in(&again).await).await;
    assert!(!gateway.is_let_in(&one).await);
}

#[tokio::test]
async fn a_call_that_names_nobody_ends_nothing() {
    let gateway = Gateway::with_admin_token(Config::default()).await;
    let token = gateway.log_in("alice").await;
    let sid = gateway.sessions_of("alice").await[0]["sid"].as_str().unwrap().to_owned();
    for (path, status) in [
        ("/sessions".to_owned(), 400),
        ("/sessions?openid=not%20one".to_owned(), 400),
        ("/sessions?app=nobody".to_owned(), 404),
        ("/sessions?openid=o1&app=nobody".to_owned(), 404),
        (format!("/sessions/{sid}"), 400),
        (format!("/sessions/{sid}?openid=o1"), 404),
        ("/sessions/x?openid=o1".to_owned(), 404),
    ] {
        assert_eq!(gateway.admin(Method::DELETE, &path).await.status, status, "{path}");
    }
    assert!(gateway.is_let_in(&token).await);
}
