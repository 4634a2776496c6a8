//! One connection of HTTP/1.1 with at most one request under way.

use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

use mio::net::TcpStream;

/// Longer heads are no answer of ours.
const BUFFER: usize = 16 << 10;

pub struct Connection {
    stream: TcpStream,
    /// What is there of the answer, up to the end of its head.
    head: Vec<u8>,
    /// How much of the body is still to come, once the head was read.
    body_left: Option<usize>,
    status_ok: bool,
    /// Since when the request under way is waited for.
    since: Option<Instant>,
}

/// An answer that is complete.
pub struct Answer {
    pub ok: bool,
    pub since: Instant,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, head: Vec::new(), body_left: None, status_ok: false, since: None }
    }

    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub fn send(&mut self, request: &[u8], since: Instant) -> Result<(), String> {
        self.since = Some(since);
        match self.stream.write(request) {
            Ok(written) if written == request.len() => Ok(()),
            // Nothing else is under way, so its buffer is empty.
            Ok(_) => Err("a request did not fit into the buffer of its socket".into()),
            Err(error) => Err(format!("while sending: {error}")),
        }
    }

    /// Reads what there is. The answer, once it is complete.
    pub fn receive(&mut self) -> Result<Option<Answer>, String> {
        let mut buffer = [0; BUFFER];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(length) => {
                    self.take(&buffer[..length])?;
                    // A short read has emptied the socket; more will be told.
                    if length < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("while reading: {error}")),
            }
        }
        if self.body_left != Some(0) {
            return Ok(None);
        }
        self.body_left = None;
        let since = self.since.take().ok_or("an answer that nothing was asked for")?;
        Ok(Some(Answer { ok: self.status_ok, since }))
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        if let Some(left) = &mut self.body_left {
            *left = left.checked_sub(bytes.len()).ok_or("more than the answer")?;
            return Ok(());
        }
        self.head.extend_from_slice(bytes);
        let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n") else {
            return if self.head.len() < BUFFER {
                Ok(())
            } else {
                Err("a head without end".into())
            };
        };
        let head = String::from_utf8_lossy(&self.head[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length
            .and_then(|length| length.trim().parse().ok())
            .ok_or_else(|| format!("no length: {head}"))?;
        self.status_ok = head.starts_with("http/1.1 200");
        let there = self.head.len() - end - 4;
        self.body_left = Some(length.checked_sub(there).ok_or("more than the answer")?);
        self.head.clear();
        Ok(())
    }
}
