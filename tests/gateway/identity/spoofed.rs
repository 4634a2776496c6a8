//! Whatever the client sends: the upstream reads the openid of the token, or none.

use crate::raw::Wire;
use crate::support::config::Config;
use crate::support::gateway::Gateway;

const FORGED: &str = "oFORGEDFORGEDFORGEDFORGED";

/// Header lines that somebody behind the gateway may read as the openid; `{}` is the forged one.
const SPELLINGS: [&str; 14] = [
    "X-WX-OPENID: {}",
    "x-wx-openid: {}",
    "x-Wx-OpenId: {}",
    "X-WX-OPENID: {}\r\nX-WX-OPENID: {}",
    "X-WX-OPENID: {}\r\nx_wx_openid: {}",
    "X_WX_OPENID: {}",
    "X.WX.OPENID: {}",
    "X-WX_OPENID: {}",
    "x_wx-openid: {}",
    "X-wx.OpenID: {}",
    "x-wx-openid:{}\t",
    "X-WX-OPENID:",
    "X-WX-FROM-OPENID: {}",
    "Connection: X-WX-OPENID\r\nX-WX-OPENID: {}",
];

/// `Connection` lines that name the openid away, if they are heeded at the wrong moment.
const NOMINATIONS: [&str; 6] = [
    "Connection: X-WX-OPENID",
    "Connection: keep-alive, x-wx-openid, X-WX-SOURCE",
    "Connection: close, X-WX-OPENID",
    "connection:x-wx-openid\r\nConnection: x-wx-unionid",
    "Connection: x_wx_openid, X.WX.OPENID",
    "Proxy-Connection: X-WX-OPENID",
];

/// Sends the lines to every kind of route, with a token and without. Nothing forged may arrive. Gives
/// how many of the requests with a token the upstream got.
async fn assert_not_believed(gateway: &Gateway, token: &str, lines: &str) -> usize {
    let lines = lines.replace("{}", FORGED);
    let openid = gateway.wechat.openid("alice");
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let mut arrived = 0;
    for (path, authorization, expected) in [
        ("/api/x", bearer.as_str(), Some(&openid)),
        ("/api/x", "", None),
        ("/maybe/x", &bearer, Some(&openid)),
        ("/maybe/x", "", None),
        ("/public/x", &bearer, None),
        ("/public/x", "", None),
        ("/unknown", &bearer, None),
        ("/session", &bearer, None),
    ] {
        let before = gateway.upstream.requests().len();
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{authorization}{lines}\r\n\r\n");
        let answer = Wire::ask(gateway.address, &request).await;
        assert!(!answer.text().contains(FORGED), "{request}");
        let seen = gateway.upstream.requests().split_off(before);
        let Some(seen) = seen.first() else {
            assert!(answer.status == 400 || expected.is_none(), "{request}: {answer:?}");
            continue;
        };
        assert!(!seen.head.contains(FORGED), "{request} arrived as\n{}", seen.head);
        let expected: Vec<_> = expected.into_iter().map(String::as_str).collect();
        assert_eq!(seen.read_as("x-wx-openid"), expected, "{request} arrived as\n{}", seen.head);
        assert_eq!(seen.read_as("x-wx-source").len(), expected.len(), "{request}");
        arrived += expected.len();
    }
    arrived
}

#[tokio::test]
async fn the_upstream_sees_one_openid_with_the_right_value_whatever_is_sent() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    for lines in SPELLINGS {
        let arrived = assert_not_believed(&gateway, &token, lines).await;
        // Where all of it is refused, nothing is shown.
        assert!(arrived == 2 || lines.contains("Connection"), "{lines}");
    }
}

#[tokio::test]
async fn no_connection_header_names_the_identity_away() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    let mut arrived = 0;
    for lines in NOMINATIONS {
        arrived += assert_not_believed(&gateway, &token, lines).await;
    }
    assert!(arrived >= NOMINATIONS.len(), "{arrived} arrived: nearly all of it was refused");
}

#[tokio::test]
async fn every_header_of_the_identity_is_the_gateways() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    // Alice has no unionid: one that arrives is the client's.
    let names = ["UNIONID", "APPID", "SOURCE", "CALL-ID", "ENV", "FROM-OPENID", "ANYTHING-ELSE"];
    for name in names {
        let plain = format!("X-WX-{name}");
        let folded = plain.replace('-', "_");
        for path in ["/api/x", "/public/x"] {
            let request = gateway.get(path).token(&token);
            request.header(&plain, FORGED).header(&folded, FORGED).await;
            let seen = gateway.upstream.last();
            assert!(!seen.head.contains(FORGED), "{name} on {path}:\n{}", seen.head);
        }
    }
    assert_eq!(gateway.upstream.requests().len(), 2 * names.len());
}

