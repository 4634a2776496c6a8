//! Path and method: what is authorised is what is sent, in whatever spelling it came.

use crate::attack::{Attack, Attacked, BAD_REQUEST, End};
use crate::http2_wire::{Http2Wire, Outcome};
use crate::raw::Wire;
use crate::support::config::Config;
use crate::support::gateway::Gateway;

/// The status of a GET over HTTP/1.1 and over HTTP/2, with no token; 400 where it is reset or cut off.
async fn statuses(gateway: &Gateway, method: &str, target: &str) -> [u16; 2] {
    let head = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    let by_http1 = Wire::ask(gateway.address, head).await.status;
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let fields = [
        field(":method", method),
        field(":scheme", "http"),
        field(":authority", "a"),
        field(":path", target),
    ];
    let mut wire = Http2Wire::connect(gateway.address).await;
    let id = wire.begin(&fields, true).await;
    match wire.outcome(id).await {
        Outcome::Answer { status, .. } => [by_http1, status],
        Outcome::Refused | Outcome::Closed => [by_http1, 400],
    }
}

/// A gateway that is open to everybody but for `/api/**`: what is taken for something else gets through.
async fn open_but_for_api() -> Gateway {
    let config = Config::default().routes(&[
        r#"path = "/wxLogin", action = "login""#,
        r#"path = "/session", action = "session""#,
        r#"path = "/api/**", upstream = "shop""#,
        r#"path = "/**", upstream = "shop", auth = "none""#,
    ]);
    Gateway::with(config).await
}

/// How services are known to read a target: dot segments after decoding, up to three times, with `\` for
/// `/`, without parameters, in any case.
fn may_be_read_as_api(target: &str) -> bool {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let mut text = path.to_ascii_lowercase().into_bytes();
    (0..3).any(|_| {
        let read = String::from_utf8_lossy(&text).to_ascii_lowercase().replace('\\', "/");
        let mut kept = Vec::new();
        for segment in read.split('/').map(|segment| segment.split(';').next().unwrap_or_default())
        {
            match segment {
                "" | "." => {}
                ".." => drop(kept.pop()),
                segment => kept.push(segment.trim_end_matches(['\0', ' ', '.']).to_owned()),
            }
        }
        text = percent_encoding::percent_decode(&text).collect();
        kept.first().is_some_and(|first| first == "api")
    })
}

/// CVE-2025-32431, CVE-2021-29492, CVE-2025-66490, CVE-2026-73511, CVE-2026-41059: no detour to a
/// protected path is served without a token.
#[tokio::test]
async fn pth_01_no_detour_reaches_a_protected_path() {
    let gateways = [Gateway::start().await, open_but_for_api().await];
    for gateway in &gateways {
        for (target, refused) in [
            ("/public/../api/x", 401),
            ("/public/./../api/x", 401),
            ("//api/x", 401),
            ("/api//x", 401),
            ("/./api/x", 401),
            ("/public/x/../../api/x", 401),
            ("/public/%2e%2e/api/x", 400),
            ("/public/%2E%2e/api/x", 400),
            ("/public/.%2e/api/x", 400),
            ("/public/%252e%252e/api/x", 400),
            ("/public/%25252e%25252e/api/x", 400),
            ("/public/..%2fapi/x", 400),
            ("/public/..%252fapi/x", 400),
            ("/public%2f..%2fapi/x", 400),
            ("/public/%5c..%5capi/x", 400),
            ("/public/..%5capi/x", 400),
            ("/public/..%255capi/x", 400),
            ("/public/\\../api/x", 400),
            ("/public\\..\\api/x", 400),
            ("/\\api/x", 400),
            ("/public/..;/api/x", 400),
            ("/public/..;x=1/api/x", 400),
            ("/public/;x=1/../api/x", 400),
            ("/api;x=1/x", 400),
            ("/;x=1/api/x", 400),
            ("/public/%3b/../api/x", 400),
            ("/public/%00/../api/x", 400),
            ("/api%00/x", 400),
            ("/api/x%00.css", 400),
            ("/public/x%0d%0aX-WX-OPENID:%20o", 400),
            ("/public/x%0a", 400),
            ("/%2561pi/x", 400),
            ("/..", 400),
            ("/../api/x", 400),
            ("/public/../../api/x", 400),
        ] {
            assert_eq!(statuses(gateway, "GET", target).await, [refused; 2], "{target}");
        }
        // An encoded fragment is part of a name, and may be read as none. A plain one is lost in the
        // library of HTTP/2 before anybody looks at the path.
        assert_eq!(statuses(gateway, "GET", "/public/x%23/../../api/x").await, [401; 2]);
        for target in ["/api/x%23", "/api/x%3f", "/api/%23/x", "/api/x%23/../public"] {
            assert_eq!(statuses(gateway, "GET", target).await, [401; 2], "{target}");
        }
        assert_eq!(statuses(gateway, "GET", "/api%23/x").await, [404; 2]);
        assert_eq!(statuses(gateway, "GET", "/api%3f/x").await, [404; 2]);
        assert_eq!(statuses(gateway, "GET", "/api/x#/../public/x").await, [400, 401]);
        assert_eq!(gateway.upstream.requests().len(), 0);
        assert_eq!(statuses(gateway, "GET", "/public/x#/../api/x").await, [400, 200]);
        assert_eq!(gateway.upstream.only().target(), "/public/x");
        assert_eq!(gateway.get("/public/after").await.status, 200);
    }
}

