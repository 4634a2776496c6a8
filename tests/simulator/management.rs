//! The APIs about the APIs, and paths that are none.

use serde_json::json;

use crate::support::{APPID, OTHER_APPID, SECRET, Wechat};

#[tokio::test]
async fn a_rid_leads_to_its_call() {
    let wechat = Wechat::start().await;
    let token = wechat.token().await;
    let query = [("access_token", token.as_str())];
    let failed =
        wechat.post("/wxa/business/getuserphonenumber", &query, r#"{"code":"nope"}"#).await;
    let errmsg = failed.errmsg();
    let (_, rid) = errmsg.rsplit_once("rid: ").unwrap();
    let look = async |rid: &str, token: &str| {
        let query = [("access_token", token)];
        wechat.post("/cgi-bin/openapi/rid/get", &query, json!({ "rid": rid })).await
    };
    let found = look(rid, &token).await.json()["request"].clone();
    assert_eq!(found["request_body"], r#"{"code":"nope"}"#);
    assert_eq!(found["response_body"], failed.text);
    assert_eq!(found["client_ip"], "127.0.0.1");
    assert_eq!(look("nonsense", &token).await.errcode(), 76002);
    assert_eq!(look("00000000-00000000-00000000", &token).await.errcode(), 76001);
    let others = [("grant_type", "client_credential"), ("appid", OTHER_APPID), ("secret", SECRET)];
    let others = wechat.get("/cgi-bin/token", &others).await.json();
    assert_eq!(look(rid, others["access_token"].as_str().unwrap()).await.errcode(), 76003);
    let login = wechat.exchange(APPID, "nope").await.errmsg();
    let (_, login) = login.rsplit_once("rid: ").unwrap();
    assert_eq!(look(login, &token).await.errcode(), 76022);
    wechat.advance(7 * 86_400);
    assert_eq!(look(rid, &wechat.token().await).await.errcode(), 76004);
}

#[tokio::test]
async fn quotas_are_told() {
    let wechat = Wechat::start().await;
    let (openid, _) = wechat.log_in("alice").await;
    let token = wechat.token().await;
    let query = [("access_token", token.as_str())];
    let text = json!({ "content": "hi", "version": 2, "scene": 1, "openid": openid });
    wechat.post("/wxa/msg_sec_check", &query, text).await;
    let ask = async |path: &str| {
        wechat.post("/cgi-bin/openapi/quota/get", &query, json!({ "cgi_path": path })).await.json()
    };
    let quota = ask("/wxa/msg_sec_check").await;
    let expected = json!({ "daily_limit": 2_000_000, "used": 1, "remain": 1_999_999 });
    assert_eq!(quota["quota"], expected);
    assert_eq!(quota["rate_limit"], json!({ "call_count": 4000, "refresh_second": 60 }));
    assert_eq!(ask("/wxa/nothing").await["errcode"], 76021);
    assert_eq!(ask("/sns/jscode2session").await["errcode"], 76022);
}

#[tokio::test]
async fn clearing_is_for_the_own_app_and_ten_times_a_month() {
    let wechat = Wechat::start().await;
    let token = wechat.token().await;
    let clear = async |appid: &str| {
        let query = [("access_token", token.as_str())];
        wechat.post("/cgi-bin/clear_quota", &query, json!({ "appid": appid })).await.errcode()
    };
    assert_eq!(clear(OTHER_APPID).await, 40013);
    for _ in 0..10 {
        assert_eq!(clear(APPID).await, 0);
    }
    assert_eq!(clear(APPID).await, 48006);
}

#[tokio::test]
async fn addresses_are_this_machines() {
    let wechat = Wechat::start().await;
    let token = wechat.token().await;
    let reply = wechat.get("/cgi-bin/get_api_domain_ip", &[("access_token", &token)]).await;
    assert_eq!(reply.text, r#"{"ip_list":["127.0.0.1"]}"#);
}

#[tokio::test]
async fn unknown_paths_are_refused_as_wechat_does() {
    let wechat = Wechat::start().await;
    let reply = wechat.get("/wxa/nothing", &[]).await;
    assert_eq!((reply.status, reply.errcode()), (200, 40066));
    assert!(reply.errmsg().starts_with("invalid url rid: "));
    let reply = wechat.get("/favicon.ico", &[]).await;
    assert_eq!((reply.status, reply.content_type.as_str()), (404, "text/html"));
}
