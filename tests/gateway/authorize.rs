//! The action `authorize`: another gateway asks whose a request is.

use reqwest::Method;

use crate::raw::{Answer, Wire};
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::metrics::Scrape;

const IDENTITY: [&str; 6] =
    ["x-wx-openid", "x-wx-unionid", "x-wx-appid", "x-wx-source", "x-wx-call-id", "x-wx-env"];
/// What overrides the method, the path or the client that the question is about: it goes on from nobody.
pub(crate) const OVERRIDING: [&str; 7] = [
    "forwarded",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];
const TO_REMOVE: &str = "x-envoy-auth-headers-to-remove";

fn config() -> Config {
    Config::default()
        .route(r#"path = "/authorize", action = "authorize""#)
        .route(r#"path = "/authorize/**", action = "authorize""#)
        .route(r#"path = "/known", action = "authorize", auth = "optional""#)
}

/// The identity headers of an answer, in the order above.
fn identity(answer: &Answer) -> Vec<Option<&str>> {
    IDENTITY.iter().map(|name| answer.header(name)).collect()
}

fn removed(answer: &Answer) -> Vec<&str> {
    let names = answer.header(TO_REMOVE).unwrap_or_default().split(',');
    let mut names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names
}

fn with_overriding<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut all = [names, OVERRIDING.as_slice()].concat();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn a_token_is_answered_with_every_identity_header() {
    let gateway = Gateway::with(config()).await;
    let token = gateway.log_in("alice").await;
    let answer = gateway.get("/authorize").token(&token).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, ""));
    let id = answer.header("x-request-id").unwrap();
    let openid = gateway.wechat.openid("alice");
    let appid = crate::support::wechat::APPID;
    let expected = [&openid, "", appid, "wx_client", id, ""].map(Some);
    assert_eq!(identity(&answer), expected, "what there is nothing to say of is there and empty");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), None);
    assert!(!answer.headers.iter().any(|(_, value)| value.contains(&token)));
    assert!(gateway.upstream.requests().is_empty());
}

#[tokio::test]
async fn a_missing_and_a_dead_token_are_a_401_without_identity() {
    let gateway = Gateway::with(config()).await;
    let answer = gateway.get("/authorize").await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "token_missing"));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    assert_eq!(identity(&answer), [None; 6]);

    let token = gateway.log_in("alice").await;
    assert_eq!(gateway.post("/logout").token(&token).await.status, 204);
    let answer = gateway.get("/authorize").token(&token).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "token_invalid"));
    assert_eq!(identity(&answer), [None; 6]);
}

#[tokio::test]
async fn where_a_token_is_optional_nobody_is_a_200_with_empty_headers() {
    let gateway = Gateway::with(config()).await;
    let answer = gateway.get("/known").header("x-wx-openid", "oFORGED").await;
    assert_eq!((answer.status, identity(&answer)), (200, vec![Some(""); 6]));
    assert_eq!(removed(&answer), with_overriding(&IDENTITY));
    assert_eq!(gateway.get("/known").token("a.b.c").await.status, 401, "a bad token is one");
    let token = gateway.log_in("alice").await;
    let answer = gateway.get("/known").token(&token).await;
    assert_eq!(answer.header("x-wx-openid"), Some(gateway.wechat.openid("alice").as_str()));
}

/// Envoy keeps the method, and puts the path behind the one that it is told.
#[tokio::test]
async fn any_method_and_any_path_below_is_answered() {
    let gateway = Gateway::with(config()).await;
    let token = gateway.log_in("alice").await;
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let method: Method = method.parse().unwrap();
        for path in ["/authorize", "/authorize/", "/authorize/api/x?code=1", "/authorize/wxLogin"] {
            let answer = gateway.request(method.clone(), path).token(&token).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{method} {path}");
        }
        let answer = gateway.request_by_http2(method, "/authorize/x").token(&token).await;
        assert_eq!(answer.status, 200);
    }
    assert!(gateway.upstream.requests().is_empty(), "whatever the path behind it is");
}

/// The path behind the prefix is the client's: it must not lead to a route that asks for less.
#[tokio::test]
async fn pth_01_a_path_below_cannot_lead_out_of_it() {
    let gateway = Gateway::with(config()).await;
    let token = gateway.log_in("alice").await;
    for path in [
        "/authorize/../public/x",
        "/authorize/..",
        "/authorize/../wxLogin?code=1",
        "/authorize/api/../../public/x",
        "/authorize/./../public/x",
        "/authorize/api/../x",
        "/authorize//public/x",
        "/authorize/.",
        "/authorize/%2e%2e/public/x",
        "/authorize/..%2fpublic/x",
        "/authorize/..;/public/x",
        "/authorize/x\\..\\public",
    ] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
        let answer = Wire::ask(gateway.address, request).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{path}");
    }
    assert!(gateway.upstream.requests().is_empty());
}

