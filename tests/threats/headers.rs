//! Identity headers: whatever the client sends, the service is told the truth, once.

use wxgate::simulator::{Effect, Garble};

use crate::attack::{Attack, Attacked, BAD_REQUEST, End};
use crate::upstream::Reply;

/// A client's `X-WX-OPENID`, in any case, once or more often, never arrives beside the token's
/// (CVE-2026-33433).
#[tokio::test]
async fn hdr_01_the_openid_is_the_tokens_and_comes_once() {
    let attacked = Attacked::start().await;
    for lines in [
        "X-WX-OPENID: {}",
        "x-wx-openid: {}",
        "x-Wx-OpenId:{}\t",
        "X-WX-OPENID: {}\r\nX-WX-OPENID: {}",
        "X-WX-OPENID: {}\r\nx-wx-openid: {}\r\nX-Wx-Openid: {}",
        "X-WX-OPENID: a, {}",
        "X-WX-OPENID:",
        "X-WX-FROM-OPENID: {}\r\nX-WX-SOURCE: wx_devtools",
    ] {
        attacked.withstands(&Attack::with(lines), End::Unnoticed).await;
    }
}

/// PHP, WSGI and others fold `_` and `.` into `-` (CVE-2025-64484, CVE-2026-39858, CVE-2026-54763,
/// CVE-2026-88011, CVE-2026-52845).
#[tokio::test]
async fn hdr_02_no_alias_of_an_identity_header_arrives() {
    let attacked = Attacked::start().await;
    for lines in [
        "X_WX_OPENID: {}",
        "X.WX.OPENID: {}",
        "X-WX_OPENID: {}",
        "x_wx-openid: {}",
        "X-wx.OpenID: {}",
        "X_WX.OPENID: {}\r\nX.WX_OPENID: {}",
        "X-WX-OPENID: {}\r\nx_wx_openid: {}",
        "x_forwarded_for: 6.6.6.6\r\nX.Real.IP: 6.6.6.6",
        "x_wx_unionid: {}\r\nx.wx.call.id: {}",
    ] {
        attacked.withstands(&Attack::with(lines), End::RefusedOrUnnoticed).await;
    }
    // Characters that no table of aliases has in mind are those of no header name.
    for lines in ["X\u{2010}WX\u{2010}OPENID: {}", "X WX OPENID: {}", "X/WX/OPENID: {}"] {
        attacked.withstands(&Attack::with(lines), BAD_REQUEST).await;
    }
}

/// Alice has no unionid and no env, and on a public route nobody has anything: what the client says of
/// it is not taken instead (CVE-2026-30851).
#[tokio::test]
async fn hdr_03_what_the_token_does_not_say_is_absent() {
    let attacked = Attacked::start().await;
    let names = ["UNIONID", "ENV", "FROM-UNIONID", "FROM-APPID", "CLOUDBASE-ACCESS-TOKEN", "OTHER"];
    for name in names {
        let plain = format!("X-WX-{name}: {{}}");
        let folded = plain.replace('-', "_");
        for lines in [format!("{plain}\r\n{plain}"), folded] {
            attacked.withstands(&Attack::with(&lines), End::Unnoticed).await;
        }
    }
}

/// `Connection: X-WX-OPENID` asks a proxy to take the header off, which must not be the one that it has
/// just set (CVE-2025-48865, CVE-2024-45410, CVE-2026-29054, CVE-2026-105299).
#[tokio::test]
async fn hdr_04_no_connection_header_names_the_identity_away() {
    let attacked = Attacked::start().await;
    for lines in [
        "Connection: X-WX-OPENID",
        "Connection: close, X-WX-OPENID",
        "Connection: keep-alive, x-wx-openid, X-WX-SOURCE",
        "Connection: X-WX-OPENID\r\nX-WX-OPENID: {}",
        "connection:x-wx-openid\r\nConnection: x-wx-unionid",
        "Connection: x_wx_openid, X.WX.OPENID",
        "Connection: ,, X-WX-OPENID ,",
        "Connection: \"X-WX-OPENID\"",
        "Connection: X-Forwarded-For, X-Real-IP, X-Request-Id, Host",
        "Proxy-Connection: X-WX-OPENID",
        "Keep-Alive: X-WX-OPENID",
        "Connection: Authorization",
    ] {
        attacked.withstands(&Attack::with(lines), End::RefusedOrUnnoticed).await;
    }
}

/// RFC 9112, 5 and 2.2; RFC 9113, 8.2.1: what is no header line, or two at once, is a 400.
#[tokio::test]
async fn hdr_05_malformed_header_lines_are_refused() {
    let attacked = Attacked::start().await;
    for lines in [
        "X-WX-OPENID : {}",
        "X-WX-OPENID\t: {}",
        " X-WX-OPENID: {}",
        "\tX-WX-OPENID: {}",
        "X-A: b\r\n X-WX-OPENID: {}",
        "X-A: b\rX-WX-OPENID: {}",
        "X-A: b\nX-WX-OPENID: {}",
        "X-A: b\0",
        "X\0A: b",
        "X-A: b\u{7f}",
        ": {}",
        "X-A(): {}",
        "X-A\u{e9}: {}",
    ] {
        attacked.withstands(&Attack::with(lines), BAD_REQUEST).await;
    }
    // Over HTTP/2 a name has no colon that could be missing.
    attacked.withstands_over_http1(&Attack::with("X-WX-OPENID"), BAD_REQUEST).await;
}

