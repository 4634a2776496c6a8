//! The signed identity: what an upstream can verify without believing the network.

mod examples;
mod key_set;
mod other_gateways;
mod rotation;
mod strangers;

use futures_util::{SinkExt, StreamExt};
use http::Method;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::assertion::HEADER;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt::{self, Jwt};
use crate::support::wechat::APPID;
use crate::upstream::{Reply, Upstream};

fn names(value: &serde_json::Value) -> String {
    let names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.join(" ")
}

#[tokio::test]
async fn the_upstream_gets_a_signed_copy_of_who_it_is() {
    for (algorithm, (pem, _)) in [("EdDSA", jwt::ed25519()), ("ES256", jwt::p256())] {
        let gateway = Gateway::with(Config::default().assertion_keys(&[&pem])).await;
        gateway.wechat.set(|settings| settings.unionid = true);
        let token = gateway.log_in("alice").await;
        for path in ["/api/x", "/maybe/x"] {
            let answer = gateway.get(path).token(&token).await;
            let jwt = gateway.last_assertion().await;
            assert_eq!(names(&jwt.header), "typ alg kid");
            assert_eq!(jwt.header["alg"], algorithm);
            assert_eq!(names(&jwt.claims), "iss aud sub appid unionid iat exp jti");
            assert_eq!(jwt.claims["iss"], "wxgate");
            assert_eq!(jwt.claims["aud"], "shop", "the name of the upstream");
            assert_eq!(jwt.claims["sub"], gateway.wechat.openid("alice"));
            assert_eq!(jwt.claims["appid"], APPID);
            let unionid = gateway.wechat.world().unionid(APPID, "alice").unwrap();
            assert_eq!(jwt.claims["unionid"], unionid);
            assert_eq!(jwt.claims["jti"], answer.header("x-request-id").unwrap());
            let now = gateway.clock.now();
            let (iat, exp) = (&jwt.claims["iat"], &jwt.claims["exp"]);
            let (iat, exp) = (iat.as_u64().unwrap(), exp.as_u64().unwrap());
            assert!((now - 5..=now).contains(&iat), "{iat} {now}");
            assert_eq!(exp - iat, 300);
        }
    }
}

