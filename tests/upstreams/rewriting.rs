//! What a route changes of paths, headers and hosts, as the upstream sees it.

use reqwest::Method;

use crate::support::gateway::Gateway;
use crate::support::server::{Server, bytes};

const ASSETS: &str = "[[routes]]\npath = \"/static/**\"\nupstream = \"shop\"\nauth = \"none\"\n\
                      rewrite = \"/assets/**\"";

#[tokio::test]
async fn a_prefix_is_replaced_and_the_rest_stays() {
    let server = Server::start("files").await;
    let gateway = Gateway::with(&[server.url()], "", ASSETS).await;
    for (path, becomes) in [
        ("/static/a/b.js?v=%2e%2e/", "/assets/a/b.js?v=%2e%2e/"),
        ("/static", "/assets"),
        ("/static/", "/assets/"),
        ("/static?x", "/assets?x"),
        ("/statics", "/statics"),
        ("/a/static/b", "/a/static/b"),
    ] {
        assert_eq!(gateway.get(path).await.status, 200, "{path}");
        assert_eq!(server.seen().last().unwrap().target(), becomes, "{path}");
    }
    gateway.ask_by_http2(Method::GET, "/static/h2?x=1").await;
    assert_eq!(server.seen().last().unwrap().target(), "/assets/h2?x=1");
}

#[tokio::test]
async fn pth_04_rewriting_never_makes_a_dot_segment() {
    let server = Server::start("files").await;
    let gateway = Gateway::with(&[server.url()], "", ASSETS).await;
    for path in [
        "/static/../secret",
        "/static/..",
        "/static/a/../../secret",
        "/static/%2e%2e/secret",
        "/static/.%2e/secret",
        "/static/%252e%252e/secret",
        "/static/..%2fsecret",
        "/static/..%5csecret",
        "/static//..//secret",
        "/static/..;/secret",
        "/static/./a",
        "/static//a",
    ] {
        let mut wire = gateway.wire().await;
        let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        wire.send(&head).await;
        wire.all().await;
    }
    for seen in server.seen() {
        let target = seen.target();
        // What a dot segment leads out of the route by is another route's, and not rewritten.
        assert!(matches!(target, "/assets/a" | "/secret" | "/"), "{target}");
    }
    assert_eq!(gateway.get("/static/ordinary").await.status, 200);
    assert_eq!(server.seen().last().unwrap().target(), "/assets/ordinary");
}

#[tokio::test]
async fn headers_are_set_and_removed_on_the_way_there_and_back() {
    let server = Server::start("headers").await;
    server.answers(|_| {
        bytes(
            "HTTP/1.1 200 OK\r\nServer: old\r\nX-Powered-By: PHP\r\nX-Powered-By: 5\r\n\
             Cache-Control: no-store\r\nContent-Length: 0\r\n\r\n",
        )
    });
    let route = r#"
[[routes]]
path = "/changed"
upstream = "shop"
auth = "none"
request_headers = { set = { X-Env = "prod", Authorization = "Basic eDp5" }, remove = ["X-Debug"] }
response_headers = { set = { Cache-Control = "max-age=60" }, remove = ["Server", "X-Powered-By"] }
"#;
    let gateway = Gateway::with(&[server.url()], "", route).await;
    let headers = [("x-debug", "1"), ("x-env", "test"), ("authorization", "Basic mine")];
    let answer = gateway.ask(Method::GET, "/changed", &headers).await;
    let seen = &server.seen()[0];
    assert_eq!(seen.all("x-env"), ["prod"]);
    assert_eq!(seen.all("authorization"), ["Basic eDp5"]);
    assert!(seen.all("x-debug").is_empty());
    assert_eq!(answer.header("cache-control"), Some("max-age=60"));
    assert_eq!((answer.header("server"), answer.header("x-powered-by")), (None, None));
    let other = gateway.ask(Method::GET, "/other", &headers).await;
    assert_eq!(server.seen()[1].all("x-env"), ["test"]);
    assert_eq!(other.header("server"), Some("old"));
}

/// RFC 9110, 7.6.1.
#[tokio::test]
async fn what_a_server_says_of_its_connection_is_not_the_clients() {
    let server = Server::start("closing").await;
    server.answers(|_| {
        bytes(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nKeep-Alive: timeout=5\r\n\
             Content-Length: 0\r\n\r\n",
        )
    });
    let gateway = Gateway::before(&[server.url()], "").await;
    let answer = gateway.get("/").await;
    assert_eq!(answer.header("connection"), Some("keep-alive"));
    assert_eq!(answer.header("keep-alive"), None);
}

#[tokio::test]
async fn identity_is_what_the_token_says_whatever_a_route_changes() {
    let server = Server::start("identity").await;
    let route = "[[routes]]\npath = \"/changed\"\nupstream = \"shop\"\n\
                 request_headers = { remove = [\"X-Debug\"] }\nrewrite = \"/elsewhere\"";
    let gateway = Gateway::with(&[server.url()], "", route).await;
    let token = format!("Bearer {}", gateway.log_in("alice").await);
    let headers = [("authorization", token.as_str()), ("x-wx-openid", "forged")];
    assert_eq!(gateway.ask(Method::GET, "/changed", &headers).await.status, 200);
    let seen = &server.seen()[0];
    assert_eq!(seen.target(), "/elsewhere");
    assert_eq!(seen.all("x-wx-openid").len(), 1);
    assert_ne!(seen.all("x-wx-openid"), ["forged"]);
}

#[tokio::test]
async fn the_host_is_the_clients_unless_the_upstream_wants_its_own() {
    let server = Server::start("host").await;
    let kept = Gateway::before(&[server.url()], "").await;
    kept.get("/").await;
    assert_eq!(server.seen()[0].all("host"), [kept.address.to_string()]);
    let own = Gateway::before(&[server.url()], "preserve_host = false").await;
    own.get("/").await;
    own.ask_by_http2(Method::GET, "/").await;
    for seen in &server.seen()[1..] {
        assert_eq!(seen.all("host"), [server.address.to_string()]);
        assert_eq!(seen.all("x-forwarded-host"), [own.address.to_string()]);
    }
    assert_eq!(server.seen().len(), 3);
}
