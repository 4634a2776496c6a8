//! What WeChat's errcodes come to.

use serde_json::json;
use wxgate::simulator::Effect;

use crate::support::gateway::Gateway;

#[tokio::test]
async fn rel_02_every_errcode_has_its_status_and_its_code() {
    let gateway = Gateway::start().await;
    for (errcode, status, code, retry_after) in [
        (-1, 503, "wechat_unavailable", true),
        (40002, 503, "wechat_misconfigured", false),
        (40013, 503, "wechat_misconfigured", false),
        (40029, 401, "login_code_invalid", false),
        (40125, 503, "wechat_misconfigured", false),
        (40163, 401, "login_code_used", false),
        (40164, 503, "wechat_misconfigured", false),
        (40226, 403, "user_blocked", false),
        (40243, 503, "wechat_misconfigured", false),
        (41002, 503, "wechat_misconfigured", false),
        (41004, 503, "wechat_misconfigured", false),
        (41008, 400, "bad_request", false),
        (45009, 503, "wechat_unavailable", true),
        (45011, 429, "rate_limited", true),
        (99999, 502, "wechat_bad_answer", false),
    ] {
        gateway.wechat.plays(Effect::Errcode(errcode, None));
        let login = gateway.wechat.code("alice");
        let answer = gateway.get(&format!("/wxLogin?code={login}")).await;
        let problem = answer.json();
        assert_eq!((answer.status, &problem["code"]), (status, &json!(code)), "{errcode}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["wechat_errcode"], errcode);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.header("retry-after").is_some(), retry_after, "{errcode}");
        assert_eq!(answer.header("x-request-id"), problem["request_id"].as_str());
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
        for name in ["type", "title", "detail"] {
            assert!(problem[name].is_string(), "{name} is missing: {problem}");
        }
        assert!(!answer.text().contains("rid"), "WeChat's own words: {problem}");
        assert_eq!(gateway.wechat.asked_about(&login), 1, "{errcode}");

        let again = gateway.get(&format!("/wxLogin?code={login}")).await;
        assert_eq!((again.status, again.code().as_str()), (status, code), "{errcode} again");
        assert_eq!(gateway.wechat.asked_about(&login), 1, "{errcode} asked again");
    }
}

#[tokio::test]
async fn an_errcode_of_zero_is_a_success() {
    // The documentation's own example has it beside the session.
    let wechat = crate::upstream::Upstream::start().await;
    let session =
        r#"{"errcode":0,"errmsg":"ok","session_key":"tiihtNczf5v6AKRyjwEUhQ==","openid":"oABC"}"#;
    wechat.on("/sns/jscode2session", crate::upstream::Reply::ok(session));
    let config = crate::support::config::Config::default();
    let gateway =
        Gateway::with(config.table("wechat", &format!("base_url = \"{}\"", wechat.url()))).await;
    let answer = gateway.get("/wxLogin?code=0abc").await;
    assert_eq!(answer.json()["openid"], "oABC");
}

#[tokio::test]
async fn an_app_secret_that_wechat_does_not_take_is_the_operators_matter() {
    let wrong = "ffffffffffffffffffffffffffffffff";
    let config = crate::support::config::Config::default().variable("SECRET", wrong);
    let gateway = Gateway::with(config).await;
    let code = gateway.wechat.code("alice");
    let answer = gateway.get(&format!("/wxLogin?code={code}")).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "wechat_misconfigured"));
    assert_eq!(answer.json()["wechat_errcode"], 40125);
}
