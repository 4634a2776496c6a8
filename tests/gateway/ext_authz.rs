//! Envoy asks over gRPC whether a request may go on, and as whose. `tests/integrations` has Envoy itself.

mod envoy;
mod listener;
mod passed_on;
mod stopping;

use std::net::SocketAddr;

use self::envoy::Asked;
use crate::authorize::OVERRIDING;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt::KEY;
use crate::support::metrics::Scrape;

fn config() -> Config {
    Config::default().table("ext_authz", "listen = \"127.0.0.1:0\"")
}

fn checks(gateway: &Gateway) -> SocketAddr {
    match gateway.app.ext_authz_address.as_ref() {
        Some(wxgate::listen::Address::Tcp(address)) => *address,
        other => panic!("{other:?}"),
    }
}

fn get(path: &str) -> Asked {
    Asked::of("GET", path)
}

#[tokio::test]
async fn the_routes_decide_and_the_identity_is_set() {
    let gateway = Gateway::with(config()).await;
    let (token, at) = (gateway.log_in("alice").await, checks(&gateway));
    let asked = get("/api/x?y=1").token(&token).header("x-request-id", "envoys-own");
    let verdict = asked.ask(at).await;
    assert_eq!(verdict.status, 200, "{verdict:?}");
    assert_eq!(verdict.header("x-wx-openid"), Some(gateway.wechat.openid("alice").as_str()));
    assert_eq!(verdict.header("x-wx-appid"), Some(crate::support::wechat::APPID));
    assert_eq!(verdict.header("x-wx-source"), Some("wx_client"));
    assert_eq!(verdict.header("x-wx-call-id"), Some("envoys-own"));
    assert_eq!(verdict.headers.len(), 4, "{verdict:?}");
    let overriding = OVERRIDING.into_iter();
    let mut removed: Vec<_> =
        ["authorization", "x-wx-env", "x-wx-unionid"].into_iter().chain(overriding).collect();
    removed.sort_unstable();
    assert_eq!(verdict.removed, removed);

    for (path, token, status, code) in [
        ("/api/x", None, 401, "token_missing"),
        ("/api/x", Some("a.b.c"), 401, "token_invalid"),
        ("/maybe/x", Some("a.b.c"), 401, "token_invalid"),
        ("/nowhere", Some(token.as_str()), 404, "no_route"),
    ] {
        let asked = token.map_or_else(|| get(path), |token| get(path).token(token));
        let verdict = asked.ask(at).await;
        assert_eq!((verdict.status, verdict.code().as_str()), (status, code), "{path}");
        assert_eq!(verdict.header("cache-control"), Some("no-store"));
        let scheme = (status == 401).then_some("Bearer");
        assert_eq!(verdict.header("www-authenticate"), scheme);
    }
    assert_eq!(gateway.post("/logout").token(&token).await.status, 204);
    assert_eq!(get("/api/x").token(&token).ask(at).await.code(), "token_invalid");
    assert!(gateway.upstream.requests().is_empty(), "nothing goes through us");
}

#[tokio::test]
async fn hdr_03_whoever_is_nobody_goes_on_without_any_identity() {
    let gateway = Gateway::with(config()).await;
    let (token, at) = (gateway.log_in("alice").await, checks(&gateway));
    let spoofed =
        |path: &str| get(path).header("x-wx-openid", "oFORGED").header("x_wx.unionid", "uFORGED");
    let all = ["appid", "call-id", "env", "openid", "source", "unionid"];
    for asked in [spoofed("/public/x"), spoofed("/public/x").token(&token), spoofed("/maybe/x")] {
        let verdict = asked.ask(at).await;
        assert_eq!((verdict.status, verdict.headers.len()), (200, 0), "{verdict:?}");
        let is_removed = |name: &str| verdict.removes(&format!("x-wx-{name}"));
        assert!(all.iter().all(|name| is_removed(name)), "{verdict:?}");
        assert!(verdict.removes("x_wx.unionid"));
    }
    let verdict = get("/public/x").token(&token).ask(at).await;
    assert!(verdict.removes("authorization"), "the token is nobody's there either");
}

