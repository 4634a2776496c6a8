//! getPhoneNumber.

use serde_json::json;

use crate::support::{APPID, OTHER_APPID, Reply, Wechat};

async fn ask(wechat: &Wechat, body: serde_json::Value) -> Reply {
    let token = wechat.token().await;
    wechat.post("/wxa/business/getuserphonenumber", &[("access_token", &token)], body).await
}

#[tokio::test]
async fn a_phone_code_gives_the_number_once() {
    let wechat = Wechat::start().await;
    let code = wechat.world().phone_code(None, "alice").unwrap();
    assert_eq!(code.len(), 64);
    let number = wechat.world().user("alice").phone_number;
    let reply = ask(&wechat, json!({ "code": code })).await;
    let answer = reply.json();
    let timestamp = &answer["phone_info"]["watermark"]["timestamp"];
    let text = format!(
        r#"{{"errcode":0,"errmsg":"ok","phone_info":{{"phoneNumber":"{number}","purePhoneNumber":"{number}","countryCode":"86","watermark":{{"timestamp":{timestamp},"appid":"{APPID}"}}}}}}"#
    );
    assert_eq!(reply.text, text);
    let again = ask(&wechat, json!({ "code": code })).await;
    assert_eq!(again.errcode(), 40029);
    let errmsg = again.errmsg();
    assert!(errmsg.starts_with("invalid code hint: [") && errmsg.contains("] rid: "), "{errmsg}");
}

#[tokio::test]
async fn a_code_with_another_users_openid_is_refused_and_stays_good() {
    let wechat = Wechat::start().await;
    let code = wechat.world().phone_code(None, "alice").unwrap();
    let bob = json!({ "code": code, "openid": wechat.world().openid(APPID, "bob") });
    assert_eq!(ask(&wechat, bob.clone()).await.errcode(), 40003);
    wechat.set(|settings| settings.phone_mismatch_errcode = 40029);
    assert_eq!(ask(&wechat, bob).await.errcode(), 40029);
    let alice = json!({ "code": code, "openid": wechat.world().openid(APPID, "alice") });
    assert_eq!(ask(&wechat, alice).await.errcode(), 0);
}

#[tokio::test]
async fn codes_of_other_kinds_apps_and_times_are_refused() {
    let wechat = Wechat::start().await;
    let login_code = wechat.world().login(None, "alice").unwrap();
    assert_eq!(ask(&wechat, json!({ "code": login_code })).await.errcode(), 40029);
    let phone_code = wechat.world().phone_code(None, "alice").unwrap();
    assert_eq!(wechat.exchange(APPID, &phone_code).await.errcode(), 40029);
    let others = wechat.world().phone_code(OTHER_APPID, "alice").unwrap();
    assert_eq!(ask(&wechat, json!({ "code": others })).await.errcode(), 40013);
    wechat.advance(300);
    assert_eq!(ask(&wechat, json!({ "code": phone_code })).await.errcode(), 40029);
}

#[tokio::test]
async fn a_foreign_number_carries_its_prefix() {
    let wechat = Wechat::start().await;
    let change = r#"{"phone_number":"612345678","country_code":"33"}"#;
    let user = wechat.put("/simulator/users/amélie", change).await.json();
    assert_eq!(user["phone_number"], "612345678");
    let code = wechat.world().phone_code(None, "amélie").unwrap();
    let info = ask(&wechat, json!({ "code": code })).await.json()["phone_info"].clone();
    assert_eq!(info["phoneNumber"], "+33612345678");
    assert_eq!(
        (&info["purePhoneNumber"], &info["countryCode"]),
        (&json!("612345678"), &json!("33"))
    );
}
