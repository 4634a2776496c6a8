//! An answer as it stands on the wire, read strictly: where it ends is said once and in one way
//! (RFC 9112, 6.3), or it is none.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;
use pingora_core::protocols::http::HttpTask;

use super::answer_head::{Head, Status};
use crate::listen::Chunks;

/// What one line of a head may be long.
const LINE_SIZE: usize = 64 << 10;
/// What heads may be long together, those included that only say that more will come.
const HEADS_SIZE: usize = 256 << 10;
/// The lines of one head.
const HEAD_LINES: usize = 256;

/// Why an answer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Malformed(pub(super) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// How far one answer has been read.
#[derive(Debug, Default)]
pub(super) struct Answer {
    expects: Expects,
    /// It ends with its head.
    is_to_head: bool,
    lines: Lines,
    /// How long the heads were that were read.
    heads: usize,
    /// By the server's word nothing comes after it.
    is_last: bool,
}

/// What comes next.
#[derive(Debug, Default)]
pub(super) enum Expects {
    #[default]
    Head,
    Length(u64),
    Chunks(Chunks),
    /// It ends with the connection.
    Close,
    /// No HTTP any more.
    Tunnel,
    /// What comes now is no part of this answer.
    Nothing,
}

/// How far the lines of a head have been looked at.
#[derive(Debug, Default)]
struct Lines {
    count: usize,
    /// Where the line begins whose end has not come.
    begin: usize,
    /// There is no end of a line between its beginning and here.
    looked: usize,
}

impl Answer {
    /// The answer to HEAD, or to another method.
    pub(super) fn to(is_to_head: bool) -> Self {
        Self { is_to_head, ..Self::default() }
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.expects, Expects::Nothing)
    }

    /// Whether the server says that the connection goes on.
    pub(super) fn leaves_open(&self) -> bool {
        !self.is_last
    }

    /// Takes what is part of the answer from these bytes.
    pub(super) fn read(
        &mut self,
        bytes: &mut BytesMut,
        parts: &mut Vec<HttpTask>,
    ) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            let part = match &mut self.expects {
                Expects::Nothing => return Ok(()),
                Expects::Head => match self.lines.end_of_head(bytes)? {
                    None if self.heads + bytes.len() <= HEADS_SIZE => return Ok(()),
                    Some(size) if self.heads + size <= HEADS_SIZE => {
                        self.read_head(bytes.split_to(size).freeze())?
                    }
                    _ => return Err(Malformed("a head that is too large")),
                },
                Expects::Length(left) => {
                    let here = (*left).min(bytes.len() as u64);
                    *left -= here;
                    let ends = *left == 0;
                    self.end_if(ends);
                    HttpTask::Body(Some(bytes.split_to(here as usize).freeze()), ends)
                }
                Expects::Chunks(chunks) => {
                    let mut data = BytesMut::with_capacity(bytes.len());
                    let read = chunks.read_into(bytes, |piece| data.extend_from_slice(piece));
                    bytes.advance(read.map_err(Malformed)?);
                    let ends = chunks.have_ended();
                    self.end_if(ends);
                    HttpTask::Body(Some(data.freeze()), ends)
                }
                Expects::Close => HttpTask::Body(Some(bytes.split().freeze()), false),
                Expects::Tunnel => HttpTask::UpgradedBody(Some(bytes.split().freeze()), false),
            };
            parts.push(part);
        }
        Ok(())
    }

    /// The connection has ended. Gives the end of the answer; none where it breaks off.
    pub(super) fn close(&mut self) -> Option<HttpTask> {
        self.is_last = true;
        match std::mem::replace(&mut self.expects, Expects::Nothing) {
            Expects::Close => Some(HttpTask::Body(None, true)),
            Expects::Tunnel => Some(HttpTask::UpgradedBody(None, true)),
            _ => None,
        }
    }

    fn end_if(&mut self, ends: bool) {
        if ends {
            self.expects = Expects::Nothing;
        }
    }

    fn read_head(&mut self, bytes: Bytes) -> Result<HttpTask, Malformed> {
        self.heads += bytes.len();
        let lines = std::mem::take(&mut self.lines);
        let head = Head::parse(&bytes, lines.count)?;
        self.expects = head.framing(self.is_to_head)?;
        self.is_last = head.is_last();
        Ok(HttpTask::Header(Box::new(head.fields), self.has_ended()))
    }
}

impl Lines {
    /// How long the head is, once its end is there. The first line is looked at as soon as it has come:
    /// what is no HTTP may be silent after it.
    fn end_of_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        loop {
            let Some(length) = memchr(b'\n', bytes.get(self.looked..).unwrap_or_default()) else {
                self.looked = bytes.len();
                return match self.looked - self.begin > LINE_SIZE {
                    true => Err(Malformed("a head that is too large")),
                    false => Ok(None),
                };
            };
            let end = self.looked + length;
            let line = bytes.get(self.begin..end).unwrap_or_default();
            let Some(line) = line.strip_suffix(b"\r") else {
                return Err(Malformed("a line that ends in LF alone"));
            };
            if self.count == 0 {
                Status::parse(line)?;
            }
            if line.len() >= LINE_SIZE || self.count > HEAD_LINES {
                return Err(Malformed("a head that is too large"));
            }
            let was_last = line.is_empty();
            (self.begin, self.looked) = (end + 1, end + 1);
            if was_last {
                return Ok(Some(end + 1));
            }
            self.count += 1;
        }
    }
}

#[cfg(test)]
mod tests;