#[tokio::test]
async fn hdr_02_every_spelling_of_an_identity_is_removed() {
    let gateway = Gateway::with(config().key("identity", "claims = { level = \"X-Level\" }")).await;
    let (token, at) = (gateway.log_in("alice").await, checks(&gateway));
    let names = [
        "x_wx_openid",
        "x.wx.openid",
        "x-wx_openid",
        "x-wx-from-openid",
        "x-level",
        "x_level",
        "x_forwarded_for",
        "x_request.id",
        "transfer_encoding",
    ];
    let asked =
        names.iter().fold(get("/api/x").token(&token), |asked, name| asked.header(name, "oFORGED"));
    let kept = ["x-forwarded-for", "x-request-id", "accept", "x_legacy"];
    let asked = kept.iter().fold(asked, |asked, name| asked.header(name, "1"));
    let verdict = asked.ask(at).await;
    assert_eq!(verdict.status, 200);
    for name in names {
        assert!(verdict.removes(name), "{name}: {verdict:?}");
    }
    for name in kept {
        assert!(!verdict.removes(name), "{name}: {verdict:?}");
    }
    // Raw headers are told apart where they are doubled: two tokens are nobody's.
    let bearer = format!("Bearer {token}");
    let once = get("/api/x").raw_header("authorization", bearer.as_bytes());
    let once = once.raw_header("x_wx_openid", b"\xff");
    let verdict = once.ask(at).await;
    assert!(verdict.status == 200 && verdict.removes("x_wx_openid"), "{verdict:?}");
    let twice = get("/api/x").raw_header("authorization", bearer.as_bytes());
    let twice = twice.raw_header("authorization", bearer.as_bytes());
    assert_eq!(twice.ask(at).await.code(), "bad_request");
}

/// Envoy passes the path on as it came: what was decided on has to be that.
#[tokio::test]
async fn pth_01_a_path_that_is_not_plain_is_denied() {
    let gateway = Gateway::with(config()).await;
    let at = checks(&gateway);
    for path in [
        "/api/../public/x",
        "/public/../public/x",
        "/public/./x",
        "/public//x",
        "//public/x",
        "/public/x/..",
        "/public/x/.",
        "/public/%2e%2e/api/x",
        "/public/..%2fapi/x",
        "/public/..;/api/x",
        "/public\\..\\api",
        "/public/%252e%252e/api",
        "/public/x%00",
        "public/x",
        "*",
        "http://shop.example.com/public/x",
        "",
    ] {
        let verdict = get(path).ask(at).await;
        assert_eq!((verdict.status, verdict.code().as_str()), (400, "bad_request"), "{path}");
    }
    let verdict = get("/").path(b"/public/\xff\xfe").ask(at).await;
    assert_eq!(verdict.status, 400);
    for path in ["/public/x", "/public/", "/public", "/public/%e4%bd%a0", "/%70ublic/x?a=/../"] {
        assert_eq!(get(path).ask(at).await.status, 200, "{path}");
    }
    assert_eq!(get("/public/x").host("a b").ask(at).await.code(), "bad_request");
    assert_eq!(get("/public/x").host("").ask(at).await.code(), "bad_request");
    let verdict = Asked::of("TRACE", "/public/x").ask(at).await;
    assert_eq!((verdict.status, verdict.code().as_str()), (405, "method_not_allowed"));
    assert!(verdict.header("allow").is_some_and(|allow| allow.contains("GET")));
}

#[tokio::test]
async fn a_rate_counts_the_clients_that_envoy_names() {
    let limited = r#"path = "/limited", upstream = "shop", auth = "none", rate = { per = "ip", limit = "1/h" }"#;
    let config = config().key("server", "trusted_proxies = [\"10.0.0.0/8\"]").route(limited);
    let gateway = Gateway::with(config).await;
    let at = checks(&gateway);
    let mut statuses = Vec::new();
    for (source, forwarded) in [
        ("192.0.2.1", "6.6.6.6"),
        ("192.0.2.1", "7.7.7.7"),
        ("192.0.2.2", ""),
        // A load balancer before Envoy.
        ("10.0.0.1", "192.0.2.3, 10.0.0.1"),
        ("10.0.0.2", "192.0.2.3, 10.0.0.2"),
    ] {
        let asked = get("/limited").from(source).header("x-forwarded-for", forwarded);
        let verdict = asked.ask(at).await;
        if verdict.status == 429 {
            assert_eq!(verdict.code(), "rate_limited");
            let wait: u64 = verdict.header("retry-after").unwrap().parse().unwrap();
            assert!((3500..=3600).contains(&wait), "{wait}");
        }
        statuses.push(verdict.status);
    }
    assert_eq!(statuses, [200, 429, 200, 200, 429]);
}