/// CVE-2026-27587: a service may read the path behind the prefix in any case, or without its closing dots.
#[tokio::test]
async fn pth_03_another_spelling_of_a_path_below_asks_for_no_less() {
    let config = Config::default()
        .route(r#"path = "/asked/**", action = "authorize", auth = "optional""#)
        .route(r#"path = "/asked/admin/**", action = "authorize""#);
    let gateway = Gateway::with(config).await;
    for (path, status) in [
        ("/asked/shop/x", 200),
        ("/asked/admin/x", 401),
        ("/asked/%61dmin/x", 401),
        ("/asked/ADMIN/x", 404),
        ("/asked/%41dmin/x", 404),
        ("/asked/admin./x", 404),
        ("/asked/admin%20/x", 404),
        ("/Asked/Admin", 404),
    ] {
        assert_eq!(gateway.get(path).await.status, status, "{path}");
    }
}

/// nginx passes the length of a body without its bytes where it is not told to leave it out.
#[tokio::test]
async fn a_length_without_a_body_is_answered_and_ends_the_connection() {
    let gateway = Gateway::with(config().key("limits", "body_size = \"1KiB\"")).await;
    let token = gateway.log_in("alice").await;
    for framing in ["Content-Length: 5", "Content-Length: 99999999", "Transfer-Encoding: chunked"] {
        for (token, status) in [(token.as_str(), 200), ("a.b.c", 401)] {
            let mut wire = gateway.wire().await;
            let head = format!(
                "POST /authorize HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n{framing}\r\n\r\n"
            );
            wire.send(head).await;
            let answer = wire.answer().await;
            assert_eq!((answer.status, answer.header("connection")), (status, Some("close")));
            // The bytes of a next request are none of this one's body.
            let _ = wire.try_send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert!(wire.rest().await.is_empty(), "{framing} {status}");
        }
    }
    assert!(gateway.upstream.requests().is_empty());
}

#[tokio::test]
async fn hdr_02_envoy_is_told_to_remove_every_spelling_and_the_token() {
    let gateway = Gateway::with(config()).await;
    let token = gateway.log_in("alice").await;
    let spoofed = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
             X-WX-OPENID: oFORGED\r\nx_wx_openid: oFORGED\r\nX.WX.Openid: oFORGED\r\n\
             X-WX-FROM-OPENID: oFORGED\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\n\
             X_Legacy: 1\r\n\r\n"
        )
    };
    let answer = Wire::ask(gateway.address, spoofed("/authorize")).await;
    let expected = [
        "authorization",
        "x-wx-env",
        "x-wx-from-openid",
        "x-wx-unionid",
        "x.wx.openid",
        "x_forwarded_for",
        "x_wx_openid",
    ];
    assert_eq!((answer.status, removed(&answer)), (200, with_overriding(&expected)));

    let gateway = Gateway::with(config().table("identity", "forward_token = true")).await;
    let token = gateway.log_in("alice").await;
    let answer = gateway.get("/authorize").token(&token).await;
    assert_eq!(removed(&answer), with_overriding(&["x-wx-env", "x-wx-unionid"]));
}

/// The route is asked about a GET of this path; a service that goes by such a header would do another thing.
#[tokio::test]
async fn pth_05_nothing_that_overrides_method_or_path_goes_on() {
    let route = r#"path = "/read/**", action = "authorize", methods = ["GET"]"#;
    let gateway = Gateway::with(config().route(route)).await;
    let token = gateway.log_in("alice").await;
    let asked = gateway.get("/read/x").token(&token).header("x-http-method-override", "DELETE");
    let asked = asked.header("x-original-host", "b").header("x_http_method", "DELETE");
    let answer = asked.header("x-rewrite-uri", "/admin").header("x-request-id", "1").await;
    assert_eq!(answer.status, 200);
    let seen = ["authorization", "x-original-host", "x-rewrite-uri", "x_http_method"];
    let expected = [&seen[..], &["x-wx-env", "x-wx-unionid"]].concat();
    assert_eq!(removed(&answer), with_overriding(&expected));
}

#[tokio::test]
async fn a_routes_rate_and_its_apps_hold_for_other_gateways_too() {
    let rate = r#"rate = { per = "openid", limit = "1/h" }"#;
    let config = Config::with_two_apps()
        .route(&format!(r#"path = "/limited", action = "authorize", {rate}"#))
        .route(r#"path = "/others", action = "authorize", app = "other""#);
    let gateway = Gateway::with(config).await;
    let token = gateway.log_in("alice").await;
    assert_eq!(gateway.get("/limited").token(&token).await.status, 200);
    let answer = gateway.get("/limited").token(&token).await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "rate_limited"));
    let answer = gateway.get("/others").token(&token).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "token_invalid"));
    let metrics = Scrape::of(gateway.app.admin_address).await;
    for (outcome, count) in [("authenticated", 2.0), ("other_app", 1.0)] {
        let name = format!("wxgate_authentications_total{{outcome=\"{outcome}\"}}");
        assert_eq!(metrics.get(&name), count, "{outcome}");
    }
}
