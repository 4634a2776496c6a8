//! What WeChat says of a nickname and an avatar, and what the route makes of it.

use serde_json::{Value, json};
use wxgate::simulator::{Cut, Effect, Fault, Garble};

use super::{
    AVATAR, IMAGE_CHECK, LATER_CHECK, NICK_NAME, TEXT_CHECK, config, form, jpeg, png, send,
};
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::open_data::assert_refused;
use crate::upstream::{Gate, Reply};

fn marked_png() -> Vec<u8> {
    [png(132, 132, 100), b"RISKY".to_vec()].concat()
}

#[tokio::test]
async fn the_nickname_is_checked_for_the_sessions_user_in_utf_8() {
    let gateway = Gateway::with(config("")).await;
    let token = gateway.log_in("alice").await;
    let text = r#"{"nickName":"\u5c0f\u7a0b 程序 😀","own":1}"#;
    let request = gateway.post("/profile").token(&token).header("content-type", "application/json");
    assert_eq!(request.body(text).await.status, 200);
    let calls = gateway.wechat.calls(TEXT_CHECK);
    assert_eq!(calls.len(), 1);
    assert!(calls[0].body.contains("小程 程序 😀") && !calls[0].body.contains("\\u"));
    let body: Value = serde_json::from_str(&calls[0].body).unwrap();
    let openid = gateway.wechat.openid("alice");
    let expected = json!({ "content": "小程 程序 😀", "version": 2, "scene": 1, "openid": openid });
    assert_eq!(body, expected);
    assert_eq!(gateway.wechat.calls(IMAGE_CHECK).len(), 0);
}

#[tokio::test]
async fn risky_content_is_a_422_and_never_reaches_the_upstream() {
    for rules in ["", r#", on_review = "pass", on_check_outage = "allow""#] {
        let gateway = Gateway::with(config(rules)).await;
        let token = gateway.log_in("alice").await;
        let (fine, marked) = (png(132, 132, 200), marked_png());
        for (what, body) in [
            ("the nickname", form(&[(NICK_NAME, b"a risky name")])),
            ("the nickname of both", form(&[(NICK_NAME, b"risky"), (AVATAR, &fine)])),
            ("the avatar", form(&[(AVATAR, &marked)])),
            ("the avatar of both", form(&[(AVATAR, &marked), (NICK_NAME, b"alice")])),
        ] {
            let answer = send(&gateway, &token, body).await;
            assert_refused(&answer, 422, "content_risky", what);
            assert!(!answer.text().contains("risky name"), "{what}");
        }
        let request = gateway.post("/profile").token(&token);
        let answer = request.json(&json!({ "nickName": "risky" })).await;
        assert_refused(&answer, 422, "content_risky", "JSON");
        assert_eq!(gateway.upstream.connections(), 0);
    }
}

