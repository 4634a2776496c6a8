//! An HTTP/2 client that writes frames as they are given: also header fields that no library would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::raw::PATIENCE;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// No dynamic table, so that a status is always spelled out; no push.
const SETTINGS: [u8; 12] = [0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0];
const LARGEST_FRAME: usize = 16 << 10;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS_FRAME: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// A header field: name and value, any bytes.
pub(crate) type Field = (Vec<u8>, Vec<u8>);

/// One connection.
#[derive(Debug)]
pub(crate) struct Http2Wire {
    stream: TcpStream,
    read: Vec<u8>,
    next_stream: u32,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer, with as much of its body as came.
    Answer { status: u16, body: Vec<u8> },
    /// The stream was reset, with this code.
    Reset(u32),
    /// The connection ended.
    Closed,
}

impl Http2Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the gateway accepts");
        stream.set_nodelay(true).expect("a socket of this machine");
        let mut wire = Self { stream, read: Vec::new(), next_stream: 1 };
        let _ = wire.stream.write_all(PREFACE).await;
        wire.frame(SETTINGS_FRAME, 0, 0, &SETTINGS).await;
        wire
    }

    /// Begins a request with these fields. An error of the socket shows itself in the outcome.
    pub(crate) async fn begin(&mut self, fields: &[Field], ends: bool) -> u32 {
        let id = self.next_stream;
        self.next_stream += 2;
        self.fields(id, fields, ends).await;
        id
    }

    /// The fields of a head, or trailers.
    pub(crate) async fn fields(&mut self, id: u32, fields: &[Field], ends: bool) {
        let block: Vec<u8> = fields.iter().flat_map(encoded).collect();
        let mut parts = block.chunks(LARGEST_FRAME).peekable();
        let mut kind = HEADERS;
        while let Some(part) = parts.next() {
            let last = if parts.peek().is_none() { END_HEADERS } else { 0 };
            let end = if ends && kind == HEADERS { END_STREAM } else { 0 };
            self.frame(kind, last | end, id, part).await;
            kind = CONTINUATION;
        }
    }

    pub(crate) async fn data(&mut self, id: u32, bytes: &[u8], ends: bool) {
        self.frame(DATA, if ends { END_STREAM } else { 0 }, id, bytes).await;
    }

    async fn frame(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) {
        let length = (payload.len() as u32).to_be_bytes();
        let head = [&length[1..], &[kind, flags], &id.to_be_bytes()].concat();
        // A gateway that has closed is told apart when its answer is read.
        let _ = self.stream.write_all(&[&head, payload].concat()).await;
    }

    /// Reads until this request is answered, reset, or never will be.
    pub(crate) async fn outcome(&mut self, id: u32) -> Outcome {
        let (mut status, mut body) = (0, Vec::new());
        while let Some((kind, flags, stream, payload)) = self.next_frame().await {
            match kind {
                SETTINGS_FRAME if flags & ACK == 0 => self.frame(SETTINGS_FRAME, ACK, 0, &[]).await,
                GOAWAY => {
                    let last = u32::from_be_bytes(payload[..4].try_into().unwrap());
                    if last < id {
                        return Outcome::Closed;
                    }
                }
                RST_STREAM if stream == id && status == 0 => {
                    return Outcome::Reset(u32::from_be_bytes(payload[..4].try_into().unwrap()));
                }
                RST_STREAM if stream == id => return Outcome::Answer { status, body },
                HEADERS if stream == id && status < 200 => status = status_of(&payload),
                DATA if stream == id => body.extend(payload),
                _ => {}
            }
            let ends = matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0;
            if ends && stream == id {
                return Outcome::Answer { status, body };
            }
        }
        Outcome::Closed
    }

    async fn next_frame(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        self.fill(9).await?;
        let head: Vec<u8> = self.read.drain(..9).collect();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes(head[5..9].try_into().unwrap()) & (u32::MAX >> 1);
        self.fill(length).await?;
        Some((head[3], head[4], stream, self.read.drain(..length).collect()))
    }

    /// Reads until there are so many bytes; none where the connection ends before.
    async fn fill(&mut self, length: usize) -> Option<()> {
        while self.read.len() < length {
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
            match read.expect("the gateway neither answers nor closes") {
                Ok(1..) => {}
                _ => return None,
            }
        }
        Some(())
    }
}

/// RFC 7541, 6.2.2: a literal field without indexing, its name spelled out.
fn encoded((name, value): &Field) -> Vec<u8> {
    let text = |text: &[u8]| [length(text.len()).as_slice(), text].concat();
    [&[0], text(name).as_slice(), &text(value)].concat()
}

/// RFC 7541, 5.1: an integer over a prefix of 7 bits.
fn length(length: usize) -> Vec<u8> {
    if length < 127 {
        return vec![length as u8];
    }
    let (mut bytes, mut rest) = (vec![127], length - 127);
    while rest >= 128 {
        bytes.push((rest % 128 + 128) as u8);
        rest /= 128;
    }
    bytes.push(rest as u8);
    bytes
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
