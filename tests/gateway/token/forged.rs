//! Tokens that open nothing. How they are signed, and by how many ways they come, is in
//! `tests/threats/tokens.rs`.

use serde_json::{Value, json};

use super::assert_opens_nothing;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt::{self, Jwt, KEY, OTHER_KEY};

/// A gateway that signs with [`KEY`], and a live token of it, taken apart.
async fn gateway() -> (Gateway, String, Jwt) {
    let gateway = Gateway::with(Config::default().signing_keys(&[KEY])).await;
    let token = gateway.log_in("alice").await;
    let jwt = Jwt::read(&token);
    let made_here = jwt::sign(&jwt.header.to_string(), &jwt.claims.to_string());
    // What follows proves nothing unless a token that is made like this works.
    assert_eq!(made_here, token);
    (gateway, token, jwt)
}

fn with(object: &Value, name: &str, value: Value) -> String {
    let mut changed = object.clone();
    changed[name] = value;
    changed.to_string()
}

fn without(object: &Value, name: &str) -> String {
    let mut changed = object.clone();
    changed.as_object_mut().unwrap().remove(name);
    changed.to_string()
}

#[tokio::test]
async fn jwt_02_claims_of_another_form_or_value_open_nothing() {
    let (gateway, _, jwt) = gateway().await;
    let (header, claims) = (jwt.header.to_string(), &jwt.claims);
    let exp = claims["exp"].as_u64().unwrap();
    let now = gateway.clock.now();
    let raw = |exp: &str| with(claims, "exp", json!("HERE")).replace("\"HERE\"", exp);
    let mut bad =
        vec![raw("1e400"), raw("-1"), raw("18446744073709551616"), raw("1.5e3"), raw("NaN")];
    for name in ["iss", "sub", "aud", "sid", "auth_time", "iat", "exp", "jti"] {
        bad.push(without(claims, name));
        bad.push(with(claims, name, json!(null)));
        bad.push(with(claims, name, json!([claims[name]])));
        bad.push(with(claims, name, json!({})));
        let text = claims.to_string();
        bad.push(text.replacen('{', &format!("{{\"{name}\":{},", claims[name]), 1));
    }
    for (name, value) in [
        ("exp", json!(exp.to_string())),
        ("exp", json!(now - 1)),
        ("exp", json!(0)),
        ("iat", json!(now + 3600)),
        ("iss", json!("somebody")),
        ("aud", json!("wxfedcba9876543210")),
        ("aud", json!("")),
        ("sub", json!(gateway.wechat.openid("mallory"))),
        ("sid", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        ("sid", json!("../AAAAAAAAAAAAAAAAAAA")),
        ("jti", json!("AAAAAAAAAAA")),
        ("nbf", json!(now + 3600)),
        ("admin", json!(true)),
    ] {
        bad.push(with(claims, name, value));
    }
    bad.extend(["", "{", "[]", "null", "{}"].map(str::to_owned));
    bad.push(format!("{}{}", claims, claims));
    for claims in bad {
        assert_opens_nothing(&gateway, &jwt::sign(&header, &claims), &claims).await;
    }
}

#[tokio::test]
async fn jwt_02_another_spelling_of_a_good_token_opens_nothing() {
    let (gateway, token, jwt) = gateway().await;
    let parts: Vec<_> = token.split('.').collect();
    let mut spellings = vec![
        format!("{token}="),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{}", parts[2]),
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        format!("{}..{}", parts[0], parts[2]),
        format!("{token} {token}"),
        format!("{token},{token}"),
        token.replace('.', ".."),
        format!("\"{token}\""),
        token[..token.len() - 1].to_owned(),
        token[1..].to_owned(),
        token.to_ascii_uppercase(),
        parts[2].to_owned(),
        String::new(),
    ];
    // 32 bytes are 43 characters of base64, of which the last has two bits too many.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(token.chars().last().unwrap()).unwrap();
    for bits in 1..4 {
        let other = alphabet.chars().nth(last ^ bits).unwrap();
        spellings.push(format!("{}{other}", &token[..token.len() - 1]));
    }
    let doubled = format!(r#"{{"alg":"HS256",{}"#, &jwt.header.to_string()[1..]);
    spellings.push(jwt::sign(&doubled, &jwt.claims.to_string()));
    for spelling in spellings {
        assert_opens_nothing(&gateway, &spelling, &spelling).await;
    }
    assert_eq!(gateway.get("/api/x").token(&token).await.status, 200);
}

#[tokio::test]
async fn no_byte_of_a_token_can_be_changed() {
    let (gateway, token, _) = gateway().await;
    for at in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_opens_nothing(&gateway, &changed, &format!("byte {at}")).await;
    }
}

#[tokio::test]
async fn a_token_of_another_gateway_opens_nothing() {
    let theirs = Gateway::with(Config::default().signing_keys(&[OTHER_KEY])).await;
    let token = theirs.log_in("alice").await;
    let (ours, _, _) = gateway().await;
    assert_opens_nothing(&ours, &token, "another key").await;
    let twin = Gateway::with(Config::default().signing_keys(&[OTHER_KEY])).await;
    assert_opens_nothing(&twin, &token, "the same key, and no such session").await;
}
