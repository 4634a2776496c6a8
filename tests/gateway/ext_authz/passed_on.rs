//! What goes on of a request, and what does not.

use super::envoy::Asked;
use super::{OVERRIDING, checks, config, get};
use crate::support::gateway::Gateway;

#[tokio::test]
async fn a_token_goes_on_from_nowhere() {
    let sources = r#"token_from = ["cookie:t", "query:token", "x-token"]"#;
    let gateway = Gateway::with(config().table("session", sources)).await;
    let (token, at) = (gateway.log_in("alice").await, checks(&gateway));
    let verdict = get("/api/x").header("cookie", &format!("a=1; t={token}; b=2")).ask(at).await;
    assert_eq!((verdict.status, verdict.header("cookie")), (200, Some("a=1; b=2")));
    let verdict = get("/api/x").header("cookie", &format!("t={token}")).ask(at).await;
    assert!(verdict.removes("cookie"), "{verdict:?}");
    let verdict = get("/api/x").header("x-token", &token).ask(at).await;
    assert!(verdict.removes("x-token"), "{verdict:?}");
    let verdict = get(&format!("/api/x?a=1&token={token}")).ask(at).await;
    assert_eq!(
        (verdict.status, verdict.parameters_removed.as_slice()),
        (200, &["token".to_owned()][..])
    );
    let verdict = get(&format!("/public/x?token={token}")).ask(at).await;
    assert_eq!(verdict.parameters_removed, ["token"], "nor on a public route");
    // Envoy looks for the name as it stands there.
    let verdict = get(&format!("/api/x?a=1&t%6fken={token}")).ask(at).await;
    assert_eq!(
        (verdict.status, verdict.parameters_removed.as_slice()),
        (200, &["t%6fken".to_owned()][..])
    );
    let verdict = get(&format!("/public/x?t%6fken={token}&token=x")).ask(at).await;
    assert_eq!(verdict.parameters_removed, ["t%6fken", "token"], "both, where nobody looks");
}

#[tokio::test]
async fn tokens_in_two_cookies_go_on_from_neither() {
    let sources = r#"token_from = ["cookie:t", "cookie:s"]"#;
    let gateway = Gateway::with(config().table("session", sources)).await;
    let (token, at) = (gateway.log_in("alice").await, checks(&gateway));
    let asked = get("/public/x").header("cookie", &format!("t={token}; a=1; s={token}"));
    assert_eq!(asked.ask(at).await.header("cookie"), Some("a=1"));
    let asked = get("/public/x").header("cookie", &format!("t={token}; s={token}"));
    let verdict = asked.ask(at).await;
    assert!(verdict.removes("cookie") && verdict.header("cookie").is_none(), "{verdict:?}");
    assert_eq!(
        get("/api/x").header("cookie", &format!("t={token}; s={token}")).ask(at).await.status,
        400
    );
}

/// The route is asked about a GET of this path; a service that goes by such a header would do another thing.
#[tokio::test]
async fn pth_05_nothing_that_overrides_method_or_path_goes_on() {
    let read = r#"path = "/read", upstream = "shop", auth = "none", methods = ["GET"]"#;
    let gateway = Gateway::with(config().route(read)).await;
    let at = checks(&gateway);
    assert_eq!(Asked::of("DELETE", "/read").ask(at).await.status, 405);
    let names = OVERRIDING.into_iter().chain(["x-original-host", "x-rewrite-uri", "x_http.method"]);
    let asked = names.clone().fold(get("/read"), |asked, name| asked.header(name, "DELETE"));
    let verdict = asked.ask(at).await;
    assert_eq!(verdict.status, 200);
    for name in names {
        assert!(verdict.removes(name), "{name}: {verdict:?}");
    }
    // Nor does what Envoy does not show: `allowed_headers` says what that is.
    let verdict = get("/read").ask(at).await;
    assert!(OVERRIDING.iter().all(|name| verdict.removes(name)), "{verdict:?}");
}

/// What wxgate answers itself goes to its own listener: with its token, and with the fields of a Wafer client.
#[tokio::test]
async fn an_action_gets_what_is_its_own() {
    let gateway = Gateway::with(config()).await;
    let (token, at) = (gateway.log_in("alice").await, checks(&gateway));
    let login = get("/wxLogin").header("x-wx-code", "c").header("x-wx-iv", "i");
    let login = login.header("x-wx-openid", "oFORGED").header("x-wx-skey", "k");
    let verdict = login.ask(at).await;
    assert_eq!(verdict.status, 200);
    assert!(verdict.removes("x-wx-openid"));
    for name in ["x-wx-code", "x-wx-iv", "x-wx-skey"] {
        assert!(!verdict.removes(name), "{name}: {verdict:?}");
    }
    let verdict = get("/session").token(&token).ask(at).await;
    assert_eq!((verdict.status, verdict.headers.len()), (200, 0));
    assert!(!verdict.removes("authorization"), "{verdict:?}");
    assert_eq!(get("/session").ask(at).await.code(), "token_missing");
}

/// Envoy's own routes know it by one path: by another one the service would get its code or token.
#[tokio::test]
async fn pth_06_an_action_in_another_spelling_is_denied() {
    let gateway = Gateway::with(config()).await;
    let (token, at) = (gateway.log_in("alice").await, checks(&gateway));
    for path in ["/%77xLogin?code=c", "/wxL%6fgin?code=c", "/%73ession", "/logou%74"] {
        let verdict = get(path).token(&token).ask(at).await;
        assert_eq!((verdict.status, verdict.code().as_str()), (400, "bad_request"), "{path}");
    }
    assert_eq!(get("/wxLogin?code=c").ask(at).await.status, 200);
}

/// Nor does the question of a gateway that asks over HTTP, whose path Envoy would hand on to the service.
#[tokio::test]
async fn the_path_of_another_gateways_question_is_no_route() {
    let config = config()
        .route(r#"path = "/authorize", action = "authorize""#)
        .route(r#"path = "/authorize/public/**", action = "authorize", auth = "optional""#);
    let gateway = Gateway::with(config).await;
    let (token, at) = (gateway.log_in("alice").await, checks(&gateway));
    for path in ["/authorize", "/authorize/public/x"] {
        let verdict = get(path).token(&token).ask(at).await;
        assert_eq!((verdict.status, verdict.code().as_str()), (404, "no_route"), "{path}");
    }
}
