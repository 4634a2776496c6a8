//! HTTP/2 clients that take their time (DOS-02).

use std::time::Duration;

use super::assert_serves;
use crate::frames::{
    DATA, END_STREAM, ENHANCE_YOUR_CALM, Frame, Frames, GOAWAY, HEADERS, Outcome, PING, PREFACE,
    RESET, SETTINGS, WINDOW_UPDATE, fields, frame, request,
};
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::upstream::Reply;

/// Larger than anything that is held for a client.
const LARGE: usize = 4 << 20;

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

/// Takes the answer on stream 1 a byte at a time, and gives what was taken and the frame that ended it.
async fn in_single_bytes(frames: &mut Frames, pause: Option<Duration>) -> (usize, Frame) {
    frames.send(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1])).await;
    frames.ask(1, &request("GET", "/public/large", &[]), true).await;
    assert_eq!(frames.outcome(1).await, Outcome::Answer(200));
    let mut taken = 0;
    loop {
        let next = frames.next().await.expect("a word before the end");
        match next.kind {
            DATA => {
                taken += next.payload.len();
                if let Some(pause) = pause {
                    tokio::time::sleep(pause).await;
                }
                frames.try_send(frame(WINDOW_UPDATE, 0, 1, &1_u32.to_be_bytes())).await;
            }
            RESET | GOAWAY => return (taken, next),
            _ => {}
        }
    }
}

/// The pause is the attack: without it this is a flood of WINDOW_UPDATE.
#[tokio::test]
async fn dos_02_a_reader_of_single_bytes_is_reset() {
    let gateway = impatient().await;
    gateway.upstream.on("/public/large", Reply::ok(&"x".repeat(LARGE)));
    let mut frames = Frames::connect(gateway.address).await;
    let (taken, end) = in_single_bytes(&mut frames, Some(Duration::from_millis(20))).await;
    assert_eq!((end.kind, end.stream), (RESET, 1), "{end:?}");
    assert!((1..LARGE).contains(&taken), "{taken}");
    // It alone: others on the connection are answered.
    frames.ask(3, &request("GET", "/public/x", &[]), true).await;
    assert_eq!(frames.outcome(3).await, Outcome::Answer(200));
}

#[tokio::test]
async fn dos_01_a_reader_of_single_bytes_that_hurries_is_sent_away() {
    let gateway = Gateway::start().await;
    gateway.upstream.on("/public/large", Reply::ok(&"x".repeat(LARGE)));
    let mut frames = Frames::connect(gateway.address).await;
    let (taken, end) = in_single_bytes(&mut frames, None).await;
    assert_eq!((end.kind, &end.payload[4..8]), (GOAWAY, &ENHANCE_YOUR_CALM.to_be_bytes()[..]));
    assert!((1..LARGE).contains(&taken), "{taken}");
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
        tokio::time::sleep(Duration::from_millis(50)).await;
        if !frames.try_send(frame(PING, 0, 0, &[0; 8])).await {
            break;
        }
    }
    assert_serves(&gateway).await;
}
