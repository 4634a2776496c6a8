//! The content checks, as calls.

use bytes::Bytes;
use wxgate::refusal::{Reason, Refusal};
use wxgate::secret::Secret;
use wxgate::wechat::client::{ImageType, Scene, Suggest, Text};
use wxgate::wechat::user::OpenId;

use crate::support::Wechat;

async fn text(wechat: &Wechat, openid: &OpenId, content: &str) -> Result<Suggest, Refusal> {
    let text = Text { openid, scene: Scene::Profile, content };
    let call = |token: Secret| async move { wechat.client.msg_sec_check(&token, &text).await };
    wechat.replica().call_with_token(&wechat.app, call).await
}

async fn image(wechat: &Wechat, bytes: &'static [u8]) -> Result<Suggest, Refusal> {
    let call = |token: Secret| async move {
        wechat.client.img_sec_check(&token, Bytes::from_static(bytes), ImageType::Png).await
    };
    wechat.replica().call_with_token(&wechat.app, call).await
}

#[tokio::test]
async fn a_text_passes_or_is_risky_or_for_review() {
    let wechat = Wechat::start().await;
    let (user, _) = wechat.log_in("alice").await;
    assert_eq!(text(&wechat, &user.openid, "hello").await.unwrap(), Suggest::Pass);
    assert_eq!(text(&wechat, &user.openid, "so risky").await.unwrap(), Suggest::Risky);
    assert_eq!(text(&wechat, &user.openid, "doubtful").await.unwrap(), Suggest::Review);
}

#[tokio::test]
async fn a_text_goes_as_utf_8_without_escapes() {
    let wechat = Wechat::start().await;
    let (user, _) = wechat.log_in("alice").await;
    wechat.set(|settings| settings.risky_words = vec!["赌博".to_owned()]);
    assert_eq!(text(&wechat, &user.openid, "网上赌博😀").await.unwrap(), Suggest::Risky);
    let call = &wechat.calls("msg_sec_check")[0];
    let openid = user.openid.as_str();
    let sent = format!(r#"{{"content":"网上赌博😀","version":2,"scene":1,"openid":"{openid}"}}"#);
    assert_eq!(call.body, sent);
}

#[tokio::test]
async fn a_text_beyond_wechats_limit_is_not_sent() {
    let wechat = Wechat::start().await;
    let (user, _) = wechat.log_in("alice").await;
    assert_eq!(text(&wechat, &user.openid, &"字".repeat(2500)).await.unwrap(), Suggest::Pass);
    let refusal = text(&wechat, &user.openid, &"字".repeat(2501)).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::BadRequest);
    assert_eq!(wechat.calls("msg_sec_check").len(), 1);
}

#[tokio::test]
async fn a_user_who_has_not_been_there_lately_is_not_checked() {
    let wechat = Wechat::start().await;
    let (user, _) = wechat.log_in("alice").await;
    wechat.advance(2 * 3600);
    let refusal = text(&wechat, &user.openid, "hello").await.unwrap_err();
    assert_eq!(refusal.reason, Reason::WechatUnavailable);
    assert_eq!(refusal.wechat_errcode, Some(61010));
}

#[tokio::test]
async fn an_image_passes_or_is_risky() {
    let wechat = Wechat::start().await;
    assert_eq!(image(&wechat, b"\x89PNG\xff\r\n--\r\n").await.unwrap(), Suggest::Pass);
    assert_eq!(image(&wechat, b"\x89PNG\xffRISKY\0").await.unwrap(), Suggest::Risky);
    let refusal = image(&wechat, b"").await.unwrap_err();
    assert_eq!((refusal.reason, refusal.wechat_errcode), (Reason::BadRequest, Some(41005)));
}

#[tokio::test]
async fn an_image_that_the_public_can_fetch_is_checked_later() {
    let wechat = Wechat::start().await;
    let (user, _) = wechat.log_in("alice").await;
    let (client, openid) = (&wechat.client, &user.openid);
    let url = "https://cdn.example.com/avatars/a.png";
    let call = |token: Secret| async move {
        client.media_check_async(&token, openid, Scene::Profile, url).await
    };
    let trace_id = wechat.replica().call_with_token(&wechat.app, call).await.unwrap();
    assert_eq!(trace_id.len(), 26);
    let body: serde_json::Value =
        serde_json::from_str(&wechat.calls("media_check_async")[0].body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "openid": openid.as_str(), "scene": 1, "version": 2, "media_url": url, "media_type": 2,
        })
    );
}
