//! One valid session key for each user and app, and who may ask about it.

use ring::hmac;
use wxgate::simulator::{KeyChoice, Overrides, Payload};

use crate::open_data::decrypt;
use crate::support::{APPID, Wechat};

fn signature(session_key: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, session_key.as_bytes());
    hmac::sign(&key, b"").as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn check(wechat: &Wechat, path: &str, openid: &str, session_key: &str) -> serde_json::Value {
    let (token, signature) = (wechat.token().await, signature(session_key));
    let query = [
        ("access_token", token.as_str()),
        ("openid", openid),
        ("signature", &signature),
        ("sig_method", "hmac_sha256"),
    ];
    wechat.get(path, &query).await.json()
}

#[tokio::test]
async fn logins_close_together_share_a_key_and_later_ones_do_not() {
    let wechat = Wechat::start().await;
    let (openid, first) = wechat.log_in("alice").await;
    wechat.advance(50);
    assert_eq!(wechat.log_in("alice").await.1, first);
    wechat.advance(60);
    // The code alone changes the key: nobody has exchanged it yet.
    wechat.world().login(APPID, "alice").unwrap();
    assert_eq!(check(&wechat, "/wxa/checksession", &openid, &first).await["errcode"], 87009);
    let second = wechat.world().session_key(APPID, "alice").unwrap();
    assert_ne!(first, second);
    assert_eq!(check(&wechat, "/wxa/checksession", &openid, &second).await["errcode"], 0);
}

#[tokio::test]
async fn data_is_made_with_the_key_of_the_moment() {
    let wechat = Wechat::start().await;
    let (_, first) = wechat.log_in("alice").await;
    let encrypt = |overrides: &Overrides| {
        wechat.world().encrypt(None, "alice", &Payload::Phone, overrides).unwrap()
    };
    let early = encrypt(&Overrides::default());
    wechat.world().login_with_new_key(APPID, "alice").unwrap();
    let second = wechat.world().session_key(APPID, "alice").unwrap();
    assert!(decrypt(&early, &first).is_some() && decrypt(&early, &second).is_none());
    let late = encrypt(&Overrides::default());
    assert!(decrypt(&late, &second).is_some());
    let stale = encrypt(&Overrides { key: KeyChoice::Previous, ..Overrides::default() });
    assert!(decrypt(&stale, &first).is_some());
}

#[tokio::test]
async fn an_idle_key_dies() {
    let wechat = Wechat::start().await;
    let (openid, key) = wechat.log_in("alice").await;
    wechat.advance(3 * 86_400);
    assert_eq!(check(&wechat, "/wxa/checksession", &openid, &key).await["errcode"], 87009);
    let reset = check(&wechat, "/wxa/resetusersessionkey", &openid, &key).await;
    assert_eq!(reset["errcode"], 87007);
}

#[tokio::test]
async fn reset_replaces_the_key() {
    let wechat = Wechat::start().await;
    let (openid, key) = wechat.log_in("alice").await;
    let reset = check(&wechat, "/wxa/resetusersessionkey", &openid, &key).await;
    let members: Vec<_> = reset.as_object().unwrap().keys().collect();
    assert_eq!(members, ["errcode", "errmsg", "openid", "session_key"]);
    let new = reset["session_key"].as_str().unwrap();
    assert_ne!(new, key);
    assert_eq!(check(&wechat, "/wxa/checksession", &openid, &key).await["errcode"], 87009);
    assert_eq!(check(&wechat, "/wxa/checksession", &openid, new).await["errcode"], 0);
}

#[tokio::test]
async fn checksession_takes_a_body_too_and_names_what_is_wrong() {
    let wechat = Wechat::start().await;
    let (openid, key) = wechat.log_in("alice").await;
    let token = wechat.token().await;
    let ask = async |openid: &str, sig_method: &str| {
        let body = serde_json::json!({
            "openid": openid, "signature": signature(&key), "sig_method": sig_method,
        });
        wechat.post("/wxa/checksession", &[("access_token", &token)], body).await
    };
    let reply = ask(&openid, "hmac_sha256").await;
    assert_eq!(reply.text, r#"{"errcode":0,"errmsg":"ok"}"#);
    assert_eq!(reply.content_type, "application/json; encoding=utf-8");
    assert_eq!(ask(&openid, "md5").await.errcode(), 87008);
    assert_eq!(ask("oNobody", "hmac_sha256").await.errcode(), 40003);
}
