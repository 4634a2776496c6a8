//! A client of whole HTTP/2 requests, whose header fields are sent as they are given: also those that no
//! library would send.

use std::net::SocketAddr;

use super::frames::{self, Frames, frame};

/// No dynamic table, so that a status is always spelled out.
const NO_TABLE: [u8; 6] = [0, 1, 0, 0, 0, 0];
const LARGEST_FRAME: usize = 16 << 10;

/// A header field: name and value.
pub(crate) type Field = (String, String);

/// One connection.
#[derive(Debug)]
pub(crate) struct Http2Wire {
    frames: Frames,
    next_stream: u32,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer, with as much of its body as came.
    Answer { status: u16, body: Vec<u8> },
    /// The stream was reset, or the connection is given up.
    Refused,
    /// The connection ended.
    Closed,
}

impl Http2Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut frames = Frames::silent(address).await;
        let settings = frame(frames::SETTINGS, 0, 0, &NO_TABLE);
        frames.send([frames::PREFACE, &settings].concat()).await;
        frames.send(frame(frames::SETTINGS, frames::ACK, 0, &[])).await;
        Self { frames, next_stream: 1 }
    }

    /// Begins a request with these fields. Where the gateway has closed, the outcome says so.
    pub(crate) async fn begin(&mut self, fields: &[Field], ends: bool) -> u32 {
        let id = self.next_stream;
        self.next_stream += 2;
        self.fields(id, fields, ends).await;
        id
    }

    /// The fields of a head, or trailers.
    pub(crate) async fn fields(&mut self, id: u32, fields: &[Field], ends: bool) {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        let block = frames::fields(&fields);
        let mut parts = block.chunks(LARGEST_FRAME).peekable();
        let (mut kind, mut flags) = (frames::HEADERS, if ends { frames::END_STREAM } else { 0 });
        while let Some(part) = parts.next() {
            let last = if parts.peek().is_none() { frames::END_HEADERS } else { 0 };
            self.frames.try_send(frame(kind, flags | last, id, part)).await;
            (kind, flags) = (frames::CONTINUATION, 0);
        }
    }

    pub(crate) async fn data(&mut self, id: u32, bytes: &[u8], ends: bool) {
        let flags = if ends { frames::END_STREAM } else { 0 };
        self.frames.try_send(frame(frames::DATA, flags, id, bytes)).await;
    }

    /// Reads until this request is answered, reset, or never will be.
    pub(crate) async fn outcome(&mut self, id: u32) -> Outcome {
        let (mut status, mut body) = (0, Vec::new());
        while let Some(frame) = self.frames.next().await {
            match frame.kind {
                frames::GOAWAY => {
                    let last = u32::from_be_bytes(frame.payload[..4].try_into().unwrap());
                    if last < id {
                        return Outcome::Refused;
                    }
                }
                _ if frame.stream != id => {}
                frames::RESET if status == 0 => return Outcome::Refused,
                frames::RESET => return Outcome::Answer { status, body },
                frames::HEADERS if status < 200 => status = status_of(&frame.payload),
                frames::DATA => body.extend(frame.payload),
                _ => {}
            }
            let ends = matches!(frame.kind, frames::HEADERS | frames::DATA)
                && frame.flags & frames::END_STREAM != 0;
            if ends && frame.stream == id {
                return Outcome::Answer { status, body };
            }
        }
        Outcome::Closed
    }
}

/// The status of an answer: a server writes it first (RFC 9113, 8.3).
fn status_of(block: &[u8]) -> u16 {
    // Updates of the size of the dynamic table come before.
    let start = block.iter().position(|byte| byte & 0xe0 != 0x20).expect("a field");
    match &block[start..] {
        [indexed @ 0x88..=0x8e, ..] => {
            [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)]
        }
        [0x48 | 0x08 | 0x18, 0x03, digits @ ..] => {
            str::from_utf8(&digits[..3]).unwrap().parse().unwrap()
        }
        [0x48 | 0x08 | 0x18, huffman, text @ ..] => {
            let length = usize::from(huffman & 0x7f);
            digits_of_huffman(&text[..length])
        }
        other => panic!("a status is expected first: {other:x?}"),
    }
}

/// RFC 7541, appendix B: `0` to `2` have five bits, `3` to `9` six.
fn digits_of_huffman(text: &[u8]) -> u16 {
    let bits: Vec<u16> = text
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)))
        .collect();
    let (mut at, mut number) = (0, 0);
    for _ in 0..3 {
        let value =
            |length: usize| bits[at..at + length].iter().fold(0, |value, bit| value * 2 + bit);
        let digit = match value(5) {
            digit @ 0..=2 => {
                at += 5;
                digit
            }
            _ => {
                let digit = value(6) - 0b011001 + 3;
                at += 6;
                digit
            }
        };
        number = number * 10 + digit;
    }
    number
}
