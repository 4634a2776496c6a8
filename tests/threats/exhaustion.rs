//! What is too large, too deep or without an end is turned away early.

use std::time::{Duration, Instant};

use wxgate::simulator::{Effect, Garble};

use crate::attack::{Attack, Attacked, End};
use crate::raw::Wire;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt;

/// In which time a bad token is refused.
const AT_ONCE: Duration = Duration::from_millis(5);

/// CVE-2019-9513 and its like need memory for what is never served: 431, 414 and 413 come before the
/// rest is read.
#[tokio::test]
async fn dos_03_what_is_too_large_is_refused_before_it_is_read() {
    let attacked = Attacked::start().await;
    let large = format!("X: {}", "a".repeat(33 << 10));
    let many = "X: a\r\n".repeat(101);
    for lines in [large.as_str(), many.trim_end()] {
        attacked.withstands(&Attack::with(lines), End::Refused(&[431])).await;
    }
    let long = format!("{{}}?{}", "a".repeat(9 << 10));
    attacked.withstands(&Attack::on(&long), End::Refused(&[414])).await;
    // A length that is declared is enough: not a byte of the body has come.
    let declared = Attack::with("Content-Length: 10485761\r\nExpect: 100-continue").method("POST");
    for (path, status) in
        [("/api/x", 413), ("/public/x", 413), ("/wxLogin", 413), ("/unknown", 404)]
    {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n{}\r\n\r\n",
            attacked.token, declared.lines
        );
        let answer = Wire::ask(attacked.gateway.address, head).await;
        assert_eq!(answer.status, status, "{path}");
    }
    assert!(attacked.gateway.upstream.requests().iter().all(|seen| seen.target() == "/api/next"));
}

/// The same of a head that does not end: the answer comes though nothing of it is finished.
#[tokio::test]
async fn dos_03_a_head_without_an_end_is_refused_at_its_limit() {
    let attacked = Attacked::start().await;
    for (endless, statuses) in [
        (format!("GET /{}", "a".repeat(64 << 10)), [414, 431]),
        (format!("{} / HTTP/1.1\r\n", "G".repeat(64 << 10)), [414, 400]),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "X: a\r\n".repeat(16 << 10)), [431, 431]),
        (format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(64 << 10)), [431, 431]),
        (format!("GET / HTTP/1.1\r\n{}", "X".repeat(64 << 10)), [431, 400]),
    ] {
        let mut wire = attacked.gateway.wire().await;
        let _ = wire.try_send(&endless).await;
        let answer = wire.next_answer(false).await.expect("an answer");
        assert!(statuses.contains(&answer.status), "{}: {answer:?}", &endless[..40]);
        assert!(wire.is_closed().await);
    }
    attacked.withstands(&Attack::with(""), End::Unnoticed).await;
}

/// Streamed bodies have no length that could be looked at; they are cut off where the limit is.
#[tokio::test]
async fn dos_03_a_streamed_body_is_cut_off_at_its_limit() {
    let config = Config::default().key("limits", "body_size = \"4KiB\"");
    let attacked = Attacked::over(Gateway::with(config).await).await;
    let part = "x".repeat(5000);
    let chunks = format!("1388\r\n{part}\r\n0\r\n\r\n");
    for path in ["/api/x", "/public/x", "/wxLogin"] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
            attacked.token
        );
        let mut wire = attacked.gateway.wire().await;
        let _ = wire.try_send(format!("{head}{chunks}")).await;
        let answer = wire.next_answer(false).await.expect("an answer");
        assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"), "{path}");
        assert!(wire.is_closed().await, "{path}");
        let request = attacked.gateway.request_by_http2(http::Method::POST, path);
        let request = request.header("content-type", "application/json").token(&attacked.token);
        let answer = request.body(part.clone()).await;
        assert_eq!(answer.status, 413, "{path} over HTTP/2");
    }
    assert!(attacked.gateway.upstream.requests().iter().all(|seen| !seen.whole));
    assert_eq!(attacked.gateway.get("/public/after").await.status, 200);
}

/// What WeChat, or somebody in its place, answers is read up to 64 KiB, as it came and in time.
#[tokio::test]
async fn dos_03_an_endless_answer_of_wechats_is_no_session() {
    let config = Config::default().key("wechat", "timeout = \"700ms\"");
    let attacked = Attacked::over(Gateway::with(config).await).await;
    let gateway = &attacked.gateway;
    for (garble, status) in [(Garble::Gigabyte, 502), (Garble::Endless, 503), (Garble::Gzip, 502)] {
        gateway.wechat.plays(Effect::Garble(garble));
        let begun = Instant::now();
        let answer = gateway.get(&format!("/wxLogin?code={}", gateway.wechat.code("alice"))).await;
        assert_eq!(answer.status, status, "{garble:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{garble:?}: {:?}", begun.elapsed());
        assert_eq!(gateway.get("/api/x").token(&attacked.token).await.status, 200);
    }
    gateway.wechat.recovers();
    gateway.log_in("alice").await;
}

/// CVE-2024-21319, CVE-2025-30204: a token of 1 MB, of dots, or of deep JSON costs next to nothing. The
/// time is compared with what it costs to bring the same bytes here.
#[tokio::test]
async fn dos_04_a_huge_or_deep_token_is_a_401_at_once() {
    let config = Config::default()
        .signing_keys(&[jwt::KEY])
        .key("limits", "header_size = \"1024KiB\"\nheader_timeout = \"20s\"");
    let attacked = Attacked::over(Gateway::with(config).await).await;
    let parts = jwt::Jwt::read(&attacked.token);
    let (header, claims) = (parts.header.to_string(), parts.claims.to_string());
    let deep = format!("{}1{}", "[".repeat(2_000), "]".repeat(2_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(500), "}".repeat(500));
    for (name, token) in [
        ("1 MB", format!("{}{}", attacked.token, "A".repeat(1_000_000))),
        ("1 MB without a dot", "A".repeat(1_000_000)),
        ("10,000 dots", ".".repeat(10_000)),
        ("10,000 parts", "e30.".repeat(10_000)),
        ("deep claims", jwt::sign(&header, &claims.replacen('{', &format!("{{\"x\":{deep},"), 1))),
        (
            "a deep header",
            jwt::sign(&header.replacen('{', &format!("{{\"x\":{deep},"), 1), &claims),
        ),
        ("deep objects", jwt::sign(&header, &objects)),
    ] {
        let cost = attacked.cost_of_refusing(&token).await;
        assert!(cost < AT_ONCE, "{name}: {cost:?}");
    }
    assert_eq!(attacked.gateway.get("/api/x").token(&attacked.token).await.status, 200);
}

impl Attacked {
    /// How much longer a request with a bad token takes than one that brings the same bytes elsewhere: the
    /// quickest of each, taken in turns. Others use this machine too: what is too slow is tried again,
    /// and what is slow by itself stays so.
    async fn cost_of_refusing(&self, token: &str) -> Duration {
        let mut quickest = [Duration::MAX; 2];
        for round in 0..300 {
            let ways = [("x-other", "token_missing"), ("authorization", "token_invalid")];
            for ((header, code), quickest) in ways.into_iter().zip(&mut quickest) {
                let request = self.gateway.get("/api/x").header(header, &format!("Bearer {token}"));
                let begun = Instant::now();
                let answer = request.await;
                *quickest = begun.elapsed().min(*quickest);
                assert_eq!((answer.status, answer.code().as_str()), (401, code));
            }
            if round > 5 && quickest[1].saturating_sub(quickest[0]) < AT_ONCE {
                break;
            }
        }
        quickest[1].saturating_sub(quickest[0])
    }
}