#[tokio::test]
async fn what_a_human_should_look_at_passes_or_not_as_the_route_says() {
    for (rules, status) in
        [("", 200), (r#", on_review = "pass""#, 200), (r#", on_review = "deny""#, 422)]
    {
        let gateway = Gateway::with(config(rules)).await;
        let token = gateway.log_in("alice").await;
        let answer = send(&gateway, &token, form(&[(NICK_NAME, b"doubtful")])).await;
        assert_eq!(answer.status, status, "{rules}");
        if status == 422 {
            assert_eq!(answer.code(), "content_risky");
        }
        assert_eq!(gateway.upstream.requests().len(), usize::from(status == 200), "{rules}");
    }
}

#[tokio::test]
async fn while_wechats_check_is_down_content_passes_or_not_as_the_route_says() {
    let effects = [
        (Effect::Errcode(-1, None), 503, "wechat_unavailable", true),
        (Effect::Errcode(45009, None), 503, "wechat_unavailable", true),
        (Effect::Errcode(45011, None), 429, "rate_limited", false),
        (Effect::Errcode(44991, None), 429, "rate_limited", false),
        (Effect::Errcode(48001, None), 503, "wechat_misconfigured", false),
        (Effect::Errcode(61010, None), 503, "wechat_unavailable", true),
        (Effect::Cut(Cut::BeforeAnswer), 503, "wechat_unavailable", true),
        (Effect::HttpStatus(500), 502, "wechat_bad_answer", true),
        (Effect::Garble(Garble::Html), 502, "wechat_bad_answer", true),
        (Effect::Errcode(99999, None), 502, "wechat_bad_answer", false),
    ];
    for rules in ["", r#", on_check_outage = "deny""#, r#", on_check_outage = "allow""#] {
        let allows = rules.contains("allow");
        let gateway = Gateway::with(config(rules)).await;
        let token = gateway.log_in("alice").await;
        let image = jpeg();
        for (api, part) in [
            (TEXT_CHECK, (NICK_NAME, b"alice".as_slice())),
            (IMAGE_CHECK, (AVATAR, image.as_slice())),
        ] {
            for (effect, status, code, is_outage) in &effects {
                let allows = allows && *is_outage;
                gateway.wechat.plays_fault(Fault::new(api, effect.clone()));
                let before = gateway.upstream.requests().len();
                let answer = send(&gateway, &token, form(&[part])).await;
                let what = format!("{api} {effect:?} {rules}");
                if allows {
                    assert_eq!(answer.status, 200, "{what}: {answer:?}");
                } else {
                    assert_refused(&answer, *status, code, &what);
                }
                let went = gateway.upstream.requests().len() - before;
                assert_eq!(went, usize::from(allows), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn the_contents_own_fault_never_passes_as_an_outage() {
    let gateway = Gateway::with(config(r#", on_check_outage = "allow""#)).await;
    let token = gateway.log_in("alice").await;
    for errcode in [40004, 40006, 41005] {
        gateway.wechat.plays_fault(Fault::new(IMAGE_CHECK, Effect::Errcode(errcode, None)));
        let answer = send(&gateway, &token, form(&[(AVATAR, &jpeg())])).await;
        assert_refused(&answer, 400, "bad_request", &errcode.to_string());
    }
    assert_eq!(gateway.upstream.connections(), 0);
}

#[tokio::test]
async fn a_token_that_is_turned_away_at_the_check_costs_one_retry() {
    let gateway = Gateway::with(config("")).await;
    let token = gateway.log_in("alice").await;
    let fault = Fault::new(TEXT_CHECK, Effect::Errcode(40001, None)).times(1);
    gateway.wechat.plays_fault(fault);
    assert_eq!(send(&gateway, &token, form(&[(NICK_NAME, b"alice")])).await.status, 200);
    assert_eq!(gateway.wechat.calls(TEXT_CHECK).len(), 2);
}

const SHOWN: &str = r#", avatar_url = "https://cdn.example.com/a/{name}?v=1""#;

#[tokio::test]
async fn a_large_avatar_is_checked_once_the_upstream_has_taken_it() {
    let gateway = Gateway::with(config(SHOWN)).await;
    let token = gateway.log_in("alice").await;
    let gate = Gate::closed();
    gateway.upstream.on("/profile", Reply::ok("taken").once(&gate));
    let named = r#"name="avatar"; filename="头 像/1.png""#;
    let sent = send(&gateway, &token, form(&[(named, &png(2000, 2000, 500))]));
    let watched = async {
        gateway.upstream.until(|seen| seen.len() == 1).await;
        assert_eq!(gateway.wechat.calls(LATER_CHECK).len(), 0, "the upstream has not answered");
        gate.open();
    };
    let (answer, ()) = tokio::join!(sent, watched);
    assert_eq!((answer.status, answer.text().as_str()), (200, "taken"));
    eventually("WeChat is asked", async || gateway.wechat.calls(LATER_CHECK).len() == 1).await;
    let call = gateway.wechat.calls(LATER_CHECK).pop().unwrap();
    let body: Value = serde_json::from_str(&call.body).unwrap();
    let url = "https://cdn.example.com/a/%E5%A4%B4%20%E5%83%8F%2F1.png?v=1";
    let openid = gateway.wechat.openid("alice");
    let expected = json!({
        "media_url": url, "media_type": 2, "version": 2, "scene": 1, "openid": openid,
    });
    assert_eq!((body, call.errcode), (expected, Some(0)));
    assert_eq!(gateway.wechat.calls(IMAGE_CHECK).len(), 0);
}

#[tokio::test]
async fn an_avatar_that_the_upstream_did_not_take_is_not_checked_later() {
    let gateway = Gateway::with(config(SHOWN)).await;
    let token = gateway.log_in("alice").await;
    let large = form(&[(AVATAR, &png(2000, 2000, 500))]);
    for status in ["302 Found", "403 Forbidden", "500 Oops"] {
        let head = format!("HTTP/1.1 {status}\r\n");
        gateway.upstream.on("/profile", Reply::with_head(&head, ""));
        send(&gateway, &token, large.clone()).await;
    }
    gateway.upstream.on("/profile", Reply::hang_up());
    assert_refused(&send(&gateway, &token, large.clone()).await, 502, "upstream_error", "hung up");
    // One that was taken is asked about, and is the only one.
    gateway.upstream.on("/profile", Reply::ok("taken"));
    assert_eq!(send(&gateway, &token, large).await.status, 200);
    eventually("WeChat is asked", async || !gateway.wechat.calls(LATER_CHECK).is_empty()).await;
    assert_eq!(gateway.wechat.calls(LATER_CHECK).len(), 1);
}

#[tokio::test]
async fn without_a_public_place_a_large_avatar_is_too_large_or_passes_as_the_route_says() {
    let large = form(&[(AVATAR, &png(751, 100, 500))]);
    let gateway = Gateway::with(config("")).await;
    let token = gateway.log_in("alice").await;
    let answer = send(&gateway, &token, large.clone()).await;
    assert_refused(&answer, 413, "body_too_large", "deny");
    let gateway = Gateway::with(config(r#", on_check_outage = "allow""#)).await;
    let token = gateway.log_in("alice").await;
    assert_eq!(send(&gateway, &token, large).await.status, 200);
    assert_eq!(gateway.wechat.calls(IMAGE_CHECK).len(), 0);
}
