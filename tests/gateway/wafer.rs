//! The unmodified npm client `wafer2-client-sdk` against the gateway.

use serde_json::json;

use crate::packages::{NPM_INSTALL, folder_with, installed, run};
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::upstream::Reply;

#[tokio::test]
async fn wafer2_client_sdk_logs_in_calls_and_logs_in_again_when_its_token_is_dead() {
    let folder = folder_with("wafer2");
    if !installed(&folder, &NPM_INSTALL).await {
        return;
    }
    let config = Config::default()
        .route(r#"path = "/weapp/login", action = "login""#)
        .route(r#"path = "/weapp/user", upstream = "shop""#);
    let gateway = Gateway::with(config).await;
    let json = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    gateway.upstream.on("/weapp/user", Reply::with_head(json, r#"{"code":0,"data":"hello"}"#));
    let (url, wechat) = (gateway.url(""), gateway.wechat.url());
    let variables = [("GATEWAY_URL", url.as_str()), ("WECHAT_URL", wechat.as_str())];
    let got = run(&folder, &["node", "client.js"], &variables).await;

    assert_eq!(got["first"], json!({ "code": 0, "data": "hello" }));
    assert_eq!(got["again"], got["first"], "the call after the logout: {got}");
    assert_eq!(got["statuses"], json!([200, 200, 204, 401, 200, 200]), "{got}");
    assert_eq!(got["user"]["openId"], gateway.wechat.openid("alice"));
    assert_ne!(got["first_skey"], got["second_skey"]);
    let seen = gateway.upstream.requests();
    assert_eq!(seen.len(), 2);
    for request in seen {
        let openid = gateway.wechat.openid("alice");
        assert_eq!(request.read_as("x-wx-openid"), [openid], "{}", request.head);
        assert_eq!(request.read_as("x-wx-skey").len(), 0);
    }
    assert_eq!(gateway.wechat.exchanges().len(), 2);
}
