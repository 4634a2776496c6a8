//! getPhoneNumber: the number of the session's user, and of nobody else.

use serde_json::{Value, json};
use wxgate::refusal::{Reason, Refusal};
use wxgate::secret::Secret;
use wxgate::simulator::{Effect, Fault, Garble};
use wxgate::wechat::user::OpenId;

use crate::support::{APPID, PHONE, Wechat};

async fn ask(wechat: &Wechat, code: &str, openid: &OpenId) -> Result<String, Refusal> {
    let (client, code) = (&wechat.client, Secret::new(code));
    let call = |token: Secret| {
        let code = code.clone();
        async move { client.get_phone_number(&token, &code, openid).await }
    };
    let info = wechat.replica().call_with_token(&wechat.app, call).await?;
    Ok(info.get().to_owned())
}

#[tokio::test]
async fn the_phone_info_is_wechats_own_text() {
    let wechat = Wechat::start().await;
    let (user, _) = wechat.log_in("alice").await;
    let code = wechat.world().phone_code(APPID, "alice").unwrap();
    let info = ask(&wechat, &code, &user.openid).await.unwrap();
    let call = &wechat.calls(PHONE)[0];
    let answer = call.answer.as_deref().unwrap();
    assert_eq!(answer, format!(r#"{{"errcode":0,"errmsg":"ok","phone_info":{info}}}"#));
    let parsed: Value = serde_json::from_str(&info).unwrap();
    assert_eq!(parsed["phoneNumber"], wechat.world().user("alice").phone_number);
}

#[tokio::test]
async fn the_openid_of_the_session_always_goes_with_the_code() {
    let wechat = Wechat::start().await;
    let (user, _) = wechat.log_in("alice").await;
    let code = wechat.world().phone_code(APPID, "alice").unwrap();
    // The retry after a refused token is no exception.
    wechat.refuse(PHONE, 40001, 1);
    ask(&wechat, &code, &user.openid).await.unwrap();
    let calls = wechat.calls(PHONE);
    assert_eq!(calls.len(), 2);
    for call in calls {
        let body: Value = serde_json::from_str(&call.body).unwrap();
        assert_eq!(body, json!({ "code": code, "openid": user.openid.as_str() }));
        assert_eq!(call.query.keys().collect::<Vec<_>>(), ["access_token"]);
    }
}

#[tokio::test]
async fn a_phone_code_of_another_user_is_refused_whatever_the_errcode() {
    for errcode in [40003, 40029] {
        let wechat = Wechat::start().await;
        wechat.set(|settings| settings.phone_mismatch_errcode = errcode);
        let (alice, _) = wechat.log_in("alice").await;
        let code = wechat.world().phone_code(APPID, "bob").unwrap();
        let refusal = ask(&wechat, &code, &alice.openid).await.unwrap_err();
        assert_eq!((refusal.reason, refusal.status()), (Reason::PhoneCodeRefused, 400));
        assert_eq!(refusal.wechat_errcode, Some(errcode));
        assert!(!format!("{refusal:?}").contains(&code));
    }
}

#[tokio::test]
async fn an_answer_without_a_phone_info_is_a_bad_answer() {
    for garble in [Garble::Truncated, Garble::Empty, Garble::Html] {
        let wechat = Wechat::start().await;
        let (user, _) = wechat.log_in("alice").await;
        let code = wechat.world().phone_code(APPID, "alice").unwrap();
        wechat.world().add_fault(Fault::new(PHONE, Effect::Garble(garble))).unwrap();
        let refusal = ask(&wechat, &code, &user.openid).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::WechatBadAnswer, "{garble:?}");
        assert_eq!(wechat.calls(PHONE).len(), 1, "a code is never sent again on its own");
    }
}
