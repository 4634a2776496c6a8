//! A client that writes frames of HTTP/2 as they are given, right or wrong.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::raw::PATIENCE;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// One connection.
#[derive(Debug)]
pub(crate) struct Frames {
    stream: TcpStream,
    pub(crate) sent: usize,
}

/// A frame from the gateway.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer with this status; 0 is any but 200, 204, 400, 404 and 500, which HPACK writes in a byte.
    Answer(u16),
    Reset(u32),
    GoAway(u32),
    Closed,
}

impl Outcome {
    /// Whether the request was turned away as one that is malformed.
    pub(crate) fn is_refused(&self) -> bool {
        !matches!(self, Self::Answer(status) if *status != 400)
    }
}

/// A frame as it stands on the wire.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Fields as HPACK writes them without an index (RFC 7541, 6.2.2).
pub(crate) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(&mut block, text.len());
            block.extend(text.as_bytes());
        }
    }
    block
}

fn length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        return block.push(length as u8);
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.push(rest as u8);
}

/// The fields of an ordinary request, and more.
pub(crate) fn request<'a>(
    method: &'a str,
    path: &'a str,
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let pseudo = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")];
    pseudo.iter().chain(more).copied().collect()
}

impl Frames {
    /// A connection whose settings are exchanged.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut frames = Self::silent(address).await;
        frames.send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
        frames.send(frame(SETTINGS, ACK, 0, &[])).await;
        frames
    }

    /// One that has not said anything yet.
    pub(crate) async fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the gateway accepts");
        stream.set_nodelay(true).expect("a socket of this machine");
        Self { stream, sent: 0 }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        assert!(self.try_send(bytes).await, "the gateway reads");
    }

    /// The same where the gateway may close before it has read all of it. Whether it took all.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let written = timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await;
        self.sent += bytes.as_ref().len();
        written.is_ok_and(|written| written.is_ok())
    }

    /// Sends a request with or without a body to come.
    pub(crate) async fn ask(&mut self, stream: u32, head: &[(&str, &str)], end: bool) {
        let flags = if end { END_HEADERS | END_STREAM } else { END_HEADERS };
        self.try_send(frame(HEADERS, flags, stream, &fields(head))).await;
    }

    /// The next frame; none at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.read(&mut head).await?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.read(&mut payload).await?;
        Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Option<()> {
        let read = timeout(PATIENCE, self.stream.read_exact(buffer)).await;
        read.expect("the gateway neither answers nor closes").ok().map(drop)
    }

    /// What becomes of the request on this stream.
    pub(crate) async fn outcome(&mut self, stream: u32) -> Outcome {
        loop {
            let Some(frame) = self.next().await else { return Outcome::Closed };
            match frame.kind {
                GOAWAY => return Outcome::GoAway(code(frame.payload.get(4..))),
                RESET if frame.stream == stream => {
                    return Outcome::Reset(code(frame.payload.get(..)));
                }
                HEADERS if frame.stream == stream => {
                    return Outcome::Answer(status(&frame.payload));
                }
                _ => {}
            }
        }
    }

    /// Waits until the gateway closes, whatever it sends before.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        // A reset is an end too.
        let _ = read.expect("the gateway does not close");
    }

    /// How the connection ends: the last code of GOAWAY; none where it ends without one.
    pub(crate) async fn end(&mut self) -> Option<u32> {
        let mut last = None;
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY {
                last = Some(code(frame.payload.get(4..)));
            }
        }
        last
    }
}

fn code(bytes: Option<&[u8]>) -> u32 {
    let bytes = bytes.and_then(|bytes| bytes.first_chunk::<4>());
    u32::from_be_bytes(*bytes.expect("a code of four bytes"))
}

/// By the static table of HPACK (RFC 7541, A), behind a change of the table's size.
fn status(block: &[u8]) -> u16 {
    let first = block.iter().find(|byte| **byte & 0xe0 != 0x20);
    match first {
        Some(0x88) => 200,
        Some(0x89) => 204,
        Some(0x8c) => 400,
        Some(0x8d) => 404,
        Some(0x8e) => 500,
        _ => 0,
    }
}
