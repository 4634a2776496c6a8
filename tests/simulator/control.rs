//! The control calls, as a test in another language makes them.

use serde_json::{Value, json};
use wxgate::simulator::OpenData;

use crate::open_data::decrypt;
use crate::support::{APPID, OTHER_APPID, Wechat};

#[tokio::test]
async fn curl_gets_a_bare_code() {
    let wechat = Wechat::start().await;
    let reply = wechat.get("/simulator/code", &[("user", "alice")]).await;
    assert!(reply.status == 200 && reply.text.len() == 32, "{reply:?}");
    let session = wechat.exchange(APPID, &reply.text).await.json();
    assert_eq!(session["openid"], wechat.world().openid(APPID, "alice"));
    let query = [("user", "alice"), ("appid", OTHER_APPID)];
    let code = wechat.get("/simulator/code", &query).await.text;
    assert_eq!(wechat.exchange(OTHER_APPID, &code).await.errcode(), 0);
}

#[tokio::test]
async fn a_whole_session_by_http() {
    let wechat = Wechat::start().await;
    let login = wechat.post("/simulator/login", &[], "").await.json();
    assert_eq!(login["expires_in"], 300);
    let session = wechat.exchange(APPID, login["code"].as_str().unwrap()).await.json();
    let old_key = session["session_key"].as_str().unwrap();

    let request = json!({ "kind": "phone", "watermark": { "timestamp": 7 } });
    let data = wechat.post("/simulator/encrypted-data", &[], request).await.json();
    let opened = decrypt(&open_data(&data), old_key).unwrap();
    assert_eq!(opened["watermark"], json!({ "timestamp": 7, "appid": APPID }));

    wechat.post("/simulator/login", &[], json!({ "new_key": true })).await;
    let request = r#"{"json":{ "a" : 1.0 },"key":"previous","watermark":false}"#;
    let data = wechat.post("/simulator/encrypted-data", &[], request).await.json();
    assert_eq!(decrypt(&open_data(&data), old_key).unwrap(), json!({ "a": 1.0 }));

    let phone = wechat.post("/simulator/phone-code", &[], json!({ "user": "bob" })).await.json();
    assert_eq!(phone["code"].as_str().unwrap().len(), 64);
}

fn open_data(json: &Value) -> OpenData {
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    OpenData {
        encrypted_data: text("encryptedData"),
        iv: text("iv"),
        raw_data: None,
        signature: None,
    }
}

#[tokio::test]
async fn users_are_read_and_changed() {
    let wechat = Wechat::start().await;
    let user = wechat.get("/simulator/users/alice", &[]).await.json();
    assert_eq!(user["openids"][APPID], wechat.world().openid(APPID, "alice"));
    let changed = wechat.put("/simulator/users/alice", json!({ "blocked": true })).await.json();
    assert_eq!(changed["blocked"], true);
    assert_eq!(changed["phone_number"], user["phone_number"], "the rest stays as it was");
    let code = wechat.world().login(APPID, "alice").unwrap();
    assert_eq!(wechat.exchange(APPID, &code).await.errcode(), 40226);
}

#[tokio::test]
async fn calls_are_kept_newest_last() {
    let wechat = Wechat::start().await;
    wechat.exchange(APPID, "first").await;
    wechat.stable_token(false).await;
    wechat.exchange(APPID, "second").await;
    let calls = wechat.get("/simulator/calls", &[("api", "jscode2session")]).await.json();
    let codes: Vec<_> =
        calls.as_array().unwrap().iter().map(|call| &call["query"]["js_code"]).collect();
    assert_eq!(codes, ["first", "second"]);
    assert_eq!(calls[0]["errcode"], 40029);
    assert_eq!(calls[0]["method"], "GET");
    assert!(calls[0]["headers"]["host"].is_string());
    let all = wechat.get("/simulator/calls", &[]).await.json();
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert!(all[1]["body"].as_str().unwrap().contains("client_credential"));
    assert_eq!(wechat.delete("/simulator/calls").await.status, 204);
    assert_eq!(wechat.get("/simulator/calls", &[]).await.json(), json!([]));
}

#[tokio::test]
async fn faults_are_listed_as_they_were_given() {
    let wechat = Wechat::start().await;
    let fault = json!({ "api": "stable_token", "times": 2, "delay_ms": 5, "garble": "html" });
    let listed = wechat.post("/simulator/faults", &[], fault).await.json();
    let expected = json!([{
        "api": "/cgi-bin/stable_token", "times": 2, "delay_ms": 5, "garble": "html",
    }]);
    assert_eq!(listed, expected);
    wechat.stable_token(false).await;
    assert_eq!(wechat.get("/simulator/faults", &[]).await.json()[0]["times"], 1);
    assert_eq!(wechat.delete("/simulator/faults").await.status, 204);
    assert_eq!(wechat.stable_token(false).await.errcode(), 0);
}

#[tokio::test]
async fn the_clock_is_moved() {
    let wechat = Wechat::start().await;
    let code = wechat.world().login(APPID, "alice").unwrap();
    let reply = wechat.post("/simulator/advance", &[], json!({ "seconds": 300 })).await;
    assert_eq!(reply.status, 200);
    assert_eq!(wechat.exchange(APPID, &code).await.errcode(), 40029);
}

#[tokio::test]
async fn wrong_calls_are_told_what_is_right() {
    let wechat = Wechat::start().await;
    let error = async |path: &str, body: &str| {
        let reply = wechat.post(path, &[], body).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        reply.json()["error"].as_str().unwrap().to_owned()
    };
    assert!(error("/simulator/login", r#"{"usr":"a"}"#).await.contains("`user`"));
    assert!(error("/simulator/login", r#"{"appid":"wx1"}"#).await.contains("16 lowercase hex"));
    assert!(error("/simulator/encrypted-data", "{}").await.contains("user_profile"));
    let nobody = error("/simulator/encrypted-data", r#"{"kind":"phone"}"#).await;
    assert!(nobody.contains("get a login code first"));
    let unknown = error("/simulator/faults", r#"{"api":"login","errcode":1}"#).await;
    assert!(unknown.contains("/sns/jscode2session"));
    assert!(error("/simulator/faults", "{}").await.contains("delay_ms"));
    let both = error("/simulator/faults", r#"{"errcode":1,"cut":"in_body"}"#).await;
    assert!(both.contains("one effect"));
    let list = error("/simulator/settings", r#"{"ip_whitelist":["here"]}"#).await;
    assert!(list.contains("10.0.0.0/8"));
    assert!(error("/simulator/settings", r#"{"tokens":1}"#).await.contains("token_seconds"));
    assert!(error("/simulator/advance", "{}").await.contains("seconds"));
    let missing = wechat.get("/simulator/nothing", &[]).await;
    assert!(missing.status == 404 && missing.text.contains("GET /simulator"));
    assert_eq!(wechat.get("/simulator/login", &[]).await.status, 405);
    assert!(wechat.get("/simulator", &[]).await.text.contains("/simulator/advance"));
}