/// The same in every combination of the pieces that such detours are made of: whatever arrives cannot be
/// read as a protected path.
#[tokio::test]
async fn pth_01_nothing_that_arrives_may_be_read_as_a_protected_path() {
    let gateway = open_but_for_api().await;
    let pieces = ["..", "%2e%2e", ".%252e", "", ".", "x", "..;", "x%2f..", "%5c..", "X%23"];
    let last = ["api/x", "Api/x", "%61pi/x", "%2561pi/x", "api;/x", "api%2fx", "api%00/x", "api"];
    let mut wire = gateway.wire().await;
    for first in pieces {
        for second in pieces {
            for last in last {
                let target = format!("/{first}/{second}/{last}");
                let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
                if wire.try_send(&head).await.is_err() {
                    wire = gateway.wire().await;
                    wire.send(&head).await;
                }
                let answer = match wire.next_answer(false).await {
                    Some(answer) => answer,
                    None => {
                        wire = gateway.wire().await;
                        wire.send(&head).await;
                        wire.answer().await
                    }
                };
                assert!(matches!(answer.status, 200 | 400 | 401 | 404), "{target}: {answer:?}");
                if answer.status == 200 {
                    let arrived = gateway.upstream.last();
                    assert!(!may_be_read_as_api(arrived.target()), "{target}: {}", arrived.head);
                }
            }
        }
    }
    let seen = gateway.upstream.requests();
    assert!(seen.len() > 10, "{} arrived: this shows nothing", seen.len());
}

/// CVE-2026-33186, RFC 9112, 3.2: a target that is no origin-form is refused.
#[tokio::test]
async fn pth_02_a_target_in_another_form_is_refused() {
    let attacked = Attacked::start().await;
    for target in [
        "api/x",
        "?x",
        "a:80",
        "*",
        "a{}",
        "http://a{}",
        "http://a:80{}",
        "HTTP://a{}",
        "http:{}",
        "http://b{}",
        "//a@b{}\t",
        "\\{}",
        "%2f{}",
        ".{}",
        "",
    ] {
        for method in ["GET", "OPTIONS", "POST"] {
            let attack = Attack::on(target).method(method);
            attacked.withstands_over_http1(&attack, BAD_REQUEST).await;
        }
    }
    for target in ["api/x", "?x", "a{}", "http:{}", "\\{}", "%2f{}", ".{}", ""] {
        attacked.withstands_over_http2(&Attack::on(target), BAD_REQUEST).await;
    }
    // `*` is a form of OPTIONS (RFC 9113, 8.3.1); it is no path of a route.
    for method in ["GET", "OPTIONS"] {
        let attack = Attack::on("*").method(method);
        attacked.withstands_over_http2(&attack, End::Refused(&[400, 404, 405])).await;
    }
}

/// CVE-2026-27587: another spelling is the same path for the gateway and for the service, or none.
#[tokio::test]
async fn pth_03_every_spelling_has_one_decision_which_the_service_sees_too() {
    let gateway = open_but_for_api().await;
    for (target, decision) in [
        ("/%61pi/x", 401),
        ("/%61%70%69/%78", 401),
        ("/api/", 401),
        ("/api", 401),
        ("/api/.", 401),
        ("/api?x", 401),
        // A service that does not tell capitals apart would read them as protected.
        ("/API/x", 404),
        ("/Api", 404),
        ("/%41pi/x", 404),
        ("/WXLOGIN", 404),
        ("/wxLogin/", 404),
        ("/session/", 404),
        ("/api./x", 404),
        ("/api%20/x", 404),
        ("/API.", 404),
        ("/%c0%aeapi/x", 400),
        ("/%c0%afapi/x", 400),
        ("/%e0%80%afapi/x", 400),
        ("/\u{ff0f}api/%ff", 400),
        ("/api%", 400),
        ("/%zz/api", 400),
    ] {
        assert_eq!(statuses(&gateway, "GET", target).await, [decision; 2], "{target}");
    }
    assert_eq!(gateway.upstream.requests().len(), 0);
    let mut count = 0;
    for (target, sent) in [
        ("/public//a", "/public/a"),
        ("/public/./a", "/public/a"),
        ("/api/../a", "/a"),
        ("/%70ublic/%61", "/public/a"),
        ("/a%20b/%e5%be%ae", "/a%20b/%E5%BE%AE"),
        ("/a./x.", "/a./x."),
        ("/apis", "/apis"),
        ("/a?x=../api&y=%2e%2e", "/a?x=../api&y=%2e%2e"),
    ] {
        assert_eq!(statuses(&gateway, "GET", target).await, [200; 2], "{target}");
        let seen = gateway.upstream.requests().split_off(count);
        count += 2;
        assert_eq!(seen.len(), 2, "{target}");
        assert!(seen.iter().all(|seen| seen.target() == sent), "{target}: {seen:#?}");
        assert!(!may_be_read_as_api(sent));
    }
}

