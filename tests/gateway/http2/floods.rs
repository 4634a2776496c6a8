//! What costs a client little and the gateway much (DOS-01), and what it then costs.

use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frames, GOAWAY, HEADERS,
    Outcome, PING, PRIORITY, RESET, SETTINGS, WINDOW_UPDATE, fields, frame, request,
};
use crate::support::config::Config;
use crate::support::process::Process;
use crate::upstream::Upstream;

/// What any number of connections may cost besides, in this build: allocators keep what they had.
const SLACK: usize = 8 << 20;

/// A gateway in a process of its own, before an upstream, so that its memory can be measured.
struct Victim {
    process: Process,
    _upstream: Upstream,
}

impl Victim {
    async fn start() -> Self {
        let upstream = Upstream::start().await;
        let config = Config::default()
            .variable("UPSTREAM", upstream.url())
            .variable("WECHAT", "http://127.0.0.1:9");
        let process = Process::quiet(&config).await;
        Self { process, _upstream: upstream }
    }

    /// Whether an attack ends in this way, costs little memory, and leaves the gateway serving.
    async fn assert_withstands(
        &self,
        name: &str,
        attack: impl AsyncFn(&mut Frames),
        ends: impl Fn(Option<u32>) -> bool,
    ) {
        self.assert_serves(name).await;
        let before = self.process.peak_memory();
        let mut frames = Frames::connect(self.process.address).await;
        attack(&mut frames).await;
        let end = frames.end().await;
        assert!(ends(end), "{name}: {end:?} after {} bytes", frames.sent);
        let grown = self.process.peak_memory().saturating_sub(before);
        let sent = frames.sent;
        eprintln!("{name}: {sent} bytes sent, {grown} bytes of memory, GOAWAY {end:?}");
        assert!(grown < 100 * sent + SLACK, "{name}: {grown} bytes of memory for {sent} sent");
        self.assert_serves(name).await;
    }

    async fn assert_serves(&self, name: &str) {
        let mut frames = Frames::connect(self.process.address).await;
        frames.ask(1, &request("GET", "/public/ordinary", &[]), true).await;
        assert_eq!(frames.outcome(1).await, Outcome::Answer(200), "{name}");
    }
}

fn calm(end: Option<u32>) -> bool {
    end == Some(ENHANCE_YOUR_CALM)
}

/// As fast as it goes, until the gateway has had enough.
async fn flood(frames: &mut Frames, bytes: &[u8], times: usize) {
    let some = bytes.repeat(100);
    for _ in 0..times / 100 {
        if !frames.try_send(&some).await {
            return;
        }
    }
}

/// CVE-2023-44487: requests that are taken back at once.
#[tokio::test]
async fn dos_01_rapid_reset_ends_in_goaway() {
    let victim = Victim::start().await;
    let rapid_reset = async |frames: &mut Frames| {
        let head = fields(&request("GET", "/public/x", &[]));
        for number in 0..20_000_u32 {
            let stream = 2 * number + 1;
            let asked = frame(HEADERS, END_HEADERS | END_STREAM, stream, &head);
            let reset = frame(RESET, 0, stream, &8_u32.to_be_bytes());
            if !frames.try_send([asked, reset].concat()).await {
                return;
            }
        }
    };
    victim.assert_withstands("rapid reset", rapid_reset, calm).await;
}

/// Makes the frames that have a stream reset.
type Provoke = fn(u32) -> Vec<u8>;

/// CVE-2025-8671: the client has the gateway reset the streams.
#[tokio::test]
async fn dos_01_made_you_reset_ends_in_goaway() {
    let victim = Victim::start().await;
    let head = fields(&request("POST", "/public/x", &[]));
    let provoke: [(&str, Provoke); 4] = [
        ("a window over the top", |stream| {
            frame(WINDOW_UPDATE, 0, stream, &0x7fff_ffff_u32.to_be_bytes())
        }),
        ("a window update of nothing", |stream| frame(WINDOW_UPDATE, 0, stream, &[0; 4])),
        ("a stream of itself", |stream| {
            frame(PRIORITY, 0, stream, &[stream.to_be_bytes().as_slice(), &[1]].concat())
        }),
        ("data after the end", |stream| frame(DATA, END_STREAM, stream, b"x").repeat(2)),
    ];
    for (name, provoke) in provoke {
        let made_you_reset = async |frames: &mut Frames| {
            for number in 0..20_000_u32 {
                let stream = 2 * number + 1;
                let asked = frame(HEADERS, END_HEADERS, stream, &head);
                if !frames.try_send([asked, provoke(stream)].concat()).await {
                    return;
                }
            }
        };
        victim.assert_withstands(name, made_you_reset, |end| end.is_some()).await;
    }
}

