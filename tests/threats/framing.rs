//! Where a request begins and ends: one reading of it, and no second request in what is left over.

use crate::attack::{Attack, Attacked, BAD_REQUEST, End, SITUATIONS};
use crate::http2_wire::{Http2Wire, Outcome};
use crate::raw::Wire;
use crate::upstream::Reply;

/// A request that is hidden in what one of two parsers takes for a body.
const SMUGGLED: &str = "0\r\n\r\nGET /public/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// RFC 9112, 6.1 and 6.3: CL.TE, TE.CL, TE.0, two lengths, and numbers that parsers read differently.
#[tokio::test]
async fn smg_01_a_body_with_two_ends_is_refused() {
    let attacked = Attacked::start().await;
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 0",
        "Content-Length: 5,5",
        "Content-Length: 5, 0",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0005",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 5;5",
        "Content-Length: 5.0",
        "Content-Length: 5e0",
        "Content-Length: \u{ff15}",
        "Content-Length:",
        "Content-Length: 9223372036854775808",
        "Content-Length: 18446744073709551621",
        "Content-Length: 340282366920938463463374607431768211461",
        "Content-Length : 5",
        "Content-Length: 5\nTransfer-Encoding: chunked",
    ] {
        for method in ["POST", "GET", "OPTIONS"] {
            let attack = Attack::with(lines).method(method).body(SMUGGLED);
            attacked.withstands(&attack, BAD_REQUEST).await;
        }
    }
    // TE.0: a service that takes no body with these methods must get none that it could read anew.
    for method in ["GET", "OPTIONS", "DELETE"] {
        let body = "25\r\nGET /public/smuggled HTTP/1.1\r\nHost: a\r\n\r\n0\r\n\r\n";
        let attack = Attack::with("Transfer-Encoding: chunked").method(method).body(body);
        attacked.withstands_over_http1(&attack, End::RefusedOrUnnoticed).await;
    }
}

/// CVE-2026-2835, RFC 9112, 6.1: exactly `chunked`, over HTTP/1.1 and nothing older.
#[tokio::test]
async fn smg_02_any_other_transfer_encoding_is_refused() {
    let attacked = Attacked::start().await;
    for lines in [
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked, cow",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding:\u{b}chunked",
        "Transfer-Encoding: chun\tked",
        "Transfer-Encoding:",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\r\n : chunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer_Encoding: identity\r\nContent-Length: 0",
    ] {
        let attack = Attack::with(lines).method("POST").body(SMUGGLED);
        attacked.withstands(&attack, BAD_REQUEST).await;
    }
    let old = Attack::with("Transfer-Encoding: chunked").method("POST").body(SMUGGLED);
    attacked.withstands_over_http1(&old.clone().version("HTTP/1.0"), BAD_REQUEST).await;
    // HTTP/2 has its own framing, and any Transfer-Encoding is malformed there (RFC 9113, 8.2.2).
    attacked.withstands_over_http2(&old, BAD_REQUEST).await;
}

