//! Which route a request takes, and whether it needs a token.

use reqwest::Method;

use crate::raw::Wire;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::upstream::{Reply, Upstream};

#[tokio::test]
async fn the_most_specific_route_wins() {
    let upstreams = [
        Upstream::start().await,
        Upstream::start().await,
        Upstream::start().await,
        Upstream::start().await,
    ];
    let names = ["all", "prefix", "exact", "post"];
    let mut config = Config::default().routes(&[
        r#"path = "/**", upstream = "all", auth = "none""#,
        r#"path = "/a/**", upstream = "prefix", auth = "none""#,
        r#"path = "/a/b", upstream = "exact", auth = "none""#,
        r#"path = "/a/b", upstream = "post", methods = ["POST"], auth = "none""#,
        r#"path = "/a/b", upstream = "all", host = "shop.example", auth = "none""#,
    ]);
    for (name, upstream) in names.iter().zip(&upstreams) {
        let servers = format!("servers = [\"{}\"]", upstream.url());
        config = config.table(&format!("upstreams.{name}"), &servers);
        for path in ["/", "/ab", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/A/b"] {
            upstream.on(path, Reply::ok(name));
        }
    }
    let gateway = Gateway::with(config).await;
    for (method, path, host, expected) in [
        ("GET", "/", "a", "all"),
        ("GET", "/ab", "a", "all"),
        ("GET", "/A/b", "a", "all"),
        ("GET", "/a", "a", "prefix"),
        ("GET", "/a/", "a", "prefix"),
        ("GET", "/a/b/", "a", "prefix"),
        ("GET", "/a/b/c", "a", "prefix"),
        ("GET", "/a/b", "a", "exact"),
        ("PUT", "/a/b", "a", "exact"),
        ("POST", "/a/b", "a", "post"),
        ("POST", "/a/b", "shop.example", "all"),
        ("GET", "/a/b", "SHOP.example:8080", "all"),
        ("GET", "/a/b", "shop.example.evil", "exact"),
    ] {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n");
        let answer = Wire::ask(gateway.address, &request).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, expected), "{request}");
    }
}

#[tokio::test]
async fn what_no_route_has_is_a_404() {
    let gateway = Gateway::start().await;
    for path in ["/", "/apix", "/ap", "/wxLogin/more", "/metrics", "/config", "/sessions", "/livez"]
    {
        let answer = gateway.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "no_route"), "{path}");
    }
}

#[tokio::test]
async fn a_method_that_no_route_has_is_a_405_that_names_the_others() {
    let config = Config::default()
        .route(r#"path = "/m", upstream = "shop", auth = "none", methods = ["GET", "PUT"]"#)
        .route(r#"path = "/m", upstream = "shop", auth = "none", methods = ["DELETE"]"#);
    let gateway = Gateway::with(config).await;
    let answer = gateway.post("/m").await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
    assert_eq!(answer.header("allow"), Some("DELETE, GET, PUT"));
    for method in ["TRACE", "get", "PROPFIND", "FOO", "PRI"] {
        let request = format!("{method} /public/x HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = Wire::ask(gateway.address, request).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (405, "method_not_allowed"),
            "{method}"
        );
        assert!(answer.header("allow").is_some());
    }
    assert_eq!(gateway.upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_route_asks_for_a_token_takes_one_or_does_not_look() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    for (path, without, with_bad, with_good) in
        [("/api/x", 401, 401, 200), ("/maybe/x", 200, 401, 200), ("/public/x", 200, 200, 200)]
    {
        assert_eq!(gateway.get(path).await.status, without, "{path}");
        assert_eq!(gateway.get(path).token("bad").await.status, with_bad, "{path}");
        assert_eq!(gateway.get(path).token(&token).await.status, with_good, "{path}");
    }
}

#[tokio::test]
async fn every_method_arrives_as_it_is() {
    let gateway = Gateway::start().await;
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let method: Method = method.parse().unwrap();
        assert_eq!(gateway.request(method.clone(), "/public/x").await.status, 200);
        assert_eq!(gateway.upstream.last().method(), method.as_str());
    }
}
