//! The head of an answer: its status, its fields, and what they say of its end.

use bytes::Bytes;
use http::{HeaderValue, Version};
use memchr::memchr;
use pingora_http::ResponseHeader;

use super::answers::{Expects, Malformed};
use crate::listen::{Chunks, check_field, has_control};
use crate::policy::guard::{is_chunked, is_length};

/// What the gateway adds to an answer, in most cases: maps of headers that grow cost as much as three
/// inserts.
const ADDED_FIELDS: usize = 6;

/// A head that is whole.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) fields: ResponseHeader,
    status: Status,
    length: Option<u64>,
    chunked: bool,
    /// What it says of the connection.
    persistence: Option<Persistence>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Persistence {
    Close,
    KeepAlive,
}

/// The first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    code: u16,
    http11: bool,
}

impl Status {
    /// RFC 9112, 4; servers leave the space before an empty reason away.
    pub(super) fn parse(line: &[u8]) -> Result<Self, Malformed> {
        let bad = Malformed("a status line that is none");
        let http11 = match line.get(..9) {
            Some(b"HTTP/1.1 ") => true,
            Some(b"HTTP/1.0 ") => false,
            _ => return Err(bad),
        };
        let code = line.get(9..12).filter(|code| code.iter().all(u8::is_ascii_digit));
        let code = code.and_then(|code| str::from_utf8(code).ok()?.parse().ok());
        let code = code.filter(|code| (100..1000).contains(code)).ok_or(bad)?;
        let reason = reason(line);
        match (reason.first(), has_control(reason)) {
            (None | Some(b' '), false) => Ok(Self { code, http11 }),
            _ => Err(bad),
        }
    }
}

fn reason(status_line: &[u8]) -> &[u8] {
    status_line.get(12..).unwrap_or_default()
}

impl Head {
    /// Reads a head of so many lines, each of which ends in CRLF.
    pub(super) fn parse(bytes: &Bytes, lines: usize) -> Result<Self, Malformed> {
        let mut rest: &[u8] = bytes;
        let first = next_line(&mut rest);
        let status = Status::parse(first)?;
        let fields = ResponseHeader::build(status.code, Some(lines + ADDED_FIELDS));
        let mut fields = fields.map_err(|_| Malformed("a status line that is none"))?;
        fields.set_version(if status.http11 { Version::HTTP_11 } else { Version::HTTP_10 });
        let reason = str::from_utf8(reason(first)).ok().map(str::trim);
        let reason = reason.filter(|reason| !reason.is_empty());
        // It is text without controls.
        let _ = fields.set_reason_phrase(reason);
        let mut head = Self { fields, status, length: None, chunked: false, persistence: None };
        loop {
            let line = next_line(&mut rest);
            if line.is_empty() {
                return Ok(head);
            }
            let (name, value) = check_field(line).map_err(Malformed)?;
            head.heed(name, value)?;
            let bad = Malformed("a header line that is none");
            let value = HeaderValue::from_maybe_shared(bytes.slice_ref(value)).map_err(|_| bad)?;
            // The name as the server writes it: pages look answers' headers up by its case.
            head.fields.append_header(bytes.slice_ref(name), value).map_err(|_| bad)?;
        }
    }

    /// Notes what a field says of the end of the answer, and of the connection.
    fn heed(&mut self, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
        // By the length first: most fields are none of these.
        match name.len() {
            10 if name.eq_ignore_ascii_case(b"connection") => self.heed_connection(value),
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
                if self.chunked || !is_chunked(value) || !self.status.http11 {
                    let why = "a Transfer-Encoding other than one `chunked` over HTTP/1.1";
                    return Err(Malformed(why));
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// RFC 9112, 9.3: `close` counts, whatever else is said.
    fn heed_connection(&mut self, value: &[u8]) {
        for token in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if token.eq_ignore_ascii_case(b"close") {
                self.persistence = Some(Persistence::Close);
            } else if token.eq_ignore_ascii_case(b"keep-alive") {
                self.persistence.get_or_insert(Persistence::KeepAlive);
            }
        }
    }

    /// Whether the server says that no other answer comes on this connection.
    pub(super) fn is_last(&self) -> bool {
        match self.persistence {
            Some(persistence) => persistence == Persistence::Close,
            None => !self.status.http11,
        }
    }

    /// What comes after the head.
    pub(super) fn framing(&self, is_to_head: bool) -> Result<Expects, Malformed> {
        if self.chunked && self.length.is_some() {
            return Err(Malformed("both Content-Length and Transfer-Encoding"));
        }
        let is_informational = self.status.code < 200;
        let says_body = self.chunked || self.length.is_some_and(|length| length > 0);
        if says_body && (is_informational || self.status.code == 204) {
            return Err(Malformed("a body after a status that has none"));
        }
        Ok(match (self.status.code, self.length) {
            (101, _) if !self.status.http11 => {
                return Err(Malformed("a switch of protocols over HTTP/1.0"));
            }
            (101, _) => Expects::Tunnel,
            (100..200, _) => Expects::Head,
            (204 | 304, _) | (_, Some(0)) => Expects::Nothing,
            _ if is_to_head => Expects::Nothing,
            _ if self.chunked => Expects::Chunks(Chunks::default()),
            (_, Some(length)) => Expects::Length(length),
            (_, None) => Expects::Close,
        })
    }
}

/// The next line without its end; an empty one where there is none.
fn next_line<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let Some(end) = memchr(b'\n', rest) else { return &[] };
    let (line, after) = rest.split_at(end);
    *rest = after.get(1..).unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}
