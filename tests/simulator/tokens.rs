//! The access tokens.

use serde_json::json;
use wxgate::simulator::{AdminConfirmation, Settings};

use crate::support::{APPID, OTHER_APPID, Reply, SECRET, Wechat};

async fn plain(wechat: &Wechat) -> Reply {
    let query = [("grant_type", "client_credential"), ("appid", APPID), ("secret", SECRET)];
    wechat.get("/cgi-bin/token", &query).await
}

/// The errcode of an API that needs a token.
async fn try_token(wechat: &Wechat, token: &str) -> i64 {
    wechat.get("/cgi-bin/get_api_domain_ip", &[("access_token", token)]).await.errcode()
}

fn token(reply: &Reply) -> String {
    reply.json()["access_token"].as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned()
}

#[tokio::test]
async fn a_grant_has_two_members_and_no_errcode() {
    let wechat = Wechat::start().await;
    for reply in [plain(&wechat).await, wechat.stable_token(false).await] {
        assert_eq!(reply.status, 200);
        assert_eq!(reply.content_type, "application/json; encoding=utf-8");
        let text = format!(r#"{{"access_token":"{}","expires_in":7200}}"#, token(&reply));
        assert_eq!(reply.text, text);
        assert!(token(&reply).len() >= 136);
    }
}

#[tokio::test]
async fn a_stable_token_is_the_same_until_its_last_five_minutes() {
    let wechat = Wechat::start().await;
    let first = token(&wechat.stable_token(false).await);
    wechat.advance(6800);
    let again = wechat.stable_token(false).await;
    assert_eq!(token(&again), first);
    let left = again.json()["expires_in"].as_u64().unwrap();
    assert!((390..=400).contains(&left));
    wechat.advance(120);
    let renewed = token(&wechat.stable_token(false).await);
    assert_ne!(renewed, first);
    assert_eq!((try_token(&wechat, &first).await, try_token(&wechat, &renewed).await), (0, 0));
    wechat.advance(300);
    assert_eq!(try_token(&wechat, &first).await, 40001);
}

#[tokio::test]
async fn a_forced_refresh_kills_the_old_token_and_leaves_the_plain_one() {
    let wechat = Wechat::start().await;
    let (old, other) = (wechat.token().await, token(&plain(&wechat).await));
    let new = token(&wechat.stable_token(true).await);
    assert_eq!(try_token(&wechat, &old).await, 40001);
    assert_eq!((try_token(&wechat, &new).await, try_token(&wechat, &other).await), (0, 0));
    assert_eq!(wechat.token().await, new);
    assert_eq!(wechat.stable_token(true).await.errcode(), 45011);
    wechat.advance(30);
    assert_eq!(wechat.stable_token(true).await.errcode(), 0);
}

#[tokio::test]
async fn a_new_plain_token_overlaps_with_the_old_one() {
    let wechat = Wechat::start().await;
    let (first, second) = (token(&plain(&wechat).await), token(&plain(&wechat).await));
    assert_ne!(first, second);
    assert_eq!(try_token(&wechat, &first).await, 0);
    wechat.advance(301);
    assert_eq!(try_token(&wechat, &first).await, 40001);
    wechat.advance(7200);
    assert_eq!(try_token(&wechat, &second).await, 42001);
}

#[tokio::test]
async fn bad_tokens_are_named_in_wechats_words() {
    let wechat = Wechat::start().await;
    let ask = async |token: &str| {
        let reply = wechat.get("/cgi-bin/get_api_domain_ip", &[("access_token", token)]).await;
        let errmsg = reply.errmsg();
        let (text, rid) = errmsg.rsplit_once(" rid: ").unwrap();
        assert!(rid.len() == 26 && !text.ends_with(','), "no comma in this family: {errmsg}");
        (reply.errcode(), text.to_owned())
    };
    assert_eq!(ask("").await, (41001, "access_token missing".to_owned()));
    assert_eq!(ask("nonsense").await, (40014, "invalid access_token".to_owned()));
    let (errcode, text) = ask(&format!("98_{}", "x".repeat(140))).await;
    assert_eq!(errcode, 40001);
    assert!(text.starts_with("invalid credential, access_token is invalid or not latest"));
}

#[tokio::test]
async fn the_app_is_checked_before_the_grant_type() {
    let wechat = Wechat::start().await;
    let ask = async |query: &[(&str, &str)]| wechat.get("/cgi-bin/token", query).await.errcode();
    assert_eq!(ask(&[]).await, 41002);
    assert_eq!(ask(&[("appid", "wx1")]).await, 40013);
    assert_eq!(ask(&[("appid", APPID)]).await, 41004);
    assert_eq!(ask(&[("appid", APPID), ("secret", "x")]).await, 40125);
    assert_eq!(ask(&[("appid", APPID), ("secret", SECRET)]).await, 40002);
    let reply = wechat.get("/cgi-bin/stable_token", &[]).await;
    assert_eq!(reply.errcode(), 43002);
    assert!(reply.errmsg().starts_with("require POST method rid: "));
    assert_eq!(wechat.post("/cgi-bin/stable_token", &[], "").await.errcode(), 44002);
    assert_eq!(wechat.post("/cgi-bin/stable_token", &[], "{").await.errcode(), 47001);
}

#[tokio::test]
async fn the_account_can_refuse_the_caller() {
    let wechat = Wechat::start().await;
    wechat.set(|settings| settings.ip_whitelist = Some(vec!["10.0.0.0/8".to_owned()]));
    let reply = wechat.stable_token(false).await;
    assert_eq!(reply.errcode(), 40164);
    let text = "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist rid: ";
    assert!(reply.errmsg().starts_with(text), "{}", reply.errmsg());
    let code = wechat.world().login(APPID, "alice").unwrap();
    assert_eq!(wechat.exchange(APPID, &code).await.errcode(), 0, "logins know no whitelist");

    let asked = async |change: fn(&mut Settings)| {
        wechat.set(|settings| {
            *settings = Settings::default();
            change(settings);
        });
        plain(&wechat).await.errcode()
    };
    use AdminConfirmation::{Pending, RefusedForDay, RefusedForHour};
    assert_eq!(asked(|settings| settings.admin_confirmation = Some(Pending)).await, 89503);
    assert_eq!(asked(|settings| settings.admin_confirmation = Some(RefusedForDay)).await, 89506);
    assert_eq!(asked(|settings| settings.admin_confirmation = Some(RefusedForHour)).await, 89507);
    assert_eq!(asked(|_| {}).await, 0);
    let token = wechat.token().await;
    assert_eq!(asked(|settings| settings.frozen_apps = vec![APPID.to_owned()]).await, 40243);
    assert_eq!(try_token(&wechat, &token).await, 40243);
}

#[tokio::test]
async fn limits_are_each_apps_and_can_be_lowered() {
    let wechat = Wechat::start().await;
    let quotas = r#"{"quotas":{"/cgi-bin/token":{"per_day":2}}}"#;
    assert_eq!(wechat.post("/simulator/settings", &[], quotas).await.status, 200);
    assert_eq!((plain(&wechat).await.errcode(), plain(&wechat).await.errcode()), (0, 0));
    let reply = plain(&wechat).await;
    assert_eq!(reply.errcode(), 45009);
    assert!(reply.errmsg().starts_with("reach max api daily quota limit rid: "));
    let query = [("grant_type", "client_credential"), ("appid", OTHER_APPID), ("secret", SECRET)];
    assert_eq!(wechat.get("/cgi-bin/token", &query).await.errcode(), 0);

    let query = [("access_token", wechat.token().await)];
    let query = [("access_token", query[0].1.as_str())];
    let cleared = wechat.post("/cgi-bin/clear_quota", &query, json!({ "appid": APPID })).await;
    assert_eq!(cleared.text, r#"{"errcode":0,"errmsg":"ok"}"#);
    assert_eq!(plain(&wechat).await.errcode(), 0);
}
