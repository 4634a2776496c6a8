//! `login` with an upstream: it may refuse, and the session stands or falls with its word.

use serde_json::json;

use super::{body, config, json_reply};
use crate::raw::Answer;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::open_data::assert_refused;
use crate::support::wechat::{APPID, OTHER_APPID};
use crate::upstream::{Gate, Reply};

async fn enter(gateway: &Gateway, user: &str) -> Answer {
    let code = gateway.wechat.code(user);
    gateway.get(&format!("/enter?code={code}")).await
}

/// The token that an answer brings in its header.
fn token_of(answer: &Answer) -> String {
    answer.header("x-session-token").unwrap_or_else(|| panic!("no token: {answer:?}")).to_owned()
}

#[tokio::test]
async fn the_upstream_of_a_login_is_told_who_it_is_and_answers_with_the_token_in_a_header() {
    let gateway = Gateway::with(config("")).await;
    gateway.wechat.set(|settings| settings.unionid = true);
    gateway.upstream.on("/enter", json_reply(r#"{"welcome":"alice","n":1.50e3}"#));
    let code = gateway.wechat.code("alice");
    let own = r#"{"shop":7,"big":12345678901234567890123,"#;
    let request = gateway.post("/enter?from=qr").header("content-type", "application/json");
    let answer = request.body(format!(r#"{own}"code":"{code}","appid":"{APPID}"}}"#)).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"welcome":"alice","n":1.50e3}"#));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("set-cookie"), None);
    let seen = gateway.upstream.only();
    let openid = gateway.wechat.openid("alice");
    let unionid = gateway.wechat.world().unionid(APPID, "alice");
    assert_eq!(
        String::from_utf8_lossy(&seen.body),
        format!(
            r#"{own}"from":"qr","openid":"{openid}","appid":"{APPID}","first_login":true,"unionid":"{}"}}"#,
            unionid.clone().unwrap()
        )
    );
    body(&seen);
    assert_eq!(seen.target(), "/enter?from=qr");
    assert_eq!(seen.read_as("x-wx-openid"), [openid]);
    assert_eq!(seen.header("x-wx-unionid"), unionid.as_deref());
    assert_eq!(seen.header("x-wx-appid"), Some(APPID));
    let token = token_of(&answer);
    let key = gateway.wechat.session_key("alice");
    assert!(!seen.holds(&code) && !seen.holds(&token) && !seen.holds(&key), "{}", seen.head);
    assert_eq!(gateway.get("/api/x").token(&token).await.status, 200);
    gateway.assert_opens(&token, "alice").await;
}

#[tokio::test]
async fn the_first_login_is_the_first_and_no_other() {
    let gateway = Gateway::with(config("")).await;
    let mut first = Vec::new();
    for user in ["alice", "alice", "bob", "alice", "bob"] {
        assert_eq!(enter(&gateway, user).await.status, 200);
        first.push(body(&gateway.upstream.last())["first_login"].clone());
    }
    assert_eq!(first, [true, false, true, false, false]);
}

#[tokio::test]
async fn a_first_login_that_its_upstream_refuses_leaves_the_next_one_the_first() {
    let gateway = Gateway::with(config("")).await;
    let said = async |user: &str| {
        let status = enter(&gateway, user).await.status;
        (status, body(&gateway.upstream.last())["first_login"].as_bool().unwrap())
    };
    let says = |status: &str| Reply::with_head(&format!("HTTP/1.1 {status}\r\n"), "");
    gateway.upstream.on("/enter", says("403 No"));
    assert_eq!(said("alice").await, (403, true));
    gateway.upstream.on("/enter", Reply::hang_up());
    assert_eq!(said("alice").await, (502, true));
    gateway.upstream.on("/enter", says("200 Yes"));
    assert_eq!(said("alice").await, (200, true));
    // What an upstream says later does not make him new again.
    gateway.upstream.on("/enter", says("403 No"));
    assert_eq!(said("alice").await, (403, false));
    gateway.upstream.on("/enter", says("200 Yes"));
    assert_eq!(said("alice").await, (200, false));
    // A login that asks no upstream stands by itself.
    gateway.log_in("bob").await;
    assert_eq!(said("bob").await, (200, false));
}

#[tokio::test]
async fn a_user_whose_keys_are_burnt_is_no_new_user() {
    let gateway = Gateway::with(config("")).await;
    let token = token_of(&enter(&gateway, "alice").await);
    for _ in 0..5 {
        let path = "/phone?encryptedData=AAAAAAAAAAAAAAAAAAAAAA&iv=AAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(gateway.get(path).token(&token).await.status, 409);
    }
    assert_eq!(enter(&gateway, "alice").await.status, 200);
    assert_eq!(body(&gateway.upstream.last())["first_login"], false);
}

#[tokio::test]
async fn a_client_cannot_say_who_it_is() {
    let gateway = Gateway::with(config("")).await;
    let code = gateway.wechat.code("alice");
    let forged = json!({
        "code": code, "openid": "oFORGED", "unionid": "oFORGED", "first_login": "oFORGED",
    });
    let path = "/enter?openid=oFORGED&unionid=oFORGED&first_login=oFORGED";
    let request = gateway.post(path).header("x-wx-unionid", "oFORGED");
    assert_eq!(request.json(&forged).await.status, 200);
    let seen = gateway.upstream.only();
    assert!(!seen.holds("oFORGED"), "{} {}", seen.head, String::from_utf8_lossy(&seen.body));
    let openid = gateway.wechat.openid("alice");
    assert_eq!(body(&seen), json!({ "openid": openid, "appid": APPID, "first_login": true }));
}

#[tokio::test]
async fn a_login_to_one_of_two_apps_says_which() {
    let other = format!("appid = \"{OTHER_APPID}\"\nsecret = \"${{SECRET}}\"");
    let gateway = Gateway::with(config("").table("apps.other", &other)).await;
    let code = gateway.wechat.code_of_other_app("alice");
    let answer = gateway.get(&format!("/enter?code={code}&appid={OTHER_APPID}")).await;
    assert_eq!(answer.status, 200);
    let seen = gateway.upstream.only();
    assert_eq!(body(&seen)["appid"], OTHER_APPID);
    assert_eq!((seen.target(), seen.header("x-wx-appid")), ("/enter", Some(OTHER_APPID)));
}

#[tokio::test]
async fn an_upstream_that_refuses_ends_the_session_and_its_answer_passes() {
    for status in [400, 401, 403, 404, 500, 503] {
        let gateway = Gateway::with(
            config(r#", token_at = "/token""#)
                .key("session", r#"cookie = { name = "__Host-wxgate" }"#),
        )
        .await;
        let refusal = format!(
            "HTTP/1.1 {status} No\r\nContent-Type: application/json\r\nX-Own: 1\r\n\
             X-Session-Claim-User-Id: 7\r\n"
        );
        gateway.upstream.on("/enter", Reply::with_head(&refusal, r#"{"why":"banned"}"#));
        let code = gateway.wechat.code("alice");
        let answer = gateway.get(&format!("/enter?code={code}")).await;
        assert_eq!((answer.status, answer.text().as_str()), (status, r#"{"why":"banned"}"#));
        assert_eq!(answer.header("x-own"), Some("1"));
        for name in ["x-session-token", "set-cookie", "x-session-claim-user-id"] {
            assert_eq!(answer.header(name), None, "{status}");
        }
        // The same code again is no way to the session.
        gateway.upstream.on("/enter", json_reply("{}"));
        let again = gateway.get(&format!("/enter?code={code}")).await;
        assert_refused(&again, 401, "login_code_used", &status.to_string());
        assert_eq!(gateway.upstream.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_ends_the_new_session_and_no_other() {
    let gateway = Gateway::with(config("")).await;
    let before = token_of(&enter(&gateway, "alice").await);
    gateway.upstream.on("/enter", Reply::with_head("HTTP/1.1 403 Forbidden\r\n", ""));
    assert_eq!(enter(&gateway, "alice").await.status, 403);
    assert_eq!(gateway.get("/api/x").token(&before).await.status, 200);
}

#[tokio::test]
async fn an_upstream_that_gives_no_answer_ends_the_session() {
    // Bound and not listening: connections are refused, and nobody else gets the port.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let servers = format!("servers = [\"http://{}\"]", closed.local_addr().unwrap());
    let down = config("").table("upstreams.shop", &servers);
    let silent = config("").key("upstreams.shop", "timeout = \"200ms\"");
    for (config, reply, status, said) in [
        (down, Reply::ok(""), 503, "upstream_unavailable"),
        (silent, Reply::silence(), 504, "upstream_timeout"),
        (config(""), Reply::hang_up(), 502, "upstream_error"),
        (config(""), Reply::bytes("nonsense\r\n\r\n").then_close(), 502, "upstream_error"),
    ] {
        let gateway = Gateway::with(config.route(r#"path = "/plain", action = "login""#)).await;
        gateway.upstream.on("/enter", reply);
        let code = gateway.wechat.code("alice");
        let answer = gateway.get(&format!("/enter?code={code}")).await;
        assert_refused(&answer, status, said, said);
        assert_eq!(answer.header("x-session-token"), None);
        // The outcome of the exchange is the same for all who bring the code: that there is no session.
        let again = gateway.get(&format!("/plain?code={code}")).await;
        assert_refused(&again, 401, "login_code_used", said);
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_before_the_upstreams_word_leaves_no_session() {
    let gateway = Gateway::with(config("")).await;
    let gate = Gate::closed();
    gateway.upstream.on("/enter", Reply::ok("{}").once(&gate));
    let code = gateway.wechat.code("alice");
    let mut wire = gateway.wire().await;
    wire.send(format!("GET /enter?code={code} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    gateway.upstream.until(|seen| seen.len() == 1).await;
    wire.hang_up();
    crate::support::eventually("the session has ended", async || {
        gateway.get(&format!("/wxLogin?code={code}")).await.status == 401
    })
    .await;
    gate.open();
}

#[tokio::test]
async fn a_refused_code_never_reaches_the_upstream() {
    let gateway = Gateway::with(config("")).await;
    for (path, status, code) in [
        ("/enter", 400, "bad_request"),
        ("/enter?code=0unknown", 401, "login_code_invalid"),
        (&format!("/enter?code={}", "a".repeat(64)), 400, "wrong_code_kind"),
    ] {
        assert_refused(&gateway.get(path).await, status, code, path);
    }
    assert_eq!(gateway.upstream.connections(), 0);
}

#[tokio::test]
async fn the_cookie_is_set_beside_the_upstreams_own() {
    let cookie = r#"cookie = { name = "__Host-wxgate", same_site = "lax" }"#;
    let gateway = Gateway::with(config("").key("session", cookie)).await;
    let own =
        "HTTP/1.1 200 OK\r\nSet-Cookie: own=1\r\nX-Session-Token: forged\r\nX-WX-OpenID: o\r\n";
    gateway.upstream.on("/enter", Reply::with_head(own, ""));
    let answer = enter(&gateway, "alice").await;
    let token = token_of(&answer);
    let cookies: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .map(|(_, value)| value)
        .collect();
    let ours =
        format!("__Host-wxgate={token}; Path=/; Max-Age=604800; Secure; HttpOnly; SameSite=Lax");
    assert_eq!(cookies, [&"own=1".to_owned(), &ours]);
    assert_eq!(gateway.get("/api/x").token(&token).await.status, 200, "it is the gateway's own");
    assert_eq!(answer.header("x-wx-openid"), None);
}

#[tokio::test]
async fn without_an_upstream_nothing_of_this_holds() {
    let gateway = Gateway::with(Config::default()).await;
    let code = gateway.wechat.code("alice");
    let answer = gateway.get(&format!("/wxLogin?code={code}")).await;
    assert_eq!(answer.header("x-session-token"), None);
    assert_eq!(gateway.upstream.connections(), 0);
}
