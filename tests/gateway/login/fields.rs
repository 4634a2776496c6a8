//! Where the fields of a login may stand.

use serde_json::json;

use crate::raw::Answer;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt::Jwt;
use crate::support::wechat::{APPID, OTHER_APPID};

fn assert_logged_in(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.json()["token"].is_string());
}

fn assert_refused(gateway: &Gateway, answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
    assert_eq!(gateway.wechat.exchanges().len(), 0, "WeChat was asked");
}

#[tokio::test]
async fn the_code_comes_by_query_form_or_json() {
    let gateway = Gateway::start().await;
    let code = || gateway.wechat.code("alice");
    assert_logged_in(&gateway.get(&format!("/wxLogin?code={}", code())).await);
    assert_logged_in(&gateway.post(&format!("/wxLogin?code={}", code())).await);
    assert_logged_in(&gateway.post("/wxLogin").form(&format!("code={}", code())).await);
    assert_logged_in(&gateway.post("/wxLogin").json(&json!({ "code": code() })).await);
    let by_get = gateway.get(&format!("/wxLogin?code={}", code()));
    assert_logged_in(&by_get.header("content-type", "application/json").await);
    let agreed = code();
    let twice = gateway.post(&format!("/wxLogin?code={agreed}"));
    assert_logged_in(&twice.json(&json!({ "code": agreed })).await);
}

#[tokio::test]
async fn a_login_by_wafer_headers_is_answered_in_wafers_protocol() {
    let gateway = Gateway::start().await;
    let answer = gateway.get("/wxLogin").header("X-WX-Code", &gateway.wechat.code("alice")).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(body["code"], 0);
    assert_eq!(body["data"]["userinfo"]["openId"], gateway.wechat.openid("alice"));
    let skey = body["data"]["skey"].as_str().unwrap();
    assert_eq!(gateway.get("/api/x").header("X-WX-Skey", skey).await.status, 200);

    let refused = gateway.get("/wxLogin").header("X-WX-Code", "0unknown").await;
    assert_eq!(refused.status, 200);
    assert_eq!(refused.json(), json!({ "code": -1, "error": "login_code_invalid" }));
}

#[tokio::test]
async fn a_field_that_is_missing_doubled_or_no_text_is_a_400() {
    let gateway = Gateway::start().await;
    let (one, other) = (gateway.wechat.code("alice"), gateway.wechat.code("alice"));
    let doubled_query = format!("/wxLogin?code={one}&code={one}");
    let two_places = format!("/wxLogin?code={one}");
    let doubled_json = format!(r#"{{"code":"{one}","code":"{one}"}}"#);
    for request in [
        gateway.get("/wxLogin"),
        gateway.get("/wxLogin?code="),
        gateway.get(&doubled_query),
        gateway.post("/wxLogin").form(&format!("code={one}&code={other}")),
        gateway.post("/wxLogin").header("content-type", "application/json").body(doubled_json),
        gateway.post(&two_places).json(&json!({ "code": other })),
        gateway.post(&two_places).form(&format!("code={other}")),
        gateway.get(&two_places).header("x-wx-code", &other),
        gateway.get("/wxLogin").header("x-wx-code", &one).header("x-wx-code", &other),
        gateway.post("/wxLogin").json(&json!({ "code": 7 })),
        gateway.post("/wxLogin").json(&json!({ "code": [one] })),
        gateway.post("/wxLogin").json(&json!([one])),
        gateway.post("/wxLogin").header("content-type", "application/json").body("{"),
    ] {
        let description = format!("{request:?}");
        let answer = request.await;
        assert_eq!(answer.status, 400, "{description}");
        assert_refused(&gateway, &answer, 400, "bad_request");
    }
}

#[tokio::test]
async fn wx_02_a_code_that_wechat_never_gives_is_not_sent_to_it() {
    let gateway = Gateway::start().await;
    let long = "a".repeat(7000);
    for code in ["a%26b", "a%0d%0ab", "a%00", "a+b", "%C3%A9", "a%2f..", &long] {
        let answer = gateway.get(&format!("/wxLogin?code={code}")).await;
        assert_refused(&gateway, &answer, 400, "bad_request");
    }
}

#[tokio::test]
async fn a_phone_code_is_named_as_the_wrong_kind_and_wechat_is_not_asked() {
    let gateway = Gateway::start().await;
    let code = gateway.wechat.world().phone_code(APPID, "alice").unwrap();
    let answer = gateway.get(&format!("/wxLogin?code={code}")).await;
    assert_refused(&gateway, &answer, 400, "wrong_code_kind");
}

#[tokio::test]
async fn a_body_of_another_kind_is_a_415_and_a_large_one_a_413() {
    let gateway = Gateway::start().await;
    let plain = gateway.post("/wxLogin").header("content-type", "text/plain").body("code=a");
    assert_refused(&gateway, &plain.await, 415, "unsupported_media_type");
    let large = gateway.post("/wxLogin").form(&"a".repeat((64 << 10) + 1));
    assert_refused(&gateway, &large.await, 413, "body_too_large");
}

#[tokio::test]
async fn where_a_route_serves_two_apps_the_login_names_one() {
    let gateway = Gateway::with(Config::with_two_apps()).await;
    let (code, other) = (gateway.wechat.code("alice"), gateway.wechat.code_of_other_app("alice"));
    let nameless = gateway.get(&format!("/wxLogin?code={code}")).await;
    assert_refused(&gateway, &nameless, 400, "bad_request");
    let unknown = gateway.get(&format!("/wxLogin?code={code}&appid=wx00000000000000ff")).await;
    assert_refused(&gateway, &unknown, 400, "bad_request");
    let answers = [
        (APPID, gateway.get(&format!("/wxLogin?code={code}&appid={APPID}")).await),
        (OTHER_APPID, gateway.get(&format!("/wxLogin?code={other}&appid={OTHER_APPID}")).await),
    ];
    for (appid, answer) in answers {
        assert_logged_in(&answer);
        assert_eq!(Jwt::read(answer.json()["token"].as_str().unwrap()).claims["aud"], appid);
    }
}

#[tokio::test]
async fn a_route_logs_in_to_the_apps_that_it_serves_and_to_no_other() {
    let config = Config::with_two_apps();
    let config = config.route(r#"path = "/others", action = "login", app = "other""#);
    let gateway = Gateway::with(config).await;
    let (code, other) = (gateway.wechat.code("alice"), gateway.wechat.code_of_other_app("alice"));
    let answer = gateway.get(&format!("/others?code={code}&appid={APPID}")).await;
    assert_refused(&gateway, &answer, 400, "bad_request");
    let answer = gateway.get(&format!("/others?code={other}&appid={OTHER_APPID}")).await;
    assert_logged_in(&answer);
}

#[tokio::test]
async fn wx_04_a_code_of_another_app_is_a_401() {
    let gateway = Gateway::start().await;
    let code = gateway.wechat.code_of_other_app("alice");
    let answer = gateway.get(&format!("/wxLogin?code={code}")).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "login_code_invalid"));
}
