//! A phone code for a number.

use serde_json::{Value, json};
use wxgate::simulator::{Overrides, Payload};

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::open_data::PHONE;
use crate::support::wechat::{APPID, OTHER_APPID};
use crate::upstream::{Reply, Upstream};

#[tokio::test]
async fn a_phone_code_gives_the_phone_info_object() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let code = gateway.wechat.phone_code("alice");
    let answer = gateway.get(&format!("/phone?code={code}")).token(&token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let number = gateway.wechat.phone_number("alice");
    let (told, now) = (answer.json(), gateway.clock.now());
    let timestamp = told["watermark"]["timestamp"].as_u64().unwrap();
    assert!(timestamp <= now && now - timestamp < 60, "{told}");
    let expected = json!({
        "phoneNumber": number,
        "purePhoneNumber": number,
        "countryCode": "86",
        "watermark": { "timestamp": timestamp, "appid": APPID },
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_phone_code_comes_by_query_form_or_json() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let code = || gateway.wechat.phone_code("alice");
    for request in [
        gateway.get(&format!("/phone?code={}", code())),
        gateway.get(&format!("/phone?code={}", code())).header("content-type", "application/json"),
        gateway.post(&format!("/phone?code={}", code())),
        gateway.post("/phone").form(&format!("code={}", code())),
        gateway.post("/phone").json(&json!({ "code": code(), "page": 1 })),
    ] {
        let answer = request.token(&token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn wechat_always_gets_the_openid_of_the_session_beside_the_code() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    for user in ["alice", "bob"] {
        let token = gateway.log_in(user).await;
        let (code, forged) = (gateway.wechat.phone_code(user), gateway.wechat.openid("mallory"));
        let request = gateway.post(&format!("/phone?openid={forged}")).token(&token);
        let request = request.header("x-wx-openid", &forged);
        assert_eq!(request.json(&json!({ "code": code })).await.status, 200);
        let call = gateway.wechat.calls(PHONE).pop().unwrap();
        let body: Value = serde_json::from_str(&call.body).unwrap();
        assert_eq!(body, json!({ "code": code, "openid": gateway.wechat.openid(user) }));
        let names: Vec<_> = call.query.keys().collect();
        assert_eq!(names, ["access_token"], "the code is nowhere else");
    }
}

#[tokio::test]
async fn a_foreign_number_keeps_its_prefix() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let mut user = gateway.wechat.world().user("alice");
    user.country_code = "852".to_owned();
    user.phone_number = "61234567".to_owned();
    gateway.wechat.world().set_user("alice", user);
    let token = gateway.log_in("alice").await;
    let code = gateway.wechat.phone_code("alice");
    let info = gateway.get(&format!("/phone?code={code}")).token(&token).await.json();
    assert_eq!(info["phoneNumber"], "+85261234567");
    assert_eq!(
        (&info["purePhoneNumber"], &info["countryCode"]),
        (&json!("61234567"), &json!("852"))
    );
}

/// A WeChat that is told word by word what it answers.
async fn with_dictated_wechat(phone_answer: &str) -> (Gateway, Upstream, String) {
    let wechat = Upstream::start().await;
    let session = r#"{"session_key":"tiihtNczf5v6AKRyjwEUhQ==","openid":"oABC"}"#;
    wechat.on("/sns/jscode2session", Reply::ok(session));
    let token = r#"{"access_token":"dictated","expires_in":7200}"#;
    wechat.on("/cgi-bin/stable_token", Reply::ok(token));
    wechat.on("/wxa/business/getuserphonenumber", Reply::ok(phone_answer));
    let config = Config::with_open_data().variable("WECHAT", wechat.url());
    let gateway = Gateway::with(config).await;
    let login = gateway.get("/wxLogin?code=0any").await;
    let token = login.json()["token"].as_str().unwrap().to_owned();
    (gateway, wechat, token)
}

#[tokio::test]
async fn the_country_code_is_a_string_where_wechat_writes_a_number_and_the_rest_is_untouched() {
    let answer = r#"{"errcode":0,"errmsg":"ok","phone_info":{"new":1.50e3,"phoneNumber":"13800000000","purePhoneNumber":"13800000000","countryCode":86,"watermark":{"timestamp":1637744274,"appid":"wx0123456789abcdef"},"big":12345678901234567890123}}"#;
    let (gateway, _wechat, token) = with_dictated_wechat(answer).await;
    let code = "a".repeat(64);
    let info = gateway.get(&format!("/phone?code={code}")).token(&token).await;
    assert_eq!(
        info.text(),
        r#"{"new":1.50e3,"phoneNumber":"13800000000","purePhoneNumber":"13800000000","countryCode":"86","watermark":{"timestamp":1637744274,"appid":"wx0123456789abcdef"},"big":12345678901234567890123}"#
    );
}

#[tokio::test]
async fn a_phone_answer_that_holds_no_number_is_a_bad_answer() {
    for answer in [
        r#"{"errcode":0,"errmsg":"ok"}"#,
        r#"{"errcode":0,"errmsg":"ok","phone_info":null}"#,
        r#"{"errcode":0,"errmsg":"ok","phone_info":{"countryCode":"86"}}"#,
        r#"{"errcode":0,"errmsg":"ok","phone_info":{"phoneNumber":1,"purePhoneNumber":1,"countryCode":"86"}}"#,
        r#"{"errcode":"0","phone_info":"13800000000"}"#,
        "<html>13800000000</html>",
        "",
    ] {
        let (gateway, _wechat, token) = with_dictated_wechat(answer).await;
        let refused = gateway.get(&format!("/phone?code={}", "a".repeat(64))).token(&token).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (502, "wechat_bad_answer"),
            "{answer}"
        );
        assert!(!refused.text().contains("13800000000"));
    }
}

#[tokio::test]
async fn a_session_of_one_of_two_apps_is_served_as_that_apps() {
    let other = format!("appid = \"{OTHER_APPID}\"\nsecret = \"${{SECRET}}\"");
    let gateway = Gateway::with(Config::with_open_data().table("apps.other", &other)).await;
    let world = gateway.wechat.world();
    let mut tokens = Vec::new();
    for appid in [APPID, OTHER_APPID] {
        let code = world.login(appid, "alice").unwrap();
        let login = gateway.get(&format!("/wxLogin?code={code}&appid={appid}")).await.json();
        tokens.push(login["token"].as_str().unwrap().to_owned());
    }
    for (token, appid, not_its) in
        [(&tokens[0], APPID, OTHER_APPID), (&tokens[1], OTHER_APPID, APPID)]
    {
        let code = world.phone_code(appid, "alice").unwrap();
        let answer = gateway.get(&format!("/phone?code={code}")).token(token).await;
        assert_eq!(answer.json()["watermark"]["appid"], appid, "{answer:?}");
        assert_eq!(gateway.wechat.calls(PHONE).pop().unwrap().appid.as_deref(), Some(appid));
        let code = world.phone_code(not_its, "alice").unwrap();
        let answer = gateway.get(&format!("/phone?code={code}")).token(token).await;
        assert_eq!(answer.code(), "phone_code_refused");
        let seal = |appid: &str| {
            world.encrypt(appid, "alice", &Payload::Phone, &Overrides::default()).unwrap()
        };
        assert_eq!(gateway.send_sealed("/phone", token, &seal(appid)).await.status, 200);
        assert_eq!(gateway.send_sealed("/phone", token, &seal(not_its)).await.status, 409);
    }
}