/// A WebSocket's head; the answer to it decides whether a tunnel begins.
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const PIPELINED: &str = "GET /api/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// CVE-2026-2833, CVE-2026-58055, CVE-2026-73548: bytes are a tunnel's only behind a 101 that was asked
/// for, and else a request like any other.
#[tokio::test]
async fn smg_04_what_is_no_websocket_is_no_tunnel() {
    let attacked = Attacked::start().await;
    for upgrade in ["anything", "TLS/1.0", "websocket", "h2c, websocket", "WebSocket/13"] {
        let lines = format!("Connection: Upgrade\r\nUpgrade: {upgrade}");
        attacked.withstands(&Attack::with(&lines), End::RefusedOrUnnoticed).await;
    }
    // A 101 nobody asked for, and one that was asked for in another way than a tunnel's.
    attacked.gateway.upstream.on("/public/x", Reply::bytes(SWITCHED).then_close());
    for lines in ["", "Connection: Upgrade\r\nUpgrade: anything", "Upgrade: websocket"] {
        let head = format!("GET /public/x HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
        let head = head.replace("\r\n\r\n\r\n", "\r\n\r\n");
        let mut wire = attacked.gateway.wire().await;
        wire.send(format!("{head}{PIPELINED}")).await;
        let answer = wire.next_answer(false).await;
        assert!(answer.is_none_or(|answer| answer.status == 502), "{lines}");
        assert!(wire.is_closed().await, "{lines}");
        assert_nothing_smuggled(&attacked);
    }
}

/// The same: what comes behind a refused WebSocket, before its 101, or as its body.
#[tokio::test]
async fn smg_04_bytes_around_a_websockets_answer_are_no_requests_of_somebody() {
    let attacked = Attacked::start().await;
    let upstream = &attacked.gateway.upstream;
    upstream.on("/public/refused", Reply::with_head("HTTP/1.1 403 Forbidden\r\n", "no"));
    upstream.on("/public/switched", Reply::bytes(SWITCHED).then_hang());
    for (path, body, statuses) in [
        ("/public/refused", "", &[403][..]),
        ("/public/refused", "Content-Length: 5\r\n", &[403, 400]),
        ("/public/refused", "Transfer-Encoding: chunked\r\n", &[403, 400]),
        ("/api/x", "", &[401]),
        ("/unknown", "", &[404]),
        ("/session", "", &[401]),
    ] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{UPGRADE}\r\n{body}\r\n");
        let mut wire = attacked.gateway.wire().await;
        wire.send(format!("{head}{PIPELINED}")).await;
        let answer = wire.next_answer(false).await.expect("an answer");
        assert!(statuses.contains(&answer.status), "{head}: {answer:?}");
        // Behind a whole request the bytes are another one, and it has no token.
        if let Some(next) = wire.next_answer(false).await {
            assert!(matches!(next.status, 400 | 401), "{head}: {next:?}");
        }
        assert_nothing_smuggled(&attacked);
    }
    // Early bytes, and an upgrade with a body: once the 101 is there they may be the tunnel's, of this
    // one client and this one connection, and nobody else's.
    for body in ["", "Content-Length: 5\r\n"] {
        let head = format!("GET /public/switched HTTP/1.1\r\nHost: a\r\n{UPGRADE}\r\n{body}\r\n");
        let mut wire = attacked.gateway.wire().await;
        wire.send(format!("{head}{PIPELINED}")).await;
        let answer = wire.next_answer(false).await;
        assert!(answer.is_none_or(|answer| matches!(answer.status, 101 | 400)), "{head}");
        drop(wire);
        assert_nothing_smuggled(&attacked);
    }
    attacked.withstands(&Attack::with(""), End::Unnoticed).await;
}

fn assert_nothing_smuggled(attacked: &Attacked) {
    let seen = attacked.gateway.upstream.requests();
    assert!(seen.iter().all(|seen| !seen.target().contains("smuggled")), "{seen:#?}");
}

/// CVE-2026-88008, CVE-2026-71324: no tunnel by CONNECT, no HTTP/2 by an upgrade (RFC 9113, 3.1).
#[tokio::test]
async fn smg_05_connect_and_h2c_by_upgrade_are_refused() {
    let attacked = Attacked::start().await;
    let refused = End::Refused(&[400, 405]);
    for target in ["a:80", "127.0.0.1:80", "{}", "http://a{}", "*"] {
        let connect = Attack::on(target).method("CONNECT").host("Host: a:80\r\n");
        attacked.withstands_over_http1(&connect, refused).await;
        attacked.withstands_over_http1(&connect.version("HTTP/1.0"), refused).await;
    }
    let settings = "HTTP2-Settings: AAMAAABkAAQAAP__";
    for connection in ["Upgrade, HTTP2-Settings", "Upgrade", "HTTP2-Settings"] {
        let lines = format!("Connection: {connection}\r\nUpgrade: h2c\r\n{settings}");
        let attack = Attack::with(&lines);
        attacked.withstands_over_http1(&attack, End::RefusedOrUnnoticed).await;
        for seen in attacked.gateway.upstream.requests() {
            assert_eq!(seen.header("upgrade"), None, "{}", seen.head);
            assert_eq!(seen.header("http2-settings"), None, "{}", seen.head);
        }
    }
    // Over HTTP/2: the plain one (RFC 9113, 8.5), with too much, and the extended one (RFC 8441).
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let connect = field(":method", "CONNECT");
    let path = [field(":scheme", "http"), field(":path", "/public/x")];
    for fields in [
        vec![connect.clone(), field(":authority", "a:80")],
        [&[connect.clone(), field(":authority", "a:80")], &path[..]].concat(),
        [&[connect, field(":protocol", "websocket"), field(":authority", "a")], &path[..]].concat(),
    ] {
        let mut wire = Http2Wire::connect(attacked.gateway.address).await;
        let id = wire.begin(&fields, false).await;
        wire.data(id, PIPELINED.as_bytes(), false).await;
        match wire.outcome(id).await {
            Outcome::Answer { status: 400 | 405, .. } | Outcome::Refused | Outcome::Closed => {}
            other => panic!("{fields:?}: {other:?}"),
        }
        assert_nothing_smuggled(&attacked);
    }
    attacked.withstands(&Attack::with(""), End::Unnoticed).await;
}

