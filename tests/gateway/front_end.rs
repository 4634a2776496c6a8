//! The Mini Program of the article that this gateway began with: `wx.request` with a url and data and no
//! method, so a GET with a query, to `/wxLogin`; then calls of `/api` with the token.

use crate::support::gateway::Gateway;

/// What wx.request adds to a GET by itself.
const WX_REQUEST: [(&str, &str); 3] = [
    ("content-type", "application/json"),
    ("referer", "https://servicewechat.com/wx0123456789abcdef/0/page-frame.html"),
    ("user-agent", "Mozilla/5.0 (iPhone) MicroMessenger/8.0.50 MiniProgramEnv/iOS"),
];

#[tokio::test]
async fn the_articles_mini_program_logs_in_and_calls_the_api() {
    let gateway = Gateway::start().await;
    let code = gateway.wechat.code("alice");
    let login = gateway.get(&format!("/wxLogin?code={code}"));
    let login =
        WX_REQUEST.iter().fold(login, |request, (name, value)| request.header(name, value)).await;
    assert_eq!(login.status, 200);
    let data = login.json();
    assert_eq!(data["openid"], gateway.wechat.openid("alice"));
    assert!(data.get("session_key").is_none());
    let token = data["token"].as_str().unwrap();

    let call = gateway.get("/api/orders?page=1").token(token).header("X-WX-OPENID", "oFORGED");
    let call =
        WX_REQUEST.iter().fold(call, |request, (name, value)| request.header(name, value)).await;
    assert_eq!((call.status, call.text().as_str()), (200, "hello from the upstream"));
    let seen = gateway.upstream.only();
    assert_eq!((seen.method(), seen.target()), ("GET", "/api/orders?page=1"));
    assert_eq!(seen.read_as("x-wx-openid"), [gateway.wechat.openid("alice")]);
    assert!(!seen.holds(token) && !seen.holds(&code));
}
