//! HTTP/2 clients that take their time (DOS-02).

use super::assert_serves;
use crate::frames::{
    DATA, END_STREAM, Frames, HEADERS, Outcome, PING, PREFACE, SETTINGS, fields, frame, request,
};
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::upstream::Reply;

async fn impatient() -> Gateway {
    let config = Config::default()
        .key("limits", "header_timeout = \"300ms\"")
        .key("limits", "body_idle = \"300ms\"")
        .key("limits", "keepalive = \"600ms\"")
        .key("upstreams.shop", "timeout = \"300ms\"");
    Gateway::with(config).await
}

/// Half of a preface, of a frame, of a header block: each is held for as long as a head of HTTP/1.
#[tokio::test]
async fn dos_02_what_is_begun_and_not_ended_is_closed() {
    let gateway = impatient().await;
    let settings = frame(SETTINGS, 0, 0, &[]);
    let head = fields(&request("GET", "/public/x", &[]));
    for (name, rest) in [
        ("half a preface", PREFACE[..12].to_vec()),
        ("no settings", PREFACE.to_vec()),
        ("half a frame's head", [PREFACE, &settings, &settings[..5]].concat()),
        ("half a PING", [PREFACE, &settings, &frame(PING, 0, 0, &[0; 8])[..12]].concat()),
        ("half a HEADERS", [PREFACE, &settings, &frame(HEADERS, 5, 1, &head)[..20]].concat()),
        ("a header block", [PREFACE, &settings, &frame(HEADERS, END_STREAM, 1, &head)].concat()),
        ("nothing more", [PREFACE, &settings].concat()),
    ] {
        let mut frames = Frames::silent(gateway.address).await;
        frames.send(&rest).await;
        if name == "half a preface" {
            // Answered by HTTP/1, if at all: it was no HTTP/2 yet.
            frames.closed().await;
        } else {
            frames.end().await;
        }
        assert_eq!(gateway.upstream.requests().len(), 0, "{name}");
    }
    assert_serves(&gateway).await;
}

/// RFC 9113, 3.4: what is neither protocol is closed without a word.
#[tokio::test]
async fn an_invalid_preface_is_closed() {
    let gateway = Gateway::start().await;
    let mut frames = Frames::silent(gateway.address).await;
    frames.send("INVALID CONNECTION PREFACE\r\n\r\n").await;
    assert!(frames.next().await.is_none());
    let mut wire = gateway.wire().await;
    wire.send("HELP / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(wire.answer().await.status, 405);
    assert_serves(&gateway).await;
}

/// A body that stops: 408, or a reset; and the other streams of the connection go on.
#[tokio::test]
async fn dos_02_a_body_that_stalls_ends_its_request_alone() {
    let gateway = impatient().await;
    let mut frames = Frames::connect(gateway.address).await;
    for (stream, path, length) in [
        (1, "/public/x", None),
        (3, "/public/x", Some("9")),
        (5, "/wxLogin", Some("9")),
        (7, "/public/x", Some("900000")),
    ] {
        let length: Vec<_> = length.map(|length| ("content-length", length)).into_iter().collect();
        frames.ask(stream, &request("POST", path, &length), false).await;
        frames.send(frame(DATA, 0, stream, b"first")).await;
        // 408 has no byte of its own in HPACK.
        assert_eq!(frames.outcome(stream).await, Outcome::Answer(0), "{path} {length:?}");
    }
    assert!(gateway.upstream.requests().iter().all(|seen| !seen.whole));
    frames.ask(9, &request("GET", "/public/y", &[]), true).await;
    assert_eq!(frames.outcome(9).await, Outcome::Answer(200));
    assert_serves(&gateway).await;
}

/// A client that takes nothing, or a byte at a time, of a large answer (CVE-2019-9511, 9517).
#[tokio::test]
async fn dos_02_a_reader_that_stalls_is_reset() {
    let gateway = impatient().await;
    gateway.upstream.on("/public/large", Reply::ok(&"x".repeat(4 << 20)));
    let mut frames = Frames::connect(gateway.address).await;
    // Windows of no byte for every stream (RFC 9113, 6.5.2).
    frames.send(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0])).await;
    frames.ask(1, &request("GET", "/public/large", &[]), true).await;
    assert_eq!(frames.outcome(1).await, Outcome::Answer(200));
    let ended = frames.outcome(1).await;
    assert!(matches!(ended, Outcome::Reset(_) | Outcome::Closed), "{ended:?}");
    assert_serves(&gateway).await;
}

#[tokio::test]
async fn dos_02_a_reader_of_single_bytes_is_reset() {
    use crate::frames::WINDOW_UPDATE;
    let gateway = impatient().await;
    gateway.upstream.on("/public/large", Reply::ok(&"x".repeat(4 << 20)));
    let mut frames = Frames::connect(gateway.address).await;
    frames.send(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1])).await;
    frames.ask(1, &request("GET", "/public/large", &[]), true).await;
    assert_eq!(frames.outcome(1).await, Outcome::Answer(200));
    let mut ended = None;
    while let Some(next) = frames.next().await {
        match next.kind {
            DATA => {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                let byte = 1_u32.to_be_bytes();
                frames.try_send(frame(WINDOW_UPDATE, 0, 1, &byte)).await;
            }
            crate::frames::RESET => {
                ended = Some(next);
                break;
            }
            _ => {}
        }
    }
    // Reset, or the whole connection closed.
    drop(ended);
    assert_serves(&gateway).await;
}

/// What is not a request does not keep a connection.
#[tokio::test]
async fn dos_02_pings_do_not_keep_an_idle_connection() {
    let gateway = impatient().await;
    let mut frames = Frames::connect(gateway.address).await;
    frames.ask(1, &request("GET", "/public/x", &[]), true).await;
    assert_eq!(frames.outcome(1).await, Outcome::Answer(200));
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        if !frames.try_send(frame(PING, 0, 0, &[0; 8])).await {
            break;
        }
    }
    assert_serves(&gateway).await;
}
