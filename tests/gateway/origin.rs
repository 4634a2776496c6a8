//! The three front-end snippets of the article that this gateway began with (`origin.txt`), with their
//! own paths and GET parameters, against the `gateway.toml` of this repository.
//!
//! Each of them is `wx.request({ url, data })`: no method, so a GET, whose data become the query.

use serde_json::{Value, json};
use wxgate::simulator::Payload;

use crate::raw::Answer;
use crate::support::gateway::Gateway;
use crate::support::open_data::{encoded, percent};
use crate::support::wechat::{APPID, Wechat};
use crate::upstream::Reply;
use wxgate::clock::Clock;

const FILE: &str = include_str!("../../gateway.toml");

/// The file as it is, but for what is a machine's own: addresses, the appid, and where WeChat is.
fn default_file() -> String {
    let mut text = FILE.to_owned();
    for (theirs, ours) in [
        (r#"listen = ["0.0.0.0:8080"]"#, r#"listen = ["127.0.0.1:0"]"#),
        (r#"appid = "wx4f4bc4dec97d474b""#, &format!(r#"appid = "{APPID}""#)),
        (r#"servers = ["http://127.0.0.1:3000"]"#, r#"servers = ["${UPSTREAM}"]"#),
        ("# [admin] ", "[admin] "),
        (r#"# listen = "127.0.0.1:9901""#, r#"listen = "127.0.0.1:0""#),
        ("# [wechat]\n", "[wechat]\n"),
        (r#"# base_url = "https://api.weixin.qq.com""#, r#"base_url = "${WECHAT}""#),
    ] {
        assert_eq!(text.matches(theirs).count(), 1, "{theirs} in gateway.toml");
        text = text.replace(theirs, ours);
    }
    text
}

async fn open() -> Gateway {
    let clock = Clock::movable();
    let wechat = Wechat::start(clock.clone()).await;
    Gateway::of_file(&default_file(), clock, wechat).await
}

/// `wx.request({ url, data, header })`, as the base library sends it.
async fn wx_request(gateway: &Gateway, path: &str, data: &[(&str, &str)], token: &str) -> Answer {
    let mut request = gateway
        .get(&format!("{path}?{}", encoded(data)))
        .header("content-type", "application/json")
        .header("referer", "https://servicewechat.com/wx0123456789abcdef/0/page-frame.html")
        .header("user-agent", "Mozilla/5.0 (iPhone) MicroMessenger/8.0.50 MiniProgramEnv/iOS");
    if !token.is_empty() {
        request = request.header("Authorization", &format!("Bearer {token}"));
    }
    request.await
}

/// handleWxLogin: wx.login, then `{ code: res.code }` to `/wxLogin`.
async fn handle_wx_login(gateway: &Gateway) -> Value {
    let code = gateway.wechat.code("alice");
    let answer = wx_request(gateway, "/wxLogin", &[("code", &code)], "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn token_of(login: &Value) -> &str {
    login["token"].as_str().unwrap()
}

#[tokio::test]
async fn handle_wx_login_gets_the_openid() {
    let gateway = open().await;
    let login = handle_wx_login(&gateway).await;
    assert_eq!(login["openid"], gateway.wechat.openid("alice"));
    assert!(login.get("session_key").is_none());
}

#[tokio::test]
async fn get_phone_number_by_encrypted_data_gets_the_number() {
    let gateway = open().await;
    let login = handle_wx_login(&gateway).await;
    let number = gateway.wechat.phone_number("alice");
    for plus_as_space in [false, true] {
        let detail = gateway.wechat.sealed("alice", &Payload::Phone);
        let fields =
            [("encryptedData", detail.encrypted_data.as_str()), ("iv", detail.iv.as_str())];
        let answer = if plus_as_space {
            // An old base library, or a hand-made URL.
            let query = format!("encryptedData={}&iv={}", detail.encrypted_data, detail.iv);
            let path = format!("/getUserProfile?{query}");
            gateway.get(&path).token(token_of(&login)).await
        } else {
            wx_request(&gateway, "/getUserProfile", &fields, token_of(&login)).await
        };
        let (told, now) = (answer.json(), gateway.clock.now());
        let timestamp = told["watermark"]["timestamp"].as_u64().unwrap();
        assert!(timestamp <= now && now - timestamp < 60, "{told}");
        let expected = json!({
            "phoneNumber": number,
            "purePhoneNumber": number,
            "countryCode": "86",
            "watermark": { "timestamp": timestamp, "appid": APPID },
        });
        assert_eq!((answer.status, told), (200, expected));
    }
}

#[tokio::test]
async fn get_phone_number_by_code_gets_the_number() {
    let gateway = open().await;
    let login = handle_wx_login(&gateway).await;
    let code = gateway.wechat.phone_code("alice");
    let fields = [("code", code.as_str())];
    let answer = wx_request(&gateway, "/getUserProfileByCode", &fields, token_of(&login)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["purePhoneNumber"], gateway.wechat.phone_number("alice"));
    assert_eq!(answer.json()["countryCode"], "86");
}

#[tokio::test]
async fn get_user_info_and_get_user_profile_of_old_clients_get_the_profile() {
    let gateway = open().await;
    let login = handle_wx_login(&gateway).await;
    for payload in [Payload::UserInfo, Payload::UserProfile] {
        let detail = gateway.wechat.sealed("alice", &payload);
        let fields = [
            ("encryptedData", detail.encrypted_data.as_str()),
            ("iv", detail.iv.as_str()),
            ("rawData", detail.raw_data.as_deref().unwrap()),
            ("signature", detail.signature.as_deref().unwrap()),
        ];
        let answer = wx_request(&gateway, "/getUserProfile", &fields, token_of(&login)).await;
        assert_eq!((answer.status, &answer.json()["nickName"]), (200, &json!("alice")));
    }
}

#[tokio::test]
async fn the_rest_of_the_default_file_serves_the_business() {
    let gateway = open().await;
    let login = handle_wx_login(&gateway).await;
    let token = token_of(&login);
    gateway.upstream.on("/api/bind-phone", Reply::ok("bound"));
    let code = gateway.wechat.phone_code("alice");
    let bound = gateway.post("/api/bind-phone").token(token).json(&json!({ "code": code })).await;
    assert_eq!((bound.status, bound.text().as_str()), (200, "bound"));
    let seen = gateway.upstream.last();
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body["phone_info"]["purePhoneNumber"], gateway.wechat.phone_number("alice"));
    // Another method is a proxied request like any other.
    assert_eq!(gateway.get("/api/bind-phone?x=1").token(token).await.status, 200);
    assert_eq!(gateway.upstream.last().target(), "/api/bind-phone?x=1");
    assert_eq!(gateway.get("/api/orders").await.status, 401);
    assert_eq!(gateway.get("/static/logo.png").await.status, 200);
}

#[tokio::test]
async fn without_the_session_there_is_nothing_to_be_had() {
    let gateway = open().await;
    let detail = {
        gateway.wechat.code("alice");
        gateway.wechat.sealed("alice", &Payload::Phone)
    };
    let sealed =
        format!("encryptedData={}&iv={}", percent(&detail.encrypted_data), percent(&detail.iv));
    let code = gateway.wechat.phone_code("alice");
    for path in [format!("/getUserProfile?{sealed}"), format!("/getUserProfileByCode?code={code}")]
    {
        let answer = gateway.get(&path).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "token_missing"), "{path}");
    }
    assert_eq!(gateway.wechat.calls("getuserphonenumber").len(), 0);
}
