//! What the upstream is told about who calls, and that only the gateway can say it.

mod answers;
mod forwarded;
mod framing;
mod http2;
mod passed;
mod paths;

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::wechat::APPID;

#[tokio::test]
async fn the_upstream_of_a_logged_in_user_gets_the_names_of_wechat_cloud_run() {
    let config = Config::default().key("apps.shop", "env = \"prod-1\"");
    let gateway = Gateway::with(config).await;
    gateway.wechat.set(|settings| settings.unionid = true);
    let token = gateway.log_in("alice").await;
    for path in ["/api/x", "/maybe/x"] {
        let answer = gateway.get(path).token(&token).await;
        assert_eq!(answer.status, 200);
        let seen = gateway.upstream.last();
        assert_eq!(seen.header("x-wx-openid"), Some(gateway.wechat.openid("alice").as_str()));
        let unionid = gateway.wechat.world().unionid(APPID, "alice");
        assert_eq!(seen.header("x-wx-unionid"), unionid.as_deref());
        assert_eq!(seen.header("x-wx-appid"), Some(APPID));
        assert_eq!(seen.header("x-wx-env"), Some("prod-1"));
        assert_eq!(seen.header("x-wx-source"), Some("wx_client"));
        assert!(seen.header("x-wx-call-id").is_some());
        assert_eq!(seen.header("x-wx-call-id"), answer.header("x-request-id"));
        assert_eq!(seen.header("x-wx-call-id"), seen.header("x-request-id"));
        let ours = seen.lines().filter(|(name, _)| name.to_lowercase().starts_with("x-wx-"));
        assert_eq!(ours.count(), 6, "{}", seen.head);
    }
}

#[tokio::test]
async fn there_is_no_identity_where_nobody_is_logged_in() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    gateway.get("/maybe/x").await;
    gateway.get("/public/x").await;
    gateway.get("/public/x").token(&token).await;
    let requests = gateway.upstream.requests();
    assert_eq!(requests.len(), 3);
    for seen in requests {
        assert!(!seen.head.to_lowercase().contains("x-wx-"), "{}", seen.head);
    }
}

#[tokio::test]
async fn the_names_of_the_headers_are_the_configurations() {
    let names = "openid = \"X-User\"\nsource = \"X-From\"\ncall_id = \"X-Call\"";
    let gateway = Gateway::with(Config::default().table("identity", names)).await;
    let token = gateway.log_in("alice").await;
    let request = gateway.get("/api/x").token(&token);
    request.header("x-user", "mallory").header("X_User", "mallory").header("X-FROM", "me").await;
    let seen = gateway.upstream.only();
    assert_eq!(seen.read_as("x-user"), [gateway.wechat.openid("alice")]);
    assert_eq!(seen.read_as("x-from"), ["wx_client"]);
    assert_eq!(seen.all("x-wx-openid").len(), 0);
    gateway.get("/public/x").header("x-user", "mallory").header("X.User", "mallory").await;
    assert_eq!(gateway.upstream.last().read_as("x-user").len(), 0);
}

#[tokio::test]
async fn many_users_on_few_connections_are_never_mixed_up() {
    let gateway = Gateway::start().await;
    let mut users = Vec::new();
    for name in 0..20 {
        let name = name.to_string();
        users.push((gateway.log_in(&name).await, gateway.wechat.openid(&name)));
    }
    let ask = async |round: usize| {
        for (index, (token, _)) in users.iter().enumerate() {
            let path = format!("/api/{round}/{index}");
            assert_eq!(gateway.get(&path).token(token).await.status, 200);
        }
    };
    tokio::join!(ask(0), ask(1), ask(2), ask(3), ask(4));
    let requests = gateway.upstream.requests();
    assert_eq!(requests.len(), 100);
    for seen in requests {
        let index: usize = seen.target().rsplit('/').next().unwrap().parse().unwrap();
        assert_eq!(seen.header("x-wx-openid"), Some(users[index].1.as_str()));
    }
}
