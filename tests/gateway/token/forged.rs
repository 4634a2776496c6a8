//! Tokens that open nothing, and cannot be told apart by their refusal.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{assert_opens_nothing, body_without_request_id};
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt::{self, Jwt, KEY, OTHER_KEY};
use crate::support::timed;

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
async fn the_algorithm_is_the_keys_and_never_the_tokens() {
    let (gateway, token, jwt) = gateway().await;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    for algorithm in ["none", "None", "NONE", "", "HS384", "HS512", "RS256", "ES256", "EdDSA"] {
        let header = with(&jwt.header, "alg", json!(algorithm));
        let claims = jwt.claims.to_string();
        for forged in [
            jwt::sign(&header, &claims),
            format!("{}.", jwt::unsigned(&header, &claims)),
            format!("{}.{signature}", jwt::unsigned(&header, &claims)),
        ] {
            assert_opens_nothing(&gateway, &forged, algorithm).await;
        }
    }
    assert_opens_nothing(&gateway, &format!("{signed}."), "an empty signature").await;
    assert_opens_nothing(&gateway, signed, "no signature").await;
}

#[tokio::test]
async fn a_public_key_does_not_serve_as_a_secret() {
    for (pem, public) in [jwt::rsa(), jwt::ed25519(), jwt::p256()] {
        let gateway = Gateway::with(Config::default().signing_keys(&[&pem])).await;
        let jwt = Jwt::read(&gateway.log_in("alice").await);
        let header = with(&jwt.header, "alg", json!("HS256"));
        for secret in [public.as_slice(), pem.as_bytes()] {
            let forged = jwt::sign_with(secret, &header, &jwt.claims.to_string());
            assert_opens_nothing(&gateway, &forged, "the public key as a secret").await;
        }
    }
}

#[tokio::test]
async fn a_kid_is_a_name_and_nothing_else() {
    let (gateway, _, jwt) = gateway().await;
    let claims = jwt.claims.to_string();
    let kids = ["", "other", "../../etc/passwd", "/dev/null", "' OR 1=1 --", "0"].map(|k| json!(k));
    for kid in kids.into_iter().chain([json!(null), json!(7), json!([jwt.header["kid"]])]) {
        let header = with(&jwt.header, "kid", kid.clone());
        assert_opens_nothing(&gateway, &jwt::sign(&header, &claims), &kid.to_string()).await;
        let with_nothing = jwt::sign_with(b"", &header, &claims);
        assert_opens_nothing(&gateway, &with_nothing, &kid.to_string()).await;
    }
    let header = without(&jwt.header, "kid");
    assert_opens_nothing(&gateway, &jwt::sign(&header, &claims), "no kid").await;
}

#[tokio::test]
async fn a_key_that_comes_with_the_token_is_not_used_and_no_extension_is_taken() {
    let (gateway, _, jwt) = gateway().await;
    let elsewhere = crate::upstream::Upstream::start().await;
    let (mine, claims) = (b"a key of the one who forges it!!", jwt.claims.to_string());
    let jwk = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(mine), "alg": "HS256" });
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!(elsewhere.url())),
        ("x5u", json!(elsewhere.url())),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("enc", json!("A256GCM")),
        ("typ", json!("at+jwt")),
    ] {
        let header = with(&jwt.header, name, value);
        assert_opens_nothing(&gateway, &jwt::sign_with(mine, &header, &claims), name).await;
        assert_opens_nothing(&gateway, &jwt::sign(&header, &claims), name).await;
    }
    assert_eq!(elsewhere.connections(), 0, "a key was fetched");
}

#[tokio::test]
async fn claims_of_another_form_or_value_open_nothing() {
    let (gateway, _, jwt) = gateway().await;
    let (header, claims) = (jwt.header.to_string(), &jwt.claims);
    let exp = claims["exp"].as_u64().unwrap();
    let now = gateway.clock.now();
    let raw = |exp: &str| with(claims, "exp", json!("HERE")).replace("\"HERE\"", exp);
    let mut bad =
        vec![raw("1e400"), raw("-1"), raw("18446744073709551616"), raw("1.5e3"), raw("NaN")];
    for name in ["iss", "sub", "aud", "sid", "iat", "exp", "jti"] {
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
async fn another_spelling_of_a_good_token_opens_nothing() {
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
async fn a_bad_signature_an_unknown_and_an_ended_session_cannot_be_told_apart() {
    let (gateway, token, jwt) = gateway().await;
    assert_eq!(gateway.post("/logout").token(&token).await.status, 204);
    let unknown = with(&jwt.claims, "sid", json!("AAAAAAAAAAAAAAAAAAAAAA"));
    let forged = jwt::sign_with(&[0; 32], &jwt.header.to_string(), &jwt.claims.to_string());
    let mut answers = Vec::new();
    for bad in [token, jwt::sign(&jwt.header.to_string(), &unknown), forged] {
        let answer = gateway.get("/api/x").token(&bad).await;
        let mut headers = answer.headers.clone();
        headers.retain(|(name, _)| name != "x-request-id" && name != "date");
        answers.push((answer.status, headers, body_without_request_id(&answer)));
    }
    assert_eq!(answers[0].0, 401);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

#[tokio::test]
async fn a_huge_token_is_turned_away_at_once() {
    let config = Config::default()
        .signing_keys(&[KEY])
        .key("limits", "header_size = \"1024KiB\"\nheader_timeout = \"10s\"");
    let gateway = Gateway::with(config).await;
    let token = gateway.log_in("alice").await;
    let huge = format!("{token}{}", "A".repeat(1_000_000));
    for bad in [huge, "A".repeat(1_000_000), ".".repeat(10_000), "e30.".repeat(10_000)] {
        // What it costs to bring so many bytes here is the client's affair.
        let carried = quickest(&gateway, "x-other", &bad, "token_missing").await;
        let refused = quickest(&gateway, "authorization", &bad, "token_invalid").await;
        let cost = refused.saturating_sub(carried);
        assert!(cost.as_millis() < 5, "{cost:?} for {} bytes", bad.len());
    }
}

/// The quickest of some refusals of a request with this text in a header.
async fn quickest(gateway: &Gateway, header: &str, text: &str, code: &str) -> Duration {
    let mut quickest = Duration::MAX;
    for _ in 0..10 {
        let request = gateway.get("/api/x").header(header, &format!("Bearer {text}"));
        let (answer, took) = timed(async { request.await }).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, code));
        quickest = quickest.min(took);
    }
    quickest
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