/// CVE-2025-54576: a rule that looks at the whole target can be satisfied by its query.
#[tokio::test]
async fn pth_04_a_rule_never_looks_at_the_query() {
    let attacked = Attacked::start().await;
    for target in [
        "{}?/public/x",
        "{}?x=/public/../public/x",
        "{}?",
        "{}??",
        "{}?a=b?/public",
        "{}?%2f..%2fpublic",
        "{}?#",
        "{}?\\..\\public",
        "{}?a=1;b=2",
        "{}?path=/wxLogin&action=login",
    ] {
        attacked.withstands(&Attack::on(target), End::RefusedOrUnnoticed).await;
    }
    let open = open_but_for_api().await;
    for target in ["/api/x?/public/x", "/api?/../public", "/api/?x=/public"] {
        assert_eq!(statuses(&open, "GET", target).await, [401; 2], "{target}");
    }
    assert_eq!(open.upstream.requests().len(), 0);
}

/// RFC 9110, 9.1: methods are case-sensitive; what a route was asked about is what the service gets.
#[tokio::test]
async fn pth_05_no_method_is_overridden_and_unknown_ones_are_a_405() {
    let attacked = Attacked::start().await;
    for name in [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X_HTTP_Method_Override",
        "x-http.method-override",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let lines = format!("{name}: DELETE");
            attacked.withstands(&Attack::with(&lines).method(method), End::Unnoticed).await;
        }
    }
    for seen in attacked.gateway.upstream.requests() {
        assert!(!seen.holds("DELETE"), "{}", seen.head);
    }
    for method in ["TRACE", "TRACK", "get", "Get", "PROPFIND", "FOO", "PRI", "DEBUG", "G"] {
        attacked.withstands(&Attack::with("").method(method), End::Refused(&[405])).await;
    }
    for method in ["G@T", "GET\0", "\u{e9}", "GET/"] {
        attacked.withstands_over_http1(&Attack::with("").method(method), BAD_REQUEST).await;
    }
}

/// A service must not see login codes, which it could exchange itself or log.
#[tokio::test]
async fn pth_06_a_login_in_another_spelling_is_never_proxied() {
    let gateway = open_but_for_api().await;
    let code = gateway.wechat.code("alice");
    for (path, refused) in [
        ("/wxlogin", 404),
        ("/WXLOGIN", 404),
        ("/wxLogin/", 404),
        ("/WxLogin//", 404),
        ("/x/../wxlogin", 404),
        ("//wxlogin", 404),
        ("/%57xLogin", 404),
        ("/wx%4cogin/", 404),
        ("/wxLogin%2f", 400),
        ("/wxLogin;x=1", 400),
        ("/wxLogin%00", 400),
        ("/wxLogin%20", 404),
        ("/wxLogin%23", 404),
        ("/wxLogin%3fx=1", 404),
        ("/wxLogin.", 404),
        ("/%2577xLogin", 400),
        ("/x/%2e%2e/wxLogin", 400),
        ("/x\\..\\wxLogin", 400),
    ] {
        for method in ["GET", "POST", "PUT"] {
            let target = format!("{path}?code={code}");
            let found = statuses(&gateway, method, &target).await;
            assert_eq!(found, [refused; 2], "{method} {path}");
        }
    }
    assert_eq!(gateway.upstream.requests().len(), 0);
    assert_eq!(gateway.wechat.asked_about(&code), 0);
    // The ways that do mean it are logins.
    let login = gateway.get(&format!("/x/..//%77xLogin?code={code}")).await;
    assert!(login.json()["token"].is_string(), "{login:?}");
    assert_eq!(gateway.upstream.requests().len(), 0);
}
