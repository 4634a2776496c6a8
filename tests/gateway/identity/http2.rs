//! The same over HTTP/2 (by its preface on a plain listener).

use reqwest::Method;

use crate::support::config::Config;
use crate::support::gateway::Gateway;

const FORGED: &str = "oFORGEDFORGEDFORGEDFORGED";

#[tokio::test]
async fn http2_gives_the_upstream_the_same_identity() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    let openid = gateway.wechat.openid("alice");
    for (path, expected) in
        [("/api/x", Some(openid.as_str())), ("/maybe/x", Some(&openid)), ("/public/x", None)]
    {
        let request = gateway.request_by_http2(Method::GET, path).token(&token);
        let response = request
            .header("x-wx-openid", FORGED)
            .header("X_WX_OPENID", FORGED)
            .header("x.wx.openid", FORGED)
            .header("x-forwarded-for", "6.6.6.6")
            .header("x-original-url", "/public")
            .head()
            .await;
        assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
        let seen = gateway.upstream.last();
        assert_eq!(seen.read_as("x-wx-openid"), expected.into_iter().collect::<Vec<_>>());
        assert!(!seen.holds(FORGED) && !seen.holds("6.6.6.6") && !seen.holds("x-original"));
        assert!(!seen.holds(&token), "{}", seen.head);
        assert_eq!(seen.header("host"), Some(gateway.address.to_string().as_str()));
        let host = seen.header("x-forwarded-host");
        assert_eq!(host, Some(gateway.address.to_string().as_str()));
        assert_eq!(seen.target(), path);
    }
}

#[tokio::test]
async fn http2_logs_in_and_is_refused_like_http1() {
    let gateway = Gateway::start().await;
    let code = gateway.wechat.code("alice");
    let login = gateway.request_by_http2(Method::POST, "/wxLogin").form(&format!("code={code}"));
    let login = login.await;
    assert_eq!(login.status, 200);
    let token = login.json()["token"].as_str().unwrap().to_owned();
    let session = gateway.request_by_http2(Method::GET, "/session").token(&token).await;
    assert_eq!(session.json()["openid"], gateway.wechat.openid("alice"));
    for (method, path, status, code) in [
        (Method::GET, "/api/x", 401, "token_missing"),
        (Method::GET, "/unknown", 404, "no_route"),
        (Method::TRACE, "/public/x", 405, "method_not_allowed"),
        (Method::GET, "/public/%2f", 400, "bad_request"),
    ] {
        let answer = gateway.request_by_http2(method, path).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(gateway.upstream.requests().len(), 0);
}

#[tokio::test]
async fn http2_carries_bodies_both_ways_and_holds_the_limits() {
    let config = Config::default().key("limits", "body_size = \"64KiB\"");
    let gateway = Gateway::with(config).await;
    let body = "x".repeat(64 << 10);
    let answer = gateway.request_by_http2(Method::POST, "/public/x").body(body.clone()).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello from the upstream"));
    assert_eq!(gateway.upstream.only().body, body.as_bytes());
    let over = body + "x";
    let answer = gateway.request_by_http2(Method::POST, "/public/x").body(over).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    let large =
        gateway.request_by_http2(Method::GET, "/public/x").header("x", &"a".repeat(33 << 10));
    assert_eq!(large.await.status, 431);
}

#[tokio::test]
async fn http2_is_not_spoken_where_it_is_off() {
    let gateway = Gateway::with(Config::default().key("server", "h2c = false")).await;
    let mut wire = gateway.wire().await;
    wire.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(wire.answer().await.status, 400);
}
