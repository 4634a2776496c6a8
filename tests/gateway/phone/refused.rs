//! Phone codes that give no number.

use std::time::Duration;

use serde_json::json;
use wxgate::simulator::{Effect, Fault};

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::open_data::{PHONE, assert_refused};
use crate::support::wechat::OTHER_APPID;

#[tokio::test]
async fn the_other_kind_of_code_and_junk_are_refused_before_wechat_is_asked() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let good = gateway.wechat.phone_code("alice");
    let junk = [
        gateway.wechat.code("alice"),
        good[..63].to_owned(),
        format!("{good}0"),
        "g".repeat(64),
        format!("{}é", &good[..62]),
        format!("{}%0d%0a", &good[..62]),
        format!("{good}%26openid=x"),
        "0".repeat(7000),
    ];
    for code in junk {
        let answer = gateway.get(&format!("/phone?code={code}")).token(&token).await;
        assert_refused(&answer, 400, "wrong_code_kind", &code);
    }
    // And the other way round.
    let answer = gateway.get(&format!("/wxLogin?code={good}")).await;
    assert_refused(&answer, 400, "wrong_code_kind", "a phone code at login");
    assert_eq!(gateway.wechat.calls(PHONE).len(), 0, "WeChat was asked");
    assert_eq!(gateway.wechat.exchanges().len(), 1, "WeChat was asked");
    assert_eq!(gateway.get(&format!("/phone?code={good}")).token(&token).await.status, 200);
}

#[tokio::test]
async fn a_phone_code_that_is_missing_empty_doubled_or_no_text_is_a_400() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let (one, other) = (gateway.wechat.phone_code("alice"), gateway.wechat.phone_code("alice"));
    let json_text = |text: &str| {
        gateway.post("/phone").header("content-type", "application/json").body(text.to_owned())
    };
    for (what, request) in [
        ("nothing", gateway.get("/phone")),
        ("empty", gateway.get("/phone?code=")),
        ("null", gateway.post("/phone").json(&json!({ "code": null }))),
        ("doubled in the query", gateway.get(&format!("/phone?code={one}&code={one}"))),
        ("doubled in JSON", json_text(&format!(r#"{{"code":"{one}","code":"{one}"}}"#))),
        ("doubled in a form", gateway.post("/phone").form(&format!("code={one}&code={other}"))),
        ("two places", gateway.post(&format!("/phone?code={one}")).json(&json!({ "code": other }))),
        ("a number", gateway.post("/phone").json(&json!({ "code": 1 }))),
        ("an array", gateway.post("/phone").json(&json!({ "code": [one] }))),
        ("an object", gateway.post("/phone").json(&json!({ "code": { "code": one } }))),
        ("no object", json_text("[]")),
        ("no JSON", json_text("{\"code\":")),
        ("iv alone", gateway.get("/phone?iv=r7BXXKkLb8qrSNn05n0qiA")),
        ("encryptedData alone", gateway.get("/phone?encryptedData=r7BXXKkLb8qrSNn05n0qiA")),
        ("no base64", gateway.get("/phone?encryptedData=a!&iv=r7BXXKkLb8qrSNn05n0qiA")),
        ("a header", gateway.get("/phone").header("x-wx-code", &one)),
    ] {
        assert_refused(&request.token(&token).await, 400, "bad_request", what);
    }
    let text = gateway.post("/phone").header("content-type", "text/plain");
    let text = text.body(format!("code={one}")).token(&token).await;
    assert_refused(&text, 415, "unsupported_media_type", "text");
    let large = gateway.post("/phone").json(&json!({ "code": one, "x": "x".repeat(64 << 10) }));
    assert_refused(&large.token(&token).await, 413, "body_too_large", "large");
    assert_eq!(gateway.wechat.calls(PHONE).len(), 0, "WeChat was asked");
    assert_eq!(gateway.get(&format!("/phone?code={one}")).token(&token).await.status, 200);
}

#[tokio::test]
async fn without_a_token_there_is_no_number() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let code = gateway.wechat.phone_code("alice");
    let path = format!("/phone?code={code}");
    assert_refused(&gateway.get(&path).await, 401, "token_missing", "no token");
    assert_refused(&gateway.get(&path).token("bad").await, 401, "token_invalid", "a bad one");
    assert_eq!(gateway.wechat.calls(PHONE).len(), 0);
}

#[tokio::test]
async fn a_code_that_is_used_expired_another_users_or_another_apps_gives_nothing() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let used = gateway.wechat.phone_code("alice");
    assert_eq!(gateway.get(&format!("/phone?code={used}")).token(&token).await.status, 200);
    let expired = gateway.wechat.phone_code("alice");
    gateway.clock.advance(Duration::from_secs(301));
    let others = gateway.wechat.phone_code("bob");
    let other_apps = gateway.wechat.world().phone_code(OTHER_APPID, "alice").unwrap();
    for (what, code, errcode) in [
        ("used", used, 40029),
        ("expired", expired, 40029),
        ("another user's", others.clone(), 40003),
        ("another app's", other_apps, 40013),
        ("unknown", "0".repeat(64), 40029),
    ] {
        let answer = gateway.get(&format!("/phone?code={code}")).token(&token).await;
        assert_refused(&answer, 400, "phone_code_refused", what);
        assert_eq!(answer.json()["wechat_errcode"], errcode, "{what}");
    }
    // It was not used up by the wrong one.
    let bob = gateway.log_in("bob").await;
    assert_eq!(gateway.get(&format!("/phone?code={others}")).token(&bob).await.status, 200);
}

#[tokio::test]
async fn every_errcode_of_a_phone_code_has_its_answer() {
    let gateway = Gateway::with(Config::with_open_data()).await;
    let token = gateway.log_in("alice").await;
    let code = gateway.wechat.phone_code("alice");
    for (errcode, status, said) in [
        (-1, 503, "wechat_unavailable"),
        (45009, 503, "wechat_unavailable"),
        (45011, 429, "rate_limited"),
        (40013, 400, "phone_code_refused"),
        (40163, 400, "phone_code_refused"),
        (48001, 503, "wechat_misconfigured"),
        (61024, 503, "wechat_misconfigured"),
        (99999, 502, "wechat_bad_answer"),
    ] {
        gateway.wechat.plays_fault(Fault::new(PHONE, Effect::Errcode(errcode, None)));
        let before = gateway.wechat.calls(PHONE).len();
        let answer = gateway.get(&format!("/phone?code={code}")).token(&token).await;
        assert_refused(&answer, status, said, &errcode.to_string());
        assert_eq!(answer.json()["wechat_errcode"], errcode);
        assert_eq!(answer.header("retry-after").is_some(), matches!(errcode, -1 | 45009 | 45011));
        assert_eq!(gateway.wechat.calls(PHONE).len(), before + 1, "no retry of {errcode}");
    }
    gateway.wechat.recovers();
    assert_eq!(gateway.get(&format!("/phone?code={code}")).token(&token).await.status, 200);
}
