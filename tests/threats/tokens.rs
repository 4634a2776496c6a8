//! Tokens: forged, malformed, doubled, revoked. What each claim may be is in `tests/gateway/token`; here
//! is that a bad token opens no route, by whatever protocol it comes, and disturbs nobody.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::attack::Attacked;
use crate::raw::Answer;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt::{self, Jwt, KEY};
use crate::upstream::Upstream;

/// A gateway that signs with [`KEY`], and a live token of it, taken apart.
async fn attacked() -> (Attacked, Jwt) {
    let config = Config::default().signing_keys(&[KEY]);
    let attacked = Attacked::over(Gateway::with(config).await).await;
    let jwt = Jwt::read(&attacked.token);
    let made_here = jwt::sign(&jwt.header.to_string(), &jwt.claims.to_string());
    // What follows proves nothing unless a token that is made like this works.
    assert_eq!(made_here, attacked.token);
    (attacked, jwt)
}

fn with(object: &Value, name: &str, value: Value) -> String {
    let mut changed = object.clone();
    changed[name] = value;
    changed.to_string()
}

impl Attacked {
    /// The answers to a request with these lines, from every kind of route and over both protocols.
    async fn answers(&self, header: &str, value: &str) -> Vec<(&'static str, Answer)> {
        let mut answers = Vec::new();
        for path in
            ["/api/x", "/maybe/x", "/session", "/refresh", "/logout", "/public/x", "/unknown"]
        {
            for http2 in [false, true] {
                let request = match http2 {
                    false => self.gateway.get(path),
                    true => self.gateway.request_by_http2(http::Method::GET, path),
                };
                answers.push((path, request.header(header, value).await));
            }
        }
        answers
    }

    /// That a token opens nothing anywhere, in the same words, and that a good one goes on working.
    async fn turns_away(&self, token: &str, what: &str) {
        let before = self.gateway.upstream.requests().len();
        for (path, answer) in self.answers("authorization", &format!("Bearer {token}")).await {
            match path {
                "/public/x" => assert_eq!(answer.status, 200, "{what} on {path}"),
                "/unknown" => assert_eq!(answer.status, 404, "{what} on {path}"),
                path => {
                    assert_eq!(answer.status, 401, "{what} on {path}: {answer:?}");
                    assert_eq!(answer.code(), "token_invalid", "{what} on {path}");
                }
            }
        }
        for seen in self.gateway.upstream.requests().split_off(before) {
            assert_eq!(seen.target(), "/public/x", "{what}");
            assert_eq!(seen.read_as("x-wx-openid").len(), 0, "{what}");
        }
        let good = self.gateway.get("/api/next").token(&self.token).await;
        assert_eq!(good.status, 200, "after {what}");
    }
}

/// CVE-2026-34950, CVE-2026-29000, RFC 8725, 3.1: the algorithm is the key's, the key is ours, and no
/// extension is taken.
#[tokio::test]
async fn jwt_01_no_word_of_the_header_decides_how_a_token_is_verified() {
    let (attacked, jwt) = attacked().await;
    let elsewhere = Upstream::start().await;
    let claims = jwt.claims.to_string();
    let signature = URL_SAFE_NO_PAD.encode(&jwt.signature);
    for algorithm in ["none", "None", "nOnE", "", "HS384", "HS512", "RS256", "ES256", "EdDSA"] {
        let header = with(&jwt.header, "alg", json!(algorithm));
        let unsigned = jwt::unsigned(&header, &claims);
        for forged in
            [jwt::sign(&header, &claims), format!("{unsigned}."), format!("{unsigned}.{signature}")]
        {
            attacked.turns_away(&forged, algorithm).await;
        }
    }
    attacked.turns_away(&format!("{}.", jwt.signed), "an empty signature").await;
    let mine = b"a key of the one who forges it!!";
    let jwk = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(mine), "alg": "HS256" });
    let url = elsewhere.url();
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("kid", json!("../../dev/null")),
        ("kid", json!("' OR 1=1 --")),
        ("kid", json!(url)),
        ("kid", json!("")),
        ("kid", json!(null)),
        ("kid", json!(7)),
        ("kid", json!([jwt.header["kid"]])),
        ("cty", json!("JWT")),
        ("enc", json!("A256GCM")),
        ("typ", json!("at+jwt")),
    ] {
        let header = with(&jwt.header, name, value);
        for key in [mine.as_slice(), b""] {
            attacked.turns_away(&jwt::sign_with(key, &header, &claims), name).await;
        }
        attacked.turns_away(&jwt::sign(&header, &claims), name).await;
    }
    let mut header = jwt.header.clone();
    header.as_object_mut().unwrap().remove("kid");
    attacked.turns_away(&jwt::sign(&header.to_string(), &claims), "no kid").await;
    assert_eq!(elsewhere.connections(), 0, "a key was fetched");
}

/// RFC 8725, 2.4: the public key as an HMAC secret.
#[tokio::test]
async fn jwt_01_a_public_key_is_no_secret() {
    for (pem, public) in [jwt::rsa(), jwt::ed25519(), jwt::p256()] {
        let config = Config::default().signing_keys(&[&pem]);
        let attacked = Attacked::over(Gateway::with(config).await).await;
        let jwt = Jwt::read(&attacked.token);
        let header = with(&jwt.header, "alg", json!("HS256"));
        for secret in [public.as_slice(), pem.as_bytes()] {
            let forged = jwt::sign_with(secret, &header, &jwt.claims.to_string());
            attacked.turns_away(&forged, "a public key as the secret").await;
        }
    }
}

