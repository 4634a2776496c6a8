//! Only the gateway asserts: no client can send one, and nothing else passes for one.

use crate::support::assertion::HEADER;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt::{self, Jwt};

const SPELLINGS: [&str; 7] = [
    "X-WX-Assertion",
    "x-wx-assertion",
    "X_WX_ASSERTION",
    "X.WX.Assertion",
    "x-wx_assertion",
    "X-WX-ASSERTION",
    "X_WX.assertion",
];

#[tokio::test]
async fn a_clients_assertion_reaches_nobody_in_any_spelling_on_any_route() {
    let (pem, _) = jwt::ed25519();
    let gateway = Gateway::with(Config::default().assertion_keys(&[&pem])).await;
    let token = gateway.log_in("alice").await;
    gateway.get("/api/x").token(&token).await;
    // Even a good one, of another request.
    let stolen = gateway.upstream.last().header(HEADER).unwrap().to_owned();
    for spelling in SPELLINGS {
        for path in ["/maybe/x", "/public/x"] {
            gateway.get(path).header(spelling, &stolen).await;
            let seen = gateway.upstream.last();
            assert_eq!(seen.target(), path);
            assert_eq!(seen.read_as(HEADER).len(), 0, "{spelling}: nobody is logged in");
            assert!(!seen.holds(&stolen));
        }
        gateway.get("/api/x").token(&token).header(spelling, &stolen).await;
        let seen = gateway.upstream.last();
        assert_eq!(seen.read_as(HEADER).len(), 1, "{spelling}");
        assert_ne!(seen.header(HEADER), Some(stolen.as_str()), "{spelling}");
        gateway.get("/public/x").token(&token).header(spelling, &stolen).await;
        assert_eq!(gateway.upstream.last().read_as(HEADER).len(), 0, "{spelling}: nobody looks");
    }
}

#[tokio::test]
async fn the_header_has_the_configurations_name_and_is_as_safe_under_it() {
    let (pem, _) = jwt::ed25519();
    let config = Config::default()
        .assertion_keys(&[&pem])
        .key("identity.assertion", "header = \"Jwt-Identity\"");
    let gateway = Gateway::with(config).await;
    let token = gateway.log_in("alice").await;
    gateway.get("/api/x").token(&token).header("jwt_identity", "forged").await;
    let seen = gateway.upstream.only();
    let [assertion] = seen.read_as("jwt-identity")[..] else { panic!("{}", seen.head) };
    gateway.key_set().await.verify(assertion).unwrap();
    assert_eq!(seen.header(HEADER), None);
    for spelling in ["jwt-identity", "Jwt_Identity", "JWT.IDENTITY"] {
        gateway.get("/public/x").header(spelling, "forged").await;
        assert_eq!(gateway.upstream.last().read_as("jwt-identity").len(), 0, "{spelling}");
    }
}

/// Their keys, `typ` and `aud` are different; each of them alone would do.
#[tokio::test]
async fn a_token_of_a_session_is_no_assertion_and_an_assertion_is_no_token() {
    let ((signing, _), (asserting, _)) = (jwt::ed25519(), jwt::ed25519());
    let config = Config::default().signing_keys(&[&signing]).assertion_keys(&[&asserting]);
    let gateway = Gateway::with(config).await;
    let token = gateway.log_in("alice").await;
    gateway.get("/api/x").token(&token).await;
    let assertion = gateway.upstream.last().header(HEADER).unwrap().to_owned();
    let keys = gateway.key_set().await;

    assert!(keys.verify(&token).is_err());
    let (token, asserted) = (Jwt::read(&token), Jwt::read(&assertion));
    assert!(!keys.ids().contains(&token.header["kid"].as_str().unwrap()), "not published");
    for member in ["typ", "kid"] {
        assert_ne!(token.header[member], asserted.header[member], "{member}");
    }
    assert_ne!(token.claims["aud"], asserted.claims["aud"]);

    let before = gateway.upstream.requests().len();
    let answer = gateway.get("/api/x").token(&assertion).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "token_invalid"));
    assert_eq!(gateway.get("/maybe/x").token(&assertion).await.status, 401);
    assert_eq!(gateway.upstream.requests().len(), before);
}

#[tokio::test]
async fn no_service_behind_gets_it_back_to_the_client() {
    let (pem, _) = jwt::ed25519();
    let gateway = Gateway::with(Config::default().assertion_keys(&[&pem])).await;
    let token = gateway.log_in("alice").await;
    let echo = "HTTP/1.1 200 OK\r\nX-WX-Assertion: echoed\r\n";
    gateway.upstream.on("/api/x", crate::upstream::Reply::with_head(echo, "hello"));
    let answer = gateway.get("/api/x").token(&token).await;
    assert_eq!((answer.status, answer.header(HEADER)), (200, None));
}
