//! The public keys: what is published, where, and for how long it may be kept.

use http::Method;
use serde_json::json;

use super::names;
use crate::admin::ask;
use crate::support::assertion::JWKS;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt::{self, Jwt};

/// RFC 7517, 4 and 5; RFC 7518, 6.2; RFC 8037, 2.
#[tokio::test]
async fn the_key_set_is_as_the_standards_have_it_and_holds_no_private_half() {
    let ((ed25519, x), (p256, point)) = (jwt::ed25519(), jwt::p256());
    let gateway = Gateway::with(Config::default().assertion_keys(&[&ed25519, &p256])).await;
    let answer = ask(gateway.app.admin_address, "GET", JWKS, None, "").await;
    assert_eq!(answer.header("content-type"), Some("application/jwk-set+json"));
    assert_eq!(answer.header("cache-control"), Some("private, max-age=300"));
    let set = answer.json();
    assert_eq!(names(&set), "keys");
    let [first, second] = set["keys"].as_array().unwrap().as_slice() else { panic!("{set}") };
    assert_eq!(names(first), "kty crv x kid use alg");
    assert_eq!(names(second), "kty crv x y kid use alg");
    assert_eq!((&first["kty"], &first["crv"]), (&json!("OKP"), &json!("Ed25519")));
    assert_eq!((&second["kty"], &second["crv"]), (&json!("EC"), &json!("P-256")));
    assert_eq!((&first["use"], &first["alg"]), (&json!("sig"), &json!("EdDSA")));
    assert_eq!((&second["use"], &second["alg"]), (&json!("sig"), &json!("ES256")));
    assert_eq!(decoded(&first["x"]), x);
    assert_eq!([decoded(&second["x"]), decoded(&second["y"])].concat(), point[1..]);
    for key in [first, second] {
        assert_eq!(key["kid"], thumbprint(key), "RFC 7638");
    }
}

fn decoded(value: &serde_json::Value) -> Vec<u8> {
    use base64::Engine;
    let text = value.as_str().unwrap();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn thumbprint(key: &serde_json::Value) -> String {
    use base64::Engine;
    let members = ["crv", "kty", "x", "y"].into_iter().filter_map(|name| {
        let value = key.get(name)?.as_str()?;
        Some(format!("\"{name}\":\"{value}\""))
    });
    let text = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
    let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hash)
}

#[tokio::test]
async fn a_route_publishes_the_same_to_everybody_and_to_pages() {
    let (pem, _) = jwt::ed25519();
    let route = format!(
        r#"path = "{JWKS}", action = "jwks", methods = ["GET", "HEAD"], cors = {{ origins = ["https://a.example"] }}"#
    );
    let gateway = Gateway::with(Config::default().assertion_keys(&[&pem]).route(&route)).await;
    let of_admin = gateway.key_set().await.0;
    for answer in [
        gateway.get(JWKS).await,
        gateway.get(JWKS).token("garbage").await,
        gateway.request_by_http2(Method::GET, JWKS).await,
    ] {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json(), of_admin);
        assert_eq!(answer.header("content-type"), Some("application/jwk-set+json"));
        assert_eq!(answer.header("cache-control"), Some("private, max-age=300"));
    }
    let head = gateway.request(Method::HEAD, JWKS).await;
    let length = of_admin.to_string().len().to_string();
    assert_eq!((head.status, head.header("content-length")), (200, Some(length.as_str())));
    assert_eq!(gateway.post(JWKS).await.status, 405);
    let answer = gateway.get(JWKS).header("origin", "https://a.example").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.example"));
    assert_eq!(gateway.upstream.requests().len(), 0);
}

#[tokio::test]
async fn without_assertions_there_is_no_key_set_and_no_header() {
    let gateway = Gateway::start().await;
    let answer = ask(gateway.app.admin_address, "GET", JWKS, None, "").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["error"], "no [identity] assertion is configured");
    assert_eq!(gateway.get(JWKS).await.status, 404, "nor on the data listener");
    let token = gateway.log_in("alice").await;
    gateway.get("/api/x").token(&token).await;
    assert!(!gateway.upstream.only().head.to_lowercase().contains("assertion"));
}

/// As with the keys of tokens: a single gateway in memory needs none.
#[tokio::test]
async fn a_gateway_that_keeps_nothing_makes_a_key_that_outlives_reloads() {
    let config = Config::default().table("identity.assertion", "");
    let gateway = Gateway::with(config.clone()).await;
    let token = gateway.log_in("alice").await;
    gateway.get("/api/x").token(&token).await;
    let before = gateway.last_assertion().await;
    let more = config.table("identity.assertion", "ttl = \"1m\"");
    gateway.reload(&more).await;
    gateway.get("/api/x").token(&token).await;
    let after = gateway.last_assertion().await;
    assert_eq!(before.header, after.header, "the same key");
    let lives =
        |jwt: &Jwt| jwt.claims["exp"].as_u64().unwrap() - jwt.claims["iat"].as_u64().unwrap();
    assert_eq!((lives(&before), lives(&after)), (300, 60));
}

#[tokio::test]
async fn the_configuration_is_shown_without_the_key() {
    let (pem, _) = jwt::ed25519();
    let gateway = Gateway::with(Config::default().assertion_keys(&[&pem])).await;
    let answer = ask(gateway.app.admin_address, "GET", "/config", None, "").await;
    assert_eq!(
        answer.json()["identity"]["assertion"],
        json!({ "keys": "***", "header": "x-wx-assertion", "issuer": "wxgate", "ttl": "300s" })
    );
    let secret = pem.lines().nth(1).unwrap();
    assert!(!answer.text().contains(secret));
}