/// CVE-2024-27316 and its like: a header block that never ends.
#[tokio::test]
async fn dos_01_continuations_without_end_end_in_goaway() {
    let victim = Victim::start().await;
    let begin = frame(HEADERS, 0, 1, &fields(&request("GET", "/public/x", &[])));
    let full = fields(&[("x-a", &"a".repeat(16_000))]);
    for (name, payload) in [("empty CONTINUATION", vec![]), ("full CONTINUATION", full)] {
        let continuations = async |frames: &mut Frames| {
            frames.send(&begin).await;
            flood(frames, &frame(CONTINUATION, 0, 1, &payload), 10_000).await;
        };
        victim.assert_withstands(name, continuations, |end| end.is_some()).await;
    }
}

/// CVE-2026-49975, and the HPACK bomb of CVE-2016-6581: a byte for a field of 4 KB out of the table.
#[tokio::test]
async fn dos_01_a_bomb_of_headers_costs_no_memory() {
    let victim = Victim::start().await;
    let bomb = async |frames: &mut Frames| {
        // With an index (RFC 7541, 6.2.1), then by that index, 62.
        let mut planted = vec![0x40, 3];
        planted.extend(b"x-a");
        planted.extend([0x7f, 0xa1, 0x1e]);
        planted.extend([b'a'; 4000]);
        for number in 0..200_u32 {
            let mut block = fields(&request("GET", "/public/x", &[]));
            if number == 0 {
                block.extend(&planted);
            }
            block.extend([0x80 | 62; 8000]);
            let stream = 2 * number + 1;
            let asked = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
            if !frames.try_send(asked).await {
                return;
            }
        }
        frames.try_send(frame(GOAWAY, 0, 0, &[0; 8])).await;
    };
    victim.assert_withstands("HPACK bomb", bomb, |_| true).await;
}

/// CVE-2019-9512 (ping), 9515 (settings), 9513 (priority), 9518 and 2026-105297's kin (empty DATA).
#[tokio::test]
async fn dos_01_floods_of_control_frames_end_in_goaway() {
    let victim = Victim::start().await;
    let floods = [
        ("PING", frame(PING, 0, 0, &[0; 8])),
        ("PING acknowledged", frame(PING, 1, 0, &[0; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[])),
        ("SETTINGS of a size", frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 16, 0])),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())),
        ("unknown frames", frame(0xfa, 0, 0, &[0; 8])),
        ("RST_STREAM of what was answered", frame(RESET, 0, 1, &8_u32.to_be_bytes())),
    ];
    for (name, bytes) in floods {
        let attack = async |frames: &mut Frames| {
            frames.ask(1, &request("GET", "/public/x", &[]), true).await;
            assert_eq!(frames.outcome(1).await, Outcome::Answer(200));
            flood(frames, &bytes, 100_000).await;
        };
        victim.assert_withstands(name, attack, calm).await;
    }
    let empty_data = async |frames: &mut Frames| {
        frames.ask(1, &request("POST", "/public/x", &[]), false).await;
        flood(frames, &frame(DATA, 0, 1, &[]), 100_000).await;
    };
    victim.assert_withstands("empty DATA", empty_data, calm).await;
    let small_data = async |frames: &mut Frames| {
        // Nobody reads it: the route is none.
        for stream in 0..50 {
            frames.ask(2 * stream + 1, &request("POST", "/unknown", &[]), false).await;
        }
        flood(frames, &frame(DATA, 0, 1, b"x"), 100_000).await;
        frames.try_send(frame(GOAWAY, 0, 0, &[0; 8])).await;
    };
    victim.assert_withstands("DATA of a byte", small_data, |_| true).await;
}

/// RFC 9113, 5.1.2: more streams than were allowed are refused, and no more.
#[tokio::test]
async fn dos_01_no_more_than_a_hundred_streams_at_once() {
    let victim = Victim::start().await;
    let mut frames = Frames::connect(victim.process.address).await;
    for number in 0..101 {
        frames.ask(2 * number + 1, &request("POST", "/public/x", &[]), false).await;
    }
    const REFUSED_STREAM: u32 = 7;
    assert_eq!(frames.outcome(201).await, Outcome::Reset(REFUSED_STREAM));
    frames.send(frame(DATA, END_STREAM, 1, b"x")).await;
    assert_eq!(frames.outcome(1).await, Outcome::Answer(200));
    frames.ask(203, &request("GET", "/public/y", &[]), true).await;
    assert_eq!(frames.outcome(203).await, Outcome::Answer(200));
}