/// CVE-2025-4366: an answer that comes before the body was read must not leave the body behind as the
/// next request.
#[tokio::test]
async fn smg_06_a_body_that_nobody_read_is_never_a_request() {
    let attacked = Attacked::start().await;
    let smuggled = "GET /public/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let next = "GET /public/next HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = format!("Content-Length: {}", smuggled.len());
    let far_more = "Content-Length: 9000000";
    let chunked = format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len());
    for (framing, body) in [
        (length.as_str(), smuggled),
        (far_more, smuggled),
        ("Transfer-Encoding: chunked", &chunked),
        ("Expect: 100-continue\r\nContent-Length: 43", smuggled),
    ] {
        for (path, status) in [
            ("/api/x", 401),
            ("/unknown", 404),
            ("/session", 401),
            ("/logout", 401),
            ("/public/%2f", 400),
        ] {
            let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
            // With the head, and after the answer.
            for at_once in [true, false] {
                let mut wire = attacked.gateway.wire().await;
                let _ = wire
                    .try_send(if at_once { format!("{head}{body}") } else { head.clone() })
                    .await;
                let answer = wire.next_answer(false).await.expect("an answer");
                assert_eq!(answer.status, status, "{head}");
                let rest = if at_once { next.to_owned() } else { format!("{body}{next}") };
                let sent = wire.try_send(rest).await.is_ok();
                if sent
                    && framing != far_more
                    && let Some(answer) = wire.next_answer(false).await
                {
                    assert_eq!(answer.status, 200, "{head}");
                }
                assert_nothing_smuggled(&attacked);
            }
        }
    }
    // Over HTTP/2 a body belongs to its stream.
    let attack = Attack::with("").method("POST").body(smuggled);
    attacked.withstands_over_http2(&attack, End::Unnoticed).await;
}

/// RFC 9112, 3.2 and RFC 9110, 7.2: exactly one Host, which is the name of a host.
#[tokio::test]
async fn smg_08_a_host_that_is_none_is_refused() {
    let attacked = Attacked::start().await;
    for host in [
        "",
        "Host:\r\n",
        "Host: \t\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: a,b\r\n",
        "Host: u@a\r\n",
        "Host: a\\b\r\n",
        "Host: a?b\r\n",
        "Host: a#b\r\n",
        "Host: a:b\r\n",
        "Host: a:80:80\r\n",
        "Host: a:99999\r\n",
        "Host: http://a\r\n",
        "Host: [::1\r\n",
        "Host: a%00\r\n",
        "Host: \u{e9}\r\n",
    ] {
        attacked.withstands(&Attack::with("").host(host), BAD_REQUEST).await;
    }
    for host in ["Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n", "Host: a\r\nhost:b\r\n"] {
        // Over HTTP/2 these are two authorities.
        attacked.withstands(&Attack::with("").host(host), BAD_REQUEST).await;
    }
    for situation in SITUATIONS {
        let head = format!("GET {} HTTP/1.0\r\n\r\n", situation.path);
        assert_eq!(Wire::ask(attacked.gateway.address, head).await.status, 400);
    }
    // A service that folds names must not find a second one either.
    attacked.withstands(&Attack::with("X-Forwarded-Host: {}\r\nX_Host: {}"), End::Unnoticed).await;
}
