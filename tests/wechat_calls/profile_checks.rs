//! What becomes of a nickname and an avatar, by WeChat's word and the route's.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use wxgate::actions::profile::{Finding, ProfileInput, Profiles, Verdict};
use wxgate::policy::route::{OnCheckOutage, OnReview, ProfileRules};
use wxgate::refusal::Reason;
use wxgate::simulator::{Cut, Effect, Fault};

use crate::support::{STABLE_TOKEN, Wechat, png};

const MSG: &str = "/wxa/msg_sec_check";
const IMG: &str = "/wxa/img_sec_check";
const MEDIA: &str = "/wxa/media_check_async";

fn rules() -> ProfileRules {
    ProfileRules { avatar_size: 4 << 20, ..ProfileRules::default() }
}

fn allowing() -> ProfileRules {
    ProfileRules { on_check_outage: OnCheckOutage::Allow, ..rules() }
}

async fn input(nick_name: Option<&str>, avatar: Option<&[u8]>) -> ProfileInput {
    let mut body = Vec::new();
    if let Some(nick_name) = nick_name {
        let head = "--b\r\nContent-Disposition: form-data; name=\"nickName\"\r\n\r\n";
        body.extend([head.as_bytes(), nick_name.as_bytes(), b"\r\n"].concat());
    }
    if let Some(avatar) = avatar {
        let head =
            "--b\r\nContent-Disposition: form-data; name=\"avatar\"; filename=\"a.png\"\r\n\r\n";
        body.extend([head.as_bytes(), avatar, b"\r\n"].concat());
    }
    body.extend_from_slice(b"--b--\r\n");
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "multipart/form-data; boundary=b".parse().unwrap());
    ProfileInput::parse(None, &headers, &Bytes::from(body), &rules()).await.unwrap()
}

async fn check(
    wechat: &Wechat,
    input: &ProfileInput,
    rules: &ProfileRules,
) -> Result<(Option<Finding>, Option<Finding>), Reason> {
    let (user, _) = wechat.log_in("alice").await;
    let profiles = Profiles::new(wechat.client.clone(), wechat.replica());
    // On a task of its own, as a proxy on many threads needs it.
    let (input, app, rules) = (input.clone(), wechat.app.clone(), rules.clone());
    let checked = tokio::spawn(async move { profiles.check(&input, &user, &app, &rules).await });
    let Verdict { nick_name, avatar } = checked.await.unwrap().map_err(|refusal| refusal.reason)?;
    Ok((nick_name, avatar))
}

/// An image with this text in it.
fn image_with(text: &[u8]) -> Vec<u8> {
    [&png(132, 132), text].concat()
}

#[tokio::test]
async fn what_passes_both_checks_passes() {
    let wechat = Wechat::start().await;
    let profile = input(Some("小明"), Some(&png(132, 132))).await;
    let passed = Some(Finding::Passed);
    assert_eq!(check(&wechat, &profile, &rules()).await, Ok((passed, passed)));
    let sent: Value = serde_json::from_str(&wechat.calls(MSG)[0].body).unwrap();
    let (alice, _) = wechat.log_in("alice").await;
    assert_eq!((&sent["content"], &sent["scene"]), (&"小明".into(), &1.into()));
    assert_eq!(sent["openid"], alice.openid.as_str(), "of the session");
    assert!(wechat.calls(MSG)[0].body.contains("小明"), "not escaped");
    let image = &wechat.calls(IMG)[0];
    assert!(image.body.contains("name=\"media\"; filename=\"media.png\""), "{}", image.body);
    assert_eq!((wechat.calls(MSG).len(), wechat.calls(IMG).len()), (1, 1));
    assert_eq!(wechat.token_calls(), (1, 0), "one token for both");
}

#[tokio::test]
async fn only_what_is_there_is_checked() {
    let wechat = Wechat::start().await;
    let profile = input(Some("Ming"), None).await;
    let verdict = check(&wechat, &profile, &rules()).await;
    assert_eq!(verdict, Ok((Some(Finding::Passed), None)));
    assert!(wechat.calls(IMG).is_empty());
    let wechat = Wechat::start().await;
    let profile = input(None, Some(&png(132, 132))).await;
    let verdict = check(&wechat, &profile, &rules()).await;
    assert_eq!(verdict, Ok((None, Some(Finding::Passed))));
    assert!(wechat.calls(MSG).is_empty());
}

#[tokio::test]
async fn what_is_risky_is_refused_whatever_the_route_says() {
    for rules in [rules(), allowing()] {
        let wechat = Wechat::start().await;
        let profile = input(Some("so risky"), Some(&png(132, 132))).await;
        assert_eq!(check(&wechat, &profile, &rules).await, Err(Reason::ContentRisky));
        let profile = input(Some("Ming"), Some(&image_with(b"RISKY"))).await;
        assert_eq!(check(&wechat, &profile, &rules).await, Err(Reason::ContentRisky));
        assert_eq!(Reason::ContentRisky.entry().status, 422);
    }
}

#[tokio::test]
async fn what_is_for_review_goes_as_the_route_says() {
    let wechat = Wechat::start().await;
    let profile = input(Some("doubtful"), None).await;
    let verdict = check(&wechat, &profile, &rules()).await;
    assert_eq!(verdict, Ok((Some(Finding::ForReview), None)));
    let denying = ProfileRules { on_review: OnReview::Deny, ..allowing() };
    assert_eq!(check(&wechat, &profile, &denying).await, Err(Reason::ContentRisky));
}