/// CVE-2026-25537, RFC 8725, 3.10 and 3.11: claims that are missing, of another form or of somebody
/// else's, though the key has signed them; and other spellings of a good token.
#[tokio::test]
async fn jwt_02_claims_of_another_form_or_value_open_nothing() {
    let (attacked, jwt) = attacked().await;
    let (header, claims) = (jwt.header.to_string(), &jwt.claims);
    let now = attacked.gateway.clock.now();
    let text = claims.to_string();
    let raw = |exp: &str| with(claims, "exp", json!("HERE")).replace("\"HERE\"", exp);
    let without = |name: &str| {
        let mut changed = claims.clone();
        changed.as_object_mut().unwrap().remove(name);
        changed.to_string()
    };
    let mut bad = vec![raw("1e400"), raw("-1"), raw("18446744073709551616"), raw("1.5e9")];
    bad.extend(["exp", "auth_time", "iat", "iss", "aud", "sub", "sid", "jti"].map(without));
    bad.extend(
        ["exp", "aud", "sub"]
            .map(|name| text.replacen('{', &format!("{{\"{name}\":{},", claims[name]), 1)),
    );
    for (name, value) in [
        ("exp", json!(claims["exp"].to_string())),
        ("exp", json!(now - 1)),
        ("exp", json!(null)),
        ("nbf", json!(now + 3600)),
        ("nbf", json!("soon")),
        ("iss", json!("somebody")),
        ("aud", json!("wxfedcba9876543210")),
        ("aud", json!([claims["aud"]])),
        ("sub", json!("oFORGED")),
        ("sid", json!("AAAAAAAAAAAAAAAAAAAAAA")),
    ] {
        bad.push(with(claims, name, value));
    }
    for claims in bad {
        attacked.turns_away(&jwt::sign(&header, &claims), &claims).await;
    }
    let token = attacked.token.clone();
    let parts: Vec<_> = token.split('.').collect();
    // The last character of 43 has two bits that belong to no byte.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(token.chars().last().unwrap()).unwrap();
    let other = alphabet.chars().nth(last ^ 1).unwrap();
    for spelling in [
        format!("{token}="),
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        format!("{}{other}", &token[..token.len() - 1]),
        format!("{token}."),
        format!("{token},{token}"),
        token.to_ascii_uppercase(),
    ] {
        attacked.turns_away(&spelling, &spelling).await;
    }
}

/// RFC 6750, 2: a request says in one place who sends it.
#[tokio::test]
async fn jwt_03_two_tokens_in_a_request_are_refused() {
    let places = r#"token_from = ["authorization", "x-wx-skey", "cookie:t", "query:token"]"#;
    let config = Config::default().key("session", places);
    let attacked = Attacked::over(Gateway::with(config).await).await;
    let other = attacked.gateway.log_in("bob").await;
    let gateway = &attacked.gateway;
    for second in [&attacked.token, &other, "junk", ""] {
        let bearer = format!("Bearer {}", attacked.token);
        let second_bearer = format!("Bearer {second}");
        let cookie = format!("t={second}");
        for path in ["/api/x", "/maybe/x", "/session", "/refresh", "/logout"] {
            for http2 in [false, true] {
                let ask = |query: &str| {
                    let path = format!("{path}{query}");
                    let request = match http2 {
                        false => gateway.get(&path),
                        true => gateway.request_by_http2(http::Method::GET, &path),
                    };
                    request.header("authorization", &bearer)
                };
                for request in [
                    ask("").header("authorization", &second_bearer),
                    ask("").header("authorization", "Basic eDp5"),
                    ask("").header("x-wx-skey", second),
                    ask("").header("cookie", &cookie),
                    ask(&format!("?token={second}")),
                ] {
                    let answer = request.await;
                    assert!(matches!(answer.status, 400 | 401), "{path} {second}: {answer:?}");
                }
            }
        }
        assert_eq!(gateway.upstream.requests().len(), 0);
    }
    assert_eq!(gateway.get("/api/x").token(&attacked.token).await.status, 200);
}

/// A bad signature, an unknown session and a revoked one: the same bytes, headers included.
#[tokio::test]
async fn jwt_05_bad_tokens_cannot_be_told_apart() {
    let (attacked, jwt) = attacked().await;
    let revoked = attacked.gateway.log_in("bob").await;
    let ended = attacked.gateway.post("/logout").token(&revoked).await;
    assert_eq!(ended.status, 204);
    let unknown = with(&jwt.claims, "sid", json!("AAAAAAAAAAAAAAAAAAAAAA"));
    let header = jwt.header.to_string();
    let bad = [
        revoked,
        jwt::sign(&header, &unknown),
        jwt::sign_with(&[0; 32], &header, &jwt.claims.to_string()),
        "junk".to_owned(),
    ];
    let mut told = Vec::new();
    for token in bad {
        let answers = attacked.answers("authorization", &format!("Bearer {token}")).await;
        let without_id = |(path, answer): (&'static str, Answer)| {
            let id = answer.header("x-request-id").expect("a request id").to_owned();
            let mut headers = answer.headers.clone();
            headers.retain(|(name, _)| name != "x-request-id" && name != "date");
            (path, answer.status, headers, answer.text().replace(&id, ""))
        };
        told.push(answers.into_iter().map(without_id).collect::<Vec<_>>());
    }
    assert!(told.iter().all(|answers| *answers == told[0]), "{told:#?}");
    assert!(told[0].iter().any(|(path, status, ..)| *path == "/api/x" && *status == 401));
}
