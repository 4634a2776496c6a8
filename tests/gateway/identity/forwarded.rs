//! Where a request came from, as the upstream is told.

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::request::Request;

/// What a client, or a proxy before the gateway, may say of it.
const CLAIMS: [(&str, &str); 7] = [
    ("x-forwarded-for", "6.6.6.6, 7.7.7.7"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "bank.example"),
    ("x-real-ip", "6.6.6.6"),
    ("forwarded", "for=6.6.6.6;proto=https"),
    ("x-request-id", "chosen-by-the-client"),
    ("x-forwarded-port", "443"),
];

fn with_claims(request: Request) -> Request {
    CLAIMS.iter().fold(request, |request, (name, value)| request.header(name, value))
}

#[tokio::test]
async fn what_an_untrusted_peer_says_of_it_is_rewritten() {
    let gateway = Gateway::start().await;
    let answer = with_claims(gateway.get("/public/x")).await;
    let seen = gateway.upstream.only();
    let host = gateway.address.to_string();
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-forwarded-host"), Some(host.as_str()));
    assert_eq!(seen.header("x-real-ip"), Some("127.0.0.1"));
    let forwarded = format!("for=127.0.0.1;host=\"{host}\";proto=http");
    assert_eq!(seen.header("forwarded"), Some(forwarded.as_str()));
    assert_eq!(seen.header("x-request-id"), answer.header("x-request-id"));
    assert_eq!(seen.header("x-forwarded-port"), None);
    for text in ["6.6.6.6", "7.7.7.7", "bank.example", "chosen-by-the-client"] {
        assert!(!seen.holds(text), "{text}:\n{}", seen.head);
    }
    assert_eq!(seen.header("host"), Some(host.as_str()));
}

#[tokio::test]
async fn what_a_trusted_proxy_says_of_it_is_kept() {
    let config = Config::default().key("server", r#"trusted_proxies = ["127.0.0.0/8"]"#);
    let gateway = Gateway::with(config).await;
    let answer = with_claims(gateway.get("/public/x")).await;
    let seen = gateway.upstream.only();
    assert_eq!(seen.header("x-forwarded-for"), Some("6.6.6.6, 7.7.7.7, 127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.header("x-forwarded-host"), Some("bank.example"));
    assert_eq!(seen.header("x-real-ip"), Some("7.7.7.7"), "the last that no trusted proxy has");
    assert_eq!(seen.header("x-request-id"), Some("chosen-by-the-client"));
    assert_eq!(answer.header("x-request-id"), Some("chosen-by-the-client"));
    let forwarded = seen.header("forwarded").unwrap();
    assert!(forwarded.starts_with("for=6.6.6.6;proto=https, for=127.0.0.1;"), "{forwarded}");
    assert_eq!(seen.header("x-forwarded-port"), None);

    // It is trusted with where a request came from, not with who sent it.
    let token = gateway.log_in("alice").await;
    gateway.get("/api/x").token(&token).header("x-wx-openid", "oFORGED").await;
    let openid = gateway.wechat.openid("alice");
    assert_eq!(gateway.upstream.last().header("x-wx-openid"), Some(openid.as_str()));
}

#[tokio::test]
async fn originals_rewrites_and_method_overrides_are_removed_even_from_a_trusted_proxy() {
    let trusting = Config::default().key("server", r#"trusted_proxies = ["127.0.0.1"]"#);
    for config in [Config::default(), trusting] {
        let gateway = Gateway::with(config).await;
        let names = [
            "x-original-url",
            "X-Original-Forwarded-For",
            "x_original_url",
            "X-Rewrite-URL",
            "x-rewrite.url",
            "X-HTTP-Method-Override",
            "X-HTTP-Method",
            "X-Method-Override",
            "X_Forwarded_For",
        ];
        let request = gateway.get("/public/x");
        names.iter().fold(request, |request, name| request.header(name, "/forged")).await;
        let seen = gateway.upstream.only();
        assert!(!seen.holds("/forged"), "{}", seen.head);
    }
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own() {
    let gateway = Gateway::start().await;
    let mut ids = std::collections::HashSet::new();
    for path in ["/public/x", "/public/x", "/unknown", "/api/x", "/wxLogin"] {
        let answer = gateway.get(path).await;
        assert!(ids.insert(answer.header("x-request-id").unwrap().to_owned()), "{path}");
    }
}