#[tokio::test]
async fn an_outage_of_a_check_goes_as_the_route_says() {
    let profile = input(Some("Ming"), Some(&png(132, 132))).await;
    for (effect, reason, is_outage) in [
        (Effect::Errcode(-1, None), Reason::WechatUnavailable, true),
        (Effect::Errcode(45009, None), Reason::WechatUnavailable, true),
        (Effect::Errcode(44991, None), Reason::RateLimited, false),
        (Effect::Errcode(48001, None), Reason::WechatMisconfigured, false),
        (Effect::Errcode(61010, None), Reason::WechatUnavailable, true),
        (Effect::Errcode(40001, None), Reason::WechatUnavailable, true),
        (Effect::HttpStatus(502), Reason::WechatBadAnswer, true),
        (Effect::Errcode(99999, None), Reason::WechatBadAnswer, false),
        (Effect::Cut(Cut::BeforeAnswer), Reason::WechatUnavailable, true),
    ] {
        for api in [MSG, IMG] {
            let wechat = Wechat::start().await;
            wechat.world().add_fault(Fault::new(api, effect.clone())).unwrap();
            let denied = check(&wechat, &profile, &rules()).await;
            assert_eq!(denied, Err(reason), "{api} {effect:?}");
            wechat.advance(60);
            let allowed = check(&wechat, &profile, &allowing()).await;
            if !is_outage {
                assert_eq!(allowed, Err(reason), "{api} {effect:?}");
                continue;
            }
            let (nick_name, avatar) = allowed.unwrap();
            let (down, up) = if api == MSG { (nick_name, avatar) } else { (avatar, nick_name) };
            let expected = (Some(Finding::Unchecked), Some(Finding::Passed));
            assert_eq!((down, up), expected, "{api} {effect:?}");
        }
    }
}

#[tokio::test]
async fn no_access_token_is_an_outage_of_the_checks_where_wechat_is_down() {
    let wechat = Wechat::start().await;
    wechat.refuse(STABLE_TOKEN, -1, None);
    let profile = input(Some("Ming"), Some(&png(132, 132))).await;
    assert_eq!(check(&wechat, &profile, &rules()).await, Err(Reason::WechatUnavailable));
    let unchecked = Some(Finding::Unchecked);
    assert_eq!(check(&wechat, &profile, &allowing()).await, Ok((unchecked, unchecked)));
}

/// Else one forgotten address in the whitelist would end all checks, and nobody would see it.
#[tokio::test]
async fn wrong_settings_are_no_outage_of_the_checks() {
    let wechat = Wechat::start().await;
    wechat.refuse(STABLE_TOKEN, 40164, None);
    let profile = input(Some("Ming"), Some(&png(132, 132))).await;
    for rules in [rules(), allowing()] {
        assert_eq!(check(&wechat, &profile, &rules).await, Err(Reason::WechatMisconfigured));
    }
}

#[tokio::test]
async fn risky_content_is_refused_while_the_other_check_is_down() {
    let wechat = Wechat::start().await;
    wechat.refuse(MSG, -1, None);
    let profile = input(Some("Ming"), Some(&image_with(b"RISKY"))).await;
    assert_eq!(check(&wechat, &profile, &allowing()).await, Err(Reason::ContentRisky));
}

#[tokio::test]
async fn a_file_that_wechat_does_not_take_is_no_outage() {
    let wechat = Wechat::start().await;
    wechat.refuse(IMG, 40006, None);
    let profile = input(None, Some(&png(132, 132))).await;
    assert_eq!(check(&wechat, &profile, &allowing()).await, Err(Reason::BadRequest));
}

#[tokio::test]
async fn an_avatar_beyond_the_check_waits_for_its_public_url() {
    let large = [png(132, 132), vec![0; 1 << 20]].concat();
    for image in [png(751, 100), png(100, 1335), large] {
        let wechat = Wechat::start().await;
        let profile = input(None, Some(&image)).await;
        let refused = check(&wechat, &profile, &rules()).await;
        assert_eq!(refused, Err(Reason::BodyTooLarge), "no 503: another try would not help");
        let unchecked = check(&wechat, &profile, &allowing()).await;
        assert_eq!(unchecked, Ok((None, Some(Finding::Unchecked))));
        let avatar_url = Some("https://cdn.example.com/a/{name}?v=1".to_owned());
        let with_url = ProfileRules { avatar_url, ..rules() };
        let later = check(&wechat, &profile, &with_url).await;
        assert_eq!(later, Ok((None, Some(Finding::Later))));
        assert!(wechat.calls(IMG).is_empty() && wechat.calls(MEDIA).is_empty());
    }
}

#[tokio::test]
async fn a_later_check_has_wechat_fetch_the_avatar() {
    let wechat = Wechat::start().await;
    let (user, _) = wechat.log_in("alice").await;
    let profiles = Profiles::new(wechat.client.clone(), wechat.replica());
    let avatar_url = Some("https://cdn.example.com/a/{name}?v=1".to_owned());
    let with_url = ProfileRules { avatar_url, ..rules() };
    let check = async |rules: &ProfileRules| {
        profiles.check_later("../头 1.png", &user, &wechat.app, rules).await.unwrap()
    };
    assert_eq!(check(&rules()).await, None);
    assert!(check(&with_url).await.is_some());
    let sent: Value = serde_json::from_str(&wechat.calls(MEDIA)[0].body).unwrap();
    let url = "https://cdn.example.com/a/..%2F%E5%A4%B4%201.png?v=1";
    assert_eq!((&sent["media_url"], &sent["media_type"]), (&url.into(), &2.into()));
    assert_eq!(sent["openid"], user.openid.as_str());
}
