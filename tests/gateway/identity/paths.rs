//! The path that was authorised is the path that is sent.

use crate::raw::{Answer, Wire};
use crate::support::config::Config;
use crate::support::gateway::Gateway;

async fn ask(gateway: &Gateway, target: &str) -> Answer {
    Wire::ask(gateway.address, format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).await
}

#[tokio::test]
async fn a_path_is_brought_into_one_form_that_is_matched_and_sent() {
    let gateway = Gateway::start().await;
    for (target, sent) in [
        ("/public/a", "/public/a"),
        ("/public//a", "/public/a"),
        ("//public/a", "/public/a"),
        ("/public/./a", "/public/a"),
        ("/public/b/../a", "/public/a"),
        ("/api/../public/a", "/public/a"),
        ("/%70ublic/%61", "/public/a"),
        ("/public/%7e%2d", "/public/~-"),
        ("/public/%e5%be%ae", "/public/%E5%BE%AE"),
        ("/public/a%20b", "/public/a%20b"),
        ("/public/a?x=../api&y=%2e%2e", "/public/a?x=../api&y=%2e%2e"),
        ("/public//a?x=//b", "/public/a?x=//b"),
        ("/public/", "/public/"),
    ] {
        let answer = ask(&gateway, target).await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        assert_eq!(gateway.upstream.last().target(), sent, "{target}");
    }
}

#[tokio::test]
async fn no_spelling_of_a_protected_path_is_served_without_a_token() {
    let gateway = Gateway::start().await;
    for target in [
        "/api/x",
        "//api/x",
        "/./api/x",
        "/api//x",
        "/public/../api/x",
        "/public/./../api/x",
        "/public/x/../../api/x",
        "/%61pi/x",
        "/a%70i/x",
        "/api/%78",
        "/api?x",
        "/api/?/public/x",
    ] {
        let answer = ask(&gateway, target).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "token_missing"), "{target}");
    }
    assert_eq!(gateway.upstream.requests().len(), 0);
}

#[tokio::test]
async fn an_ambiguous_path_is_a_400() {
    let gateway = Gateway::start().await;
    for target in [
        "/public/%2e%2e/api/x",
        "/public/%2E%2e/api/x",
        "/public/.%2e/api/x",
        "/public/%252e%252e/api/x",
        "/public/..%2fapi/x",
        "/public%2f..%2fapi/x",
        "/public/%5c..%5capi/x",
        "/public/\\../api/x",
        "/public\\..\\api/x",
        "/public/..;/api/x",
        "/public/;x=1/../api/x",
        "/public/x;x=1",
        "/public/x#/../api/x",
        "/public/x%00",
        "/public/x%0d%0aX-WX-OPENID:%20o",
        "/public/x%0a",
        "/public/%",
        "/public/%zz",
        "/public/%c0%ae%c0%ae/api/x",
        "/public/%c0%af../api/x",
        "/..",
        "/../api/x",
        "/public/../../api/x",
        "public/x",
        "?x",
        "a:80",
        "*",
        "http:/public/x",
    ] {
        let answer = ask(&gateway, target).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{target}");
    }
    assert_eq!(gateway.upstream.requests().len(), 0);
}

#[tokio::test]
async fn an_absolute_target_is_refused_or_read_as_its_path() {
    let gateway = Gateway::start().await;
    for (target, public) in [
        ("http://a/api/x", false),
        ("http://a/public/../api/x", false),
        ("http://b/api/x", false),
        ("http://a/public/x", true),
    ] {
        let answer = ask(&gateway, target).await;
        let served = public && answer.status == 200;
        assert!(served || matches!(answer.status, 400 | 401), "{target}: {answer:?}");
    }
    for seen in gateway.upstream.requests() {
        assert_eq!(seen.target(), "/public/x");
    }
}

#[tokio::test]
async fn a_host_that_is_missing_doubled_or_none_is_a_400() {
    let gateway = Gateway::start().await;
    for lines in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nHost: b\r\n",
        "Host:\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: a,b\r\n",
        "Host: u@a\r\n",
        "Host: a:b\r\n",
    ] {
        for path in ["/public/x", "/api/x", "/session", "/unknown"] {
            let request = format!("GET {path} HTTP/1.1\r\n{lines}\r\n");
            let answer = Wire::ask(gateway.address, request).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{lines:?}");
        }
    }
    assert_eq!(gateway.upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_login_path_in_another_spelling_is_never_proxied_with_the_code_in_it() {
    let config = Config::default().route(r#"path = "/**", upstream = "shop", auth = "none""#);
    let gateway = Gateway::with(config).await;
    let code = gateway.wechat.code("alice");
    for path in ["/wxlogin", "/WXLOGIN", "/wxLogin/", "/WxLogin", "/x/../wxlogin", "//wxLogin/"] {
        let answer = ask(&gateway, &format!("{path}?code={code}")).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    assert_eq!(ask(&gateway, "/elsewhere").await.status, 200);
    let login = ask(&gateway, &format!("//%77xLogin?code={code}")).await;
    assert!(login.json()["token"].is_string());
    assert!(!gateway.upstream.only().holds(&code));
}