#[tokio::test]
async fn an_identity_in_a_trailer_is_not_merged() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    for path in ["/api/x", "/public/x"] {
        let before = gateway.upstream.requests().len();
        let mut wire = gateway.wire().await;
        wire.send(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
             Trailer: X-WX-OPENID\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\
             X-WX-OPENID: {FORGED}\r\nX_WX_OPENID: {FORGED}\r\n\r\n"
        ))
        .await;
        let answer = wire.answer().await;
        assert!(matches!(answer.status, 200 | 400), "{answer:?}");
        for seen in gateway.upstream.requests().split_off(before) {
            assert!(!seen.holds(FORGED), "{}{:?}", seen.head, String::from_utf8_lossy(&seen.wire));
        }
    }
}

#[tokio::test]
async fn a_malformed_header_line_is_a_400() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    for line in [
        "X-WX-OPENID : {}",
        " X-WX-OPENID: {}",
        "X-A: b\r\n X-WX-OPENID: {}",
        "X-A: b\rX-WX-OPENID: {}",
        "X-A: b\nX-WX-OPENID: {}",
        "X-A: b\0",
        ": {}",
        "X-WX-OPENID",
        "X-WX-OPENID\t: {}",
    ] {
        let line = line.replace("{}", FORGED);
        for path in ["/api/x", "/public/x", "/session", "/unknown"] {
            let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}");
            let answer = Wire::ask(gateway.address, format!("{head}\r\n{line}\r\n\r\n")).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{line:?}");
        }
    }
    assert_eq!(gateway.upstream.requests().len(), 0);
}

#[tokio::test]
async fn no_header_skips_authentication() {
    let gateway = Gateway::start().await;
    for (name, value) in [
        ("user-agent", "kube-probe/1.30"),
        ("user-agent", "GoogleHC/1.0"),
        ("user-agent", "ELB-HealthChecker/2.0"),
        ("upgrade", "websocket"),
        ("x-original-url", "/public/x"),
        ("x-rewrite-url", "/public/x"),
        ("x-original-uri", "/public/x"),
        ("x-forwarded-uri", "/public/x"),
        ("x-forwarded-path", "/public/x"),
        ("x-http-method-override", "OPTIONS"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-wx-source", "wx_client"),
        ("access-control-request-method", "GET"),
    ] {
        for method in ["GET", "HEAD", "OPTIONS", "POST"] {
            let method = method.parse().unwrap();
            let answer = gateway.request(method, "/api/x").header(name, value).await;
            assert_eq!(answer.status, 401, "{name}: {value}");
        }
    }
    assert_eq!(gateway.upstream.requests().len(), 0);
}

#[tokio::test]
async fn names_with_an_underscore_or_a_dot_pass_only_where_the_upstream_lists_them() {
    let gateway = Gateway::start().await;
    gateway.get("/public/x").header("legacy_id", "1").header("legacy.id", "2").await;
    assert_eq!(gateway.upstream.last().read_as("legacy-id").len(), 0);

    let config = Config::default().key("upstreams.shop", r#"pass_headers = ["Legacy_Id"]"#);
    let gateway = Gateway::with(config).await;
    gateway.get("/public/x").header("legacy_id", "1").header("legacy.id", "2").await;
    assert_eq!(gateway.upstream.last().read_as("legacy-id"), ["1"]);
}

#[tokio::test]
async fn what_is_the_clients_own_arrives() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    let own = [
        ("accept", "text/x-own"),
        ("cookie", "a=1; b=2"),
        ("baggage", "a=1"),
        ("x-own", "value"),
        ("x-wxyz", "not x-wx-"),
    ];
    let request = gateway.get("/api/x?q=1&q=%2F").token(&token);
    own.iter().fold(request, |request, (name, value)| request.header(name, value)).await;
    let seen = gateway.upstream.only();
    assert_eq!((seen.method(), seen.target()), ("GET", "/api/x?q=1&q=%2F"));
    for (name, value) in own {
        assert_eq!(seen.header(name), Some(value));
    }
}
