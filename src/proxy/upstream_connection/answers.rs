//! An answer as it stands on the wire, read strictly before pingora reads it leniently: where it ends is
//! said once and in one way (RFC 9112, 6.3), or it is none.

use std::fmt;

use memchr::memchr;

use crate::listen::{Chunks, has_control};
use crate::policy::guard::{is_chunked, is_length};

/// What one line of a head may be long.
const LINE_SIZE: usize = 64 << 10;
/// What heads may be long together, those included that only say that more will come.
const HEADS_SIZE: usize = 256 << 10;

/// Why an answer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Malformed(&'static str);

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
    /// To HEAD: it ends with its head.
    has_no_body: bool,
    head: Head,
}

#[derive(Debug, Default)]
enum Expects {
    #[default]
    Head,
    Length(u64),
    Chunks(Chunks),
    /// It ends with the connection; so does a tunnel.
    Close,
    /// What comes now is no part of this answer.
    Nothing,
}

/// What the lines of a head said so far.
#[derive(Debug, Default)]
struct Head {
    /// A line whose end has not come.
    begun: Vec<u8>,
    size: usize,
    /// None before the status line.
    status: Option<Status>,
    length: Option<u64>,
    chunked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Status {
    code: u16,
    http11: bool,
}

impl Answer {
    /// What is known of the request from its first bytes.
    pub(super) fn is_for(&mut self, request: &[u8]) {
        self.has_no_body = request.starts_with(b"HEAD ");
    }

    /// Whether its head is there: one that does not only say that more will come.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self.expects, Expects::Head)
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.expects, Expects::Nothing)
    }

    /// Reads on. Gives how many bytes are part of the answer, which are all while it goes on.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            used += match &mut self.expects {
                Expects::Nothing => return Ok(used),
                Expects::Close => rest.len(),
                Expects::Head => self.read_line(rest)?,
                Expects::Length(left) => {
                    let here = (*left).min(rest.len() as u64);
                    *left -= here;
                    if *left == 0 {
                        self.expects = Expects::Nothing;
                    }
                    here as usize
                }
                Expects::Chunks(chunks) => {
                    let here = chunks.read(rest).map_err(Malformed)?;
                    if chunks.have_ended() {
                        self.expects = Expects::Nothing;
                    }
                    here
                }
            };
        }
        Ok(used)
    }

    /// Reads to the end of a line of the head, or what there is of one.
    fn read_line(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let (line, length) = match memchr(b'\n', bytes) {
            Some(end) => (bytes.get(..end).unwrap_or_default(), end + 1),
            None => (bytes, bytes.len()),
        };
        self.head.size += length;
        if self.head.begun.len() + length > LINE_SIZE || self.head.size > HEADS_SIZE {
            return Err(Malformed("a head that is too large"));
        }
        if length == line.len() {
            self.head.begun.extend_from_slice(line);
        } else if self.head.begun.is_empty() {
            self.end_line(line)?;
        } else {
            let mut begun = std::mem::take(&mut self.head.begun);
            begun.extend_from_slice(line);
            self.end_line(&begun)?;
        }
        Ok(length)
    }

    fn end_line(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let Some(line) = line.strip_suffix(b"\r") else {
            return Err(Malformed("a line that ends in LF alone"));
        };
        match (self.head.status, line) {
            (None, line) => self.head.status = Some(Status::parse(line)?),
            (Some(status), b"") => {
                self.expects = self.head.framing(status, self.has_no_body)?;
                let size = self.head.size;
                self.head = Head { size, ..Head::default() };
            }
            (Some(status), line) => self.head.read_field(line, status)?,
        }
        Ok(())
    }
}

impl Status {
    /// RFC 9112, 4; servers leave the space before an empty reason away.
    fn parse(line: &[u8]) -> Result<Self, Malformed> {
        let bad = Malformed("a status line that is none");
        let http11 = match line.get(..9) {
            Some(b"HTTP/1.1 ") => true,
            Some(b"HTTP/1.0 ") => false,
            _ => return Err(bad),
        };
        let code = line.get(9..12).filter(|code| code.iter().all(u8::is_ascii_digit));
        let code = code.and_then(|code| str::from_utf8(code).ok()?.parse().ok());
        let code = code.filter(|code| (100..1000).contains(code)).ok_or(bad)?;
        let reason = line.get(12..).unwrap_or_default();
        match (reason.first(), has_control(reason)) {
            (None | Some(b' '), false) => Ok(Self { code, http11 }),
            _ => Err(bad),
        }
    }
}

/// RFC 9112, 5: a name, a colon right after it, and a value; no folded line. What else a name cannot hold
/// pingora's parser refuses too.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let colon = memchr(b':', line).and_then(|colon| line.split_at_checked(colon));
    let Some((name, [_, value @ ..])) = colon else {
        return Err(Malformed("a header line without a colon"));
    };
    let has_space = name.iter().fold(false, |found, byte| found | (*byte <= b' '));
    if name.is_empty() || has_space {
        return Err(Malformed("a header name that is none, or a folded line"));
    }
    if has_control(value) {
        return Err(Malformed("a control character in a header value"));
    }
    Ok((name, value.trim_ascii()))
}

impl Head {
    fn read_field(&mut self, line: &[u8], status: Status) -> Result<(), Malformed> {
        let (name, value) = field(line)?;
        // By the length first: most fields are neither.
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length = Some(value).filter(|value| is_length(value));
                let length = length.and_then(|value| str::from_utf8(value).ok()?.parse().ok());
                let length = length.ok_or(Malformed("a Content-Length that is not one number"))?;
                if self.length.is_some_and(|other| other != length) {
                    return Err(Malformed("two Content-Lengths"));
                }
                self.length = Some(length);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.chunked || !is_chunked(value) || !status.http11 {
                    let why = "a Transfer-Encoding other than one `chunked` over HTTP/1.1";
                    return Err(Malformed(why));
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// What comes after the head.
    fn framing(&self, status: Status, has_no_body: bool) -> Result<Expects, Malformed> {
        if self.chunked && self.length.is_some() {
            return Err(Malformed("both Content-Length and Transfer-Encoding"));
        }
        let is_informational = status.code < 200;
        let says_body = self.chunked || self.length.is_some_and(|length| length > 0);
        if says_body && (is_informational || status.code == 204) {
            return Err(Malformed("a body after a status that has none"));
        }
        Ok(match (status.code, self.length) {
            (101, _) => Expects::Close,
            (100..200, _) => Expects::Head,
            (204 | 304, _) | (_, Some(0)) => Expects::Nothing,
            _ if has_no_body => Expects::Nothing,
            _ if self.chunked => Expects::Chunks(Chunks::default()),
            (_, Some(length)) => Expects::Length(length),
            (_, None) => Expects::Close,
        })
    }
}

#[cfg(test)]
mod tests;