/// RFC 9110, 6.5.1: a field of a trailer must not become one of the head.
#[tokio::test]
async fn hdr_06_an_identity_in_a_trailer_is_never_merged() {
    let attacked = Attacked::start().await;
    for trailers in [
        "X-WX-OPENID: {}",
        "X-WX-OPENID: {}\r\nX_WX_OPENID: {}",
        "X-Forwarded-For: 6.6.6.6\r\nX-Own: {}",
    ] {
        for lines in ["", "Trailer: X-WX-OPENID"] {
            let attack = Attack::with(lines).method("POST").body("hi").trailers(trailers);
            attacked.withstands(&attack, End::RefusedOrUnnoticed).await;
        }
    }
    for trailers in ["Content-Length: 5", "Transfer-Encoding: chunked", "Host: b", "X-A : b"] {
        let attack = Attack::with("").method("POST").body("hi").trailers(trailers);
        attacked.withstands(&attack, End::RefusedOrUnnoticed).await;
    }
}

/// Where a request came from is the word of the gateway, not of a peer that nobody trusts
/// (CVE-2026-40575, CVE-2026-35051, CVE-2026-54764).
#[tokio::test]
async fn hdr_07_an_untrusted_peers_word_on_the_origin_has_no_effect() {
    let attacked = Attacked::start().await;
    for lines in [
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-For: 6.6.6.6, 127.0.0.1\r\nX-Forwarded-For: 6.6.6.6",
        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: {}\r\nX-Forwarded-Port: 443",
        "X-Forwarded-Uri: /public/{}\r\nX-Forwarded-Prefix: /{}\r\nX-Forwarded-User: {}",
        "X-Original-URL: /public/{}",
        "X-Rewrite-URL: /public/{}",
        "X-Original-Forwarded-For: 6.6.6.6",
        "Forwarded: for=6.6.6.6;host={};proto=https",
        "X-Real-IP: 6.6.6.6",
        "X-Request-Id: {}",
    ] {
        attacked.withstands(&Attack::with(lines), End::Unnoticed).await;
    }
}

/// CVE-2026-34457: a probe's User-Agent, a preflight or an upgrade is no reason to ask for no token.
#[tokio::test]
async fn hdr_08_no_header_skips_authentication() {
    let attacked = Attacked::start().await;
    for lines in [
        "User-Agent: kube-probe/1.30",
        "User-Agent: GoogleHC/1.0",
        "User-Agent: ELB-HealthChecker/2.0",
        "User-Agent: Ping/1.0",
        "X-Original-URL: /public/x\r\nX-Original-Method: GET",
        "Origin: https://a\r\nAccess-Control-Request-Method: GET",
        "X-WX-SOURCE: wx_client\r\nX-WX-OPENID: {}",
        "X-Forwarded-For: 127.0.0.1",
        "X-Auth-Request-User: root\r\nX-Authenticated: true",
        "Cookie: authenticated=1",
    ] {
        for method in ["GET", "OPTIONS", "POST", "HEAD"] {
            let attack = Attack::with(lines).method(method);
            attacked.withstands(&attack, End::Unnoticed).await;
        }
    }
    for upgrade in ["websocket", "h2c", "anything"] {
        let lines = format!("Connection: Upgrade\r\nUpgrade: {upgrade}");
        attacked.withstands(&Attack::with(&lines), End::RefusedOrUnnoticed).await;
    }
}

/// An openid that is no name is not taken over into a header: 502, and no session.
#[tokio::test]
async fn hdr_09_an_openid_with_controls_or_of_10_kb_is_no_session() {
    let attacked = Attacked::start().await;
    let gateway = &attacked.gateway;
    for garble in [Garble::OpenidControl, Garble::OpenidHuge] {
        gateway.wechat.plays(Effect::Garble(garble));
        for path in ["/wxLogin?code=", "/wxLogin?appid=wx0123456789abcdef&code="] {
            let path = format!("{path}{}", gateway.wechat.code("mallory"));
            let by_http1 = gateway.get(&path).await;
            let path = format!("/wxLogin?code={}", gateway.wechat.code("mallory"));
            let by_http2 = gateway.request_by_http2(http::Method::GET, &path).await;
            for answer in [by_http1, by_http2] {
                assert_eq!((answer.status, answer.code().as_str()), (502, "wechat_bad_answer"));
                assert!(answer.json().get("token").is_none(), "{answer:?}");
                assert_eq!(answer.header("set-cookie"), None);
            }
        }
        gateway.wechat.recovers();
        attacked.withstands(&Attack::with(""), End::Unnoticed).await;
    }
}

/// What the client is told of its session comes from the gateway and not from the service.
#[tokio::test]
async fn hdr_10_an_answers_identity_headers_are_not_the_services() {
    let attacked = Attacked::start().await;
    let gateway = &attacked.gateway;
    let head = "HTTP/1.1 200 OK\r\nX-WX-OPENID: oFORGED\r\nx-wx-session-key: oFORGED\r\n\
                X-Session-Token: oFORGED\r\nX-Session-Claim-User: oFORGED\r\n\
                X-Request-Id: oFORGED\r\nX-Own: kept\r\n";
    for path in ["/api/x", "/maybe/x", "/public/x"] {
        gateway.upstream.on(path, Reply::with_head(head, "text"));
        for http2 in [false, true] {
            let request = match http2 {
                false => gateway.get(path),
                true => gateway.request_by_http2(http::Method::GET, path),
            };
            let answer = request.token(&attacked.token).await;
            assert_eq!((answer.status, answer.header("x-own")), (200, Some("kept")));
            assert!(!format!("{:?}", answer.headers).contains("oFORGED"), "{answer:?}");
            let id = gateway.upstream.last().header("x-request-id").map(str::to_owned);
            assert_eq!(answer.header("x-request-id"), id.as_deref());
        }
    }
}
