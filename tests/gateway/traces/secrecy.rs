//! Nothing of users and no secret in what the collector gets (WX-01).

use super::*;

#[tokio::test]
async fn wx_01_no_secret_is_in_a_span() {
    let collector = Collector::start().await;
    let config = collector
        .config()
        .key("session", r#"token_from = ["authorization", "query:t"]"#)
        .key("traces", "headers = { X-Token = \"${OTLP_TOKEN}\" }")
        .variable("OTLP_TOKEN", "collector-token-of-hunter2")
        .route(r#"path = "/phone", action = "phone""#);
    let gateway = Gateway::with(config).await;
    let code = gateway.wechat.code("alice");
    let answer = gateway.get(&format!("/wxLogin?code={code}")).await;
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(gateway.get(&format!("/api/x?t={token}&phone=13800138000")).await.status, 200);
    assert_eq!(gateway.get("/api/y?q=1").token(&token).await.status, 200);
    let openid = gateway.wechat.openid("alice");
    let path = format!("/api/users/13800138000/{openid}");
    assert_eq!(gateway.get(&path).token(&token).await.status, 200);
    let phone_code = gateway.wechat.phone_code("alice");
    let body = serde_json::json!({ "code": phone_code });
    assert_eq!(gateway.post("/phone").token(&token).json(&body).await.status, 200);
    assert_eq!(gateway.get(&format!("/wxLogin?code={code}x")).await.status, 401);
    assert_eq!(gateway.post("/logout").token(&token).await.status, 204);
    let session_key = gateway.wechat.session_key("alice");
    let number = gateway.wechat.phone_number("alice");
    gateway.app.stop(false).await;

    let names: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
    for name in ["POST /phone", "/wxa/business/getuserphonenumber", "/cgi-bin/stable_token"] {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
    for (what, secret) in [
        ("the login code", code.as_str()),
        ("the phone code", &phone_code),
        ("the token", &token),
        ("the token's signature", token.rsplit('.').next().unwrap()),
        ("the openid", &openid),
        ("the session key", &session_key),
        ("the phone number", &number),
        ("the AppSecret", crate::support::wechat::SECRET),
        ("a phone number of the query or the path", "13800138000"),
        ("the collector's own token", "collector-token-of-hunter2"),
    ] {
        for batch in collector.batches() {
            assert!(position(&batch.body, secret.as_bytes()).is_none(), "{what} in a span");
        }
    }
    let batches = collector.batches();
    assert_eq!(batches[0].header("x-token"), Some("collector-token-of-hunter2"));
    assert_eq!(batches[0].header("content-type"), Some("application/x-protobuf"));
}
