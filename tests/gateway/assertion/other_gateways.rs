//! Assertions in the answers of `authorize`, which another gateway puts on the request.

use crate::raw::Wire;
use crate::support::assertion::HEADER;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt;

const TO_REMOVE: &str = "x-envoy-auth-headers-to-remove";

fn config(audience: &str) -> Config {
    let (pem, _) = jwt::ed25519();
    Config::default()
        .route(r#"path = "/authorize", action = "authorize""#)
        .route(r#"path = "/known", action = "authorize", auth = "optional""#)
        .assertion_keys(&[&pem])
        .key("identity.assertion", audience)
}

#[tokio::test]
async fn another_gateway_gets_one_for_the_audience_that_is_named() {
    let gateway = Gateway::with(config("audience = \"shops\"")).await;
    let token = gateway.log_in("alice").await;
    let answer = gateway.get("/authorize").token(&token).header(HEADER, "forged").await;
    let assertion = answer.header(HEADER).expect("an assertion");
    let jwt = gateway.key_set().await.verify(assertion).unwrap();
    assert_eq!(jwt.claims["aud"], "shops");
    assert_eq!(jwt.claims["sub"], gateway.wechat.openid("alice"));
    assert_eq!(jwt.claims["jti"], answer.header("x-request-id").unwrap());
    assert!(!answer.header(TO_REMOVE).unwrap().contains(HEADER), "it is set");
}

/// Empty, and to be removed: the client's own must not stay.
#[tokio::test]
async fn nobody_and_nobody_named_have_an_empty_one() {
    let named = Gateway::with(config("audience = \"shops\"")).await;
    let unnamed = Gateway::with(config("")).await;
    let token = unnamed.log_in("alice").await;
    let forged = |path: &str, token: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nX-WX-Assertion: forged\r\n\
             x_wx_assertion: forged\r\n{token}\r\n"
        )
    };
    let bearer = format!("Authorization: Bearer {token}\r\n");
    for (gateway, request) in
        [(&named, forged("/known", "")), (&unnamed, forged("/authorize", &bearer))]
    {
        let answer = Wire::ask(gateway.address, request).await;
        assert_eq!((answer.status, answer.header(HEADER)), (200, Some("")), "{answer:?}");
        let removed: Vec<_> = answer.header(TO_REMOVE).unwrap().split(',').collect();
        for spelling in [HEADER, "x_wx_assertion"] {
            assert!(removed.contains(&spelling), "{spelling}: {removed:?}");
        }
    }
}