/// What a service that another gateway of ours guards is told is no proof to this one.
#[tokio::test]
async fn each_upstream_has_an_audience_of_its_own_unless_one_is_named_for_all() {
    let other = Upstream::start().await;
    let (pem, _) = jwt::ed25519();
    let config = Config::default()
        .variable("OTHER", other.url())
        .table("upstreams.other", "servers = [\"${OTHER}\"]")
        .route(r#"path = "/other/**", upstream = "other""#)
        .assertion_keys(&[&pem]);
    for (more, audiences) in [
        ("", ["shop", "other"]),
        ("\nissuer = \"https://gate\"\naudience = \"https://all\"", ["https://all"; 2]),
    ] {
        let gateway = Gateway::with(config.clone().key("identity.assertion", more)).await;
        let token = gateway.log_in("alice").await;
        gateway.get("/api/x").token(&token).await;
        gateway.get("/other/x").token(&token).await;
        let issuer = if more.is_empty() { "wxgate" } else { "https://gate" };
        for (seen, audience) in [gateway.upstream.last(), other.last()].iter().zip(audiences) {
            let jwt = Jwt::read(seen.header(HEADER).unwrap());
            assert_eq!(
                (&jwt.claims["aud"], &jwt.claims["iss"]),
                (&audience.into(), &issuer.into())
            );
        }
    }
}

#[tokio::test]
async fn what_a_login_upstream_said_of_the_user_is_signed_too() {
    let (pem, _) = jwt::ed25519();
    let config = Config::default()
        .route(r#"path = "/enter", action = "login", upstream = "shop""#)
        .table("identity", r#"claims = { user_id = "X-User-Id" }"#)
        .assertion_keys(&[&pem]);
    let gateway = Gateway::with(config).await;
    let head = "HTTP/1.1 200 OK\r\nX-Session-Claim-User-Id: 7\r\nX-Session-Claim-Other: 8\r\n";
    gateway.upstream.on("/enter", Reply::with_head(head, "{}"));
    let code = gateway.wechat.code("alice");
    let answer = gateway.get(&format!("/enter?code={code}")).await;
    let jwt = gateway.last_assertion().await;
    assert_eq!(jwt.claims["sub"], gateway.wechat.openid("alice"), "the login itself");
    assert_eq!(jwt.claims.get("claims"), None);
    let token = answer.header("x-session-token").unwrap();
    gateway.get("/api/x").token(token).await;
    assert_eq!(gateway.upstream.last().header("x-user-id"), Some("7"));
    let jwt = gateway.last_assertion().await;
    assert_eq!(jwt.claims["claims"], serde_json::json!({ "user_id": "7" }), "as in the headers");
}

#[tokio::test]
async fn a_request_that_is_sent_once_more_has_the_same_assertion() {
    let (pem, _) = jwt::p256();
    let gateway = Gateway::with(Config::default().assertion_keys(&[&pem])).await;
    let token = gateway.log_in("alice").await;
    gateway.get("/api/x").token(&token).await;
    // On the connection that is kept, so that it is tried on another.
    gateway.upstream.on("/api/again", Reply::hang_up());
    gateway.get("/api/again").token(&token).await;
    let requests = gateway.upstream.requests();
    let sent: Vec<_> = requests.iter().filter(|seen| seen.target() == "/api/again").collect();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].header(HEADER), sent[1].header(HEADER), "ES256 signs by chance");
    assert!(sent[0].header(HEADER).is_some());
}

#[tokio::test]
async fn every_request_has_an_assertion_of_its_own_over_both_protocols() {
    let (pem, _) = jwt::ed25519();
    let gateway = Gateway::with(Config::default().assertion_keys(&[&pem])).await;
    let token = gateway.log_in("alice").await;
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..3 {
        for request in [
            gateway.request(Method::POST, "/api/x"),
            gateway.request_by_http2(Method::GET, "/api/x"),
        ] {
            request.token(&token).await;
            let jwt = gateway.last_assertion().await;
            ids.insert(jwt.claims["jti"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(ids.len(), 6);
}

#[tokio::test]
async fn a_websocket_begins_with_one() {
    let (pem, _) = jwt::ed25519();
    let gateway = Gateway::with(Config::default().assertion_keys(&[&pem])).await;
    gateway.upstream.on("/api/socket", Reply::echo_messages());
    let token = gateway.log_in("alice").await;
    let url = format!("ws://{}/api/socket", gateway.address);
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request.headers_mut().insert(HEADER, "forged".parse().unwrap());
    let (mut socket, _) = connect_async(request).await.unwrap();
    for text in ["one", "two"] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
    }
    let jwt = gateway.last_assertion().await;
    assert_eq!(jwt.claims["sub"], gateway.wechat.openid("alice"));
}

#[tokio::test]
async fn the_key_and_assertions_are_in_no_line_of_the_log() {
    let (pem, _) = jwt::ed25519();
    let wechat = crate::support::wechat::Wechat::start(wxgate::clock::Clock::movable()).await;
    let upstream = Upstream::start().await;
    let config = Config::default()
        .assertion_keys(&[&pem])
        .variable("WECHAT", wechat.url())
        .variable("UPSTREAM", upstream.url());
    let mut process = crate::support::process::Process::start(&config).await;
    let ask = async |path: String, token: &str| {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
        crate::raw::Wire::ask(process.address, request).await
    };
    let answer = ask(format!("/wxLogin?code={}", wechat.code("alice")), "").await;
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(ask("/api/x".to_owned(), &token).await.status, 200);
    upstream.on("/api/broken", Reply::reset());
    assert_eq!(ask("/api/broken".to_owned(), &token).await.status, 502);
    let assertions: Vec<_> =
        upstream.requests().iter().map(|seen| seen.header(HEADER).unwrap().to_owned()).collect();
    assert!(assertions.len() >= 2);
    process.signal("TERM");
    process.ended().await;
    let log = process.log();
    for assertion in &assertions {
        let signature = assertion.rsplit('.').next().unwrap();
        assert!(!log.contains(signature), "an assertion is in the log");
    }
    for line in pem.lines().filter(|line| !line.starts_with('-')) {
        assert!(!log.contains(line), "the key is in the log");
    }
}
