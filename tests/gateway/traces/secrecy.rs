//! Nothing of users and no secret in what the collector gets (WX-01).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wxgate::simulator::Payload;

use super::*;
use crate::support::open_data::{TOKEN, sealed_fields};
use crate::support::wechat::APPID;
use crate::upstream::Seen;

#[tokio::test]
async fn wx_01_no_secret_is_in_a_span() {
    let (collector, in_file) = (Collector::start().await, tempfile::NamedTempFile::new().unwrap());
    std::fs::write(&in_file, "other-token-of-hunter2\n").unwrap();
    let config = collector
        .config()
        .key("session", r#"token_from = ["authorization", "query:t"]"#)
        .key("traces", "headers = { X-Token = \"${OTLP_TOKEN}\" }")
        .key("traces", &format!("headers_file = {{ X-Other = \"{}\" }}", in_file.path().display()))
        .variable("OTLP_TOKEN", "collector-token-of-hunter2")
        .key("identity", "claims = { member_id = \"X-Member-Id\" }")
        .route(r#"path = "/phone", action = "phone""#)
        .route(r#"path = "/open", action = "open-data""#)
        .route(r#"path = "/enter", action = "login", upstream = "shop""#);
    let gateway = Gateway::with(config).await;
    gateway.wechat.set(|settings| settings.unionid = true);
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
    let sealed = gateway.wechat.sealed("alice", &Payload::UserInfo);
    let opened = gateway.post("/open").token(&token).json(&sealed_fields(&sealed)).await;
    assert_eq!(opened.status, 200);
    // Data that no key opens has the key checked, with a signature.
    let forged = serde_json::json!({ "encryptedData": STANDARD.encode([7; 48]), "iv": sealed.iv });
    assert_eq!(gateway.post("/open").token(&token).json(&forged).await.status, 409);
    collector.span("/wxa/checksession").await;
    let claims = r#"{"claims":{"member_id":"member-of-hunter2"}}"#;
    gateway.upstream.on("/enter", Reply::ok(claims));
    let entered = gateway.get(&format!("/enter?code={}", gateway.wechat.code("alice"))).await;
    assert_eq!(entered.status, 200);
    let refreshed = gateway.post("/refresh").token(&token).await;
    let refreshed = refreshed.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(gateway.post("/logout").token(&token).await.status, 204);
    let session_key = gateway.wechat.session_key("alice");
    let number = gateway.wechat.phone_number("alice");
    let unionid = gateway.wechat.world().unionid(APPID, "alice").unwrap();
    let granted = gateway.wechat.calls(TOKEN)[0].answer.clone().unwrap();
    let granted: serde_json::Value = serde_json::from_str(&granted).unwrap();
    let checked = gateway.wechat.calls("checksession")[0].query.clone();
    let signature = checked["signature"].as_str().unwrap();
    gateway.app.stop(false).await;

    let names: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
    for name in ["POST /phone", "/wxa/business/getuserphonenumber", "/cgi-bin/stable_token"] {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
    let mut told = Vec::new();
    for (what, secret) in [
        ("the login code", code.as_str()),
        ("the phone code", &phone_code),
        ("the token", &token),
        ("the token's signature", token.rsplit('.').next().unwrap()),
        ("another token", &refreshed),
        ("a token in a header", entered.header("x-session-token").unwrap()),
        ("the openid", &openid),
        ("the unionid", &unionid),
        ("the access_token", granted["access_token"].as_str().unwrap()),
        ("the signature by the session key", signature),
        ("the sealed data", &sealed.encrypted_data),
        ("its iv", &sealed.iv),
        ("a claim", "member-of-hunter2"),
        ("the session key", &session_key),
        ("the phone number", &number),
        ("the AppSecret", crate::support::wechat::SECRET),
        ("a phone number of the query or the path", "13800138000"),
        ("the collector's own token", "token-of-hunter2"),
    ] {
        let is_told = |batch: &Seen| position(&batch.body, secret.as_bytes()).is_some();
        told.extend(collector.batches().iter().any(is_told).then_some(what));
    }
    assert!(told.is_empty(), "in spans are {told:?}");
    let batches = collector.batches();
    assert_eq!(batches[0].header("x-token"), Some("collector-token-of-hunter2"));
    assert_eq!(batches[0].header("x-other"), Some("other-token-of-hunter2"));
    assert_eq!(batches[0].header("content-type"), Some("application/x-protobuf"));
}
