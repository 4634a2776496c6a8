//! The content checks.

use serde_json::{Value, json};

use crate::support::{APPID, OTHER_APPID, Reply, Wechat};

async fn check(wechat: &Wechat, body: impl ToString) -> Reply {
    let token = wechat.token().await;
    wechat.post("/wxa/msg_sec_check", &[("access_token", &token)], body).await
}

fn message(openid: &str, content: &str) -> Value {
    json!({ "content": content, "version": 2, "scene": 1, "openid": openid })
}

#[tokio::test]
async fn texts_pass_or_are_risky_or_for_review() {
    let wechat = Wechat::start().await;
    let (openid, _) = wechat.log_in("alice").await;
    wechat.set(|settings| {
        settings.risky_words = vec!["赌博".to_owned()];
        settings.review_words = vec!["hmm".to_owned()];
    });
    let result = async |content| check(&wechat, message(&openid, content)).await.json();
    let pass = result("hello").await;
    assert_eq!(pass["result"], json!({ "suggest": "pass", "label": 100 }));
    let members: Vec<_> = pass.as_object().unwrap().keys().collect();
    assert_eq!(members, ["errcode", "errmsg", "result", "detail", "trace_id"]);
    let risky = result("网上赌博 hmm").await;
    assert_eq!(risky["result"]["suggest"], "risky");
    assert_eq!(risky["detail"][1]["keyword"], "赌博");
    assert_eq!(result("hmm").await["result"]["suggest"], "review");

    let mut alice = wechat.world().user("alice");
    alice.risky_texts = vec!["hello".to_owned()];
    wechat.world().set_user("alice", alice);
    assert_eq!(result("hello").await["result"]["suggest"], "risky");
    let nickname = json!({
        "content": "fine", "nickname": "赌博", "version": 2, "scene": 1, "openid": openid,
    });
    assert_eq!(check(&wechat, nickname).await.json()["result"]["suggest"], "risky");
}

#[tokio::test]
async fn escaped_text_is_not_recognised() {
    let wechat = Wechat::start().await;
    let (openid, _) = wechat.log_in("alice").await;
    wechat.set(|settings| settings.risky_words = vec!["赌博".to_owned()]);
    let escaped = message(&openid, "赌博").to_string().replace("赌博", "\\u8d4c\\u535a");
    assert_eq!(check(&wechat, escaped).await.json()["result"]["suggest"], "pass");
}

#[tokio::test]
async fn version_1_refuses_with_an_errcode() {
    let wechat = Wechat::start().await;
    let reply = check(&wechat, json!({ "content": "so risky" })).await;
    assert_eq!(reply.errcode(), 87014);
    assert!(reply.errmsg().starts_with("risky content rid: "));
    let reply = check(&wechat, json!({ "content": "fine" })).await;
    assert_eq!(reply.text, r#"{"errcode":0,"errmsg":"ok"}"#);
}

#[tokio::test]
async fn a_check_is_for_a_user_who_was_there_lately() {
    let wechat = Wechat::start().await;
    let (openid, _) = wechat.log_in("alice").await;
    let errcode = async |body: Value| check(&wechat, body).await.errcode();
    let mut scene = message(&openid, "hello");
    scene["scene"] = json!(5);
    assert_eq!(errcode(scene).await, 40129);
    assert_eq!(errcode(message("oNobody", "hello")).await, 40003);
    let code = wechat.world().login(OTHER_APPID, "alice").unwrap();
    wechat.exchange(OTHER_APPID, &code).await;
    let elsewhere = wechat.world().openid(OTHER_APPID, "alice");
    assert_eq!(errcode(message(&elsewhere, "hello")).await, 43104);
    assert_eq!(errcode(message(&openid, "hello")).await, 0);
    wechat.advance(2 * 3600);
    assert_eq!(errcode(message(&openid, "hello")).await, 61010);
    assert_eq!(check(&wechat, "").await.errcode(), 44002);
    assert_eq!(check(&wechat, "nonsense").await.errcode(), 47001);
}

#[tokio::test]
async fn images_are_checked_by_their_bytes() {
    let wechat = Wechat::start().await;
    let token = wechat.token().await;
    let send = async |image: &[u8]| {
        let mut body = b"--b\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a\"\r\n\
            Content-Type: image/png\r\n\r\n"
            .to_vec();
        body.extend_from_slice(image);
        body.extend_from_slice(b"\r\n--b--\r\n");
        let request = wechat
            .client
            .post(wechat.url("/wxa/img_sec_check", &[("access_token", &token)]))
            .header("content-type", "multipart/form-data; boundary=b")
            .body(body);
        let text = request.send().await.unwrap().text().await.unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    assert_eq!(send(b"\x89PNG\xff").await, json!({ "errcode": 0, "errmsg": "ok" }));
    assert_eq!(send(b"\x89PNG\xffRISKY\0").await["errcode"], 87014);
    assert_eq!(send(&vec![0; (1 << 20) + 1]).await["errcode"], 40006);
    assert_eq!(send(b"").await["errcode"], 41005);
}

#[tokio::test]
async fn media_are_taken_for_later() {
    let wechat = Wechat::start().await;
    let (openid, _) = wechat.log_in("alice").await;
    let token = wechat.token().await;
    let send = async |media_type: u8| {
        let body = json!({
            "openid": openid, "scene": 1, "version": 2, "media_type": media_type,
            "media_url": "https://example.com/a.png",
        });
        wechat.post("/wxa/media_check_async", &[("access_token", &token)], body).await
    };
    let answer = send(2).await.json();
    assert_eq!(answer["errmsg"], "ok");
    assert_eq!(answer["trace_id"].as_str().unwrap().len(), 26);
    assert_eq!(send(3).await.errcode(), 40004);
    assert_eq!(wechat.world().calls("media_check_async").unwrap()[0].appid.as_deref(), Some(APPID));
}