#[tokio::test]
async fn pages_are_answered_as_by_ourselves() {
    let page = "https://h5.example.com";
    let route = format!(r#"path = "/h5", upstream = "shop", cors = {{ origins = ["{page}"] }}"#);
    let gateway = Gateway::with(config().route(&route)).await;
    let (token, at) = (gateway.log_in("alice").await, checks(&gateway));
    let allowed = "access-control-allow-origin";
    let preflight = Asked::of("OPTIONS", "/h5").header("origin", page);
    let verdict = preflight.header("access-control-request-method", "PUT").ask(at).await;
    assert_eq!((verdict.status, verdict.header(allowed)), (204, Some(page)));
    assert_eq!(verdict.header("access-control-allow-methods"), Some("PUT"));
    let refused = get("/h5").header("origin", page).ask(at).await;
    assert_eq!((refused.status, refused.header(allowed)), (401, Some(page)));
    let verdict = get("/h5").header("origin", page).token(&token).ask(at).await;
    assert_eq!(verdict.answer_headers.get(allowed).map(String::as_str), Some(page));
    let verdict = get("/h5").header("origin", "https://evil.example").token(&token).ask(at).await;
    assert_eq!(verdict.answer_headers.get(allowed), None);
}

#[tokio::test]
async fn a_body_that_is_too_large_by_its_own_word_is_denied() {
    let gateway = Gateway::with(config().key("limits", "body_size = \"1KiB\"")).await;
    let at = checks(&gateway);
    let asked = Asked::of("POST", "/public/x");
    assert_eq!(asked.clone().header("content-length", "1024").ask(at).await.status, 200);
    let verdict = asked.header("content-length", "1025").ask(at).await;
    assert_eq!((verdict.status, verdict.code().as_str()), (413, "body_too_large"));
}

#[tokio::test]
async fn rel_04_without_the_store_it_is_a_503() {
    let gateway = Gateway::with(
        config()
            .table("store", "url = \"redis://127.0.0.1:1\"\nencryption_keys = [\"${STORE_KEY}\"]")
            .variable("STORE_KEY", KEY)
            .signing_keys(&[KEY]),
    )
    .await;
    let at = checks(&gateway);
    // A good token of a gateway with the same key.
    let other = Gateway::with(Config::default().signing_keys(&[KEY])).await;
    let token = other.log_in("alice").await;
    let verdict = get("/api/x").token(&token).ask(at).await;
    assert_eq!((verdict.status, verdict.code().as_str()), (503, "store_unavailable"));
    assert!(verdict.header("retry-after").is_some());
    assert_eq!(get("/public/x").ask(at).await.status, 200);
    let metrics = Scrape::of(gateway.app.admin_address).await;
    assert_eq!(metrics.get("wxgate_ext_authz_checks_total{result=\"failed\"}"), 1.0);
}

#[tokio::test]
async fn checks_are_counted_by_what_became_of_them() {
    let gateway = Gateway::with(config()).await;
    let (token, at) = (gateway.log_in("alice").await, checks(&gateway));
    for (asked, times) in [
        (get("/api/x").token(&token), 3),
        (get("/api/x"), 2),
        (get("/api/x").token("a.b.c"), 1),
        (get("/public/x"), 1),
    ] {
        for _ in 0..times {
            asked.ask(at).await;
        }
    }
    let metrics = Scrape::of(gateway.app.admin_address).await;
    for (series, value) in [
        ("wxgate_ext_authz_checks_total{result=\"passed_on\"}", 4.0),
        ("wxgate_ext_authz_checks_total{result=\"refused\"}", 3.0),
        ("wxgate_ext_authz_check_duration_seconds_count", 7.0),
        ("wxgate_authentications_total{outcome=\"authenticated\"}", 3.0),
        ("wxgate_authentications_total{outcome=\"missing\"}", 2.0),
        ("wxgate_authentications_total{outcome=\"invalid\"}", 1.0),
        ("wxgate_refusals_total{code=\"token_missing\"}", 2.0),
    ] {
        assert_eq!(metrics.get(series), value, "{series}");
    }
}
