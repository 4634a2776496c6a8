//! A client that writes bytes as they are given, and reads whole HTTP/1 answers.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing in a test waits longer than this for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a connection goes over: TCP, TLS, a unix socket.
pub(crate) trait Carrier: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> Carrier for T {}

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Box<dyn Carrier>,
    /// What was read beyond the last answer.
    read: Vec<u8>,
}

/// An HTTP/1 answer, as far as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether all of the body came that the head had promised.
    pub(crate) whole: bool,
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the gateway accepts");
        stream.set_nodelay(true).expect("a socket of this machine");
        Self::over(stream)
    }

    pub(crate) fn over(stream: impl Carrier + 'static) -> Self {
        Self { stream: Box::new(stream), read: Vec::new() }
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
        let mut wire = Self::connect(address).await;
        wire.send(request).await;
        wire.answer().await
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the gateway reads");
    }

    /// The same where the gateway may close before it has read all of it.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        self.next_answer(false).await.expect("an answer")
    }

    /// The next answer to a HEAD request, which has no body.
    pub(crate) async fn answer_to_head(&mut self) -> Answer {
        self.next_answer(true).await.expect("an answer")
    }

    /// The next answer; none where the connection ends before its head is whole.
    pub(crate) async fn next_answer(&mut self, no_body: bool) -> Option<Answer> {
        let end = loop {
            if let Some(at) = position(&self.read, b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill().await {
                return None;
            }
        };
        let head: Vec<u8> = self.read.drain(..end).collect();
        let head = String::from_utf8(head).expect("a head in ASCII");
        let mut lines = head.trim_end().split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("a status line, not {status_line:?}"));
        let headers = lines.map(|line| line.split_once(':').expect("a header line"));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        let mut answer =
            Answer { status, headers: headers.collect(), body: Vec::new(), whole: true };
        if !no_body && status >= 200 && status != 204 && status != 304 {
            (answer.body, answer.whole) = self.body(&answer).await;
        }
        Some(answer)
    }

    async fn body(&mut self, answer: &Answer) -> (Vec<u8>, bool) {
        if answer.header("transfer-encoding") == Some("chunked") {
            let mut body = Vec::new();
            while let Some(chunk) = self.chunk().await {
                if chunk.is_empty() {
                    return (body, true);
                }
                body.extend(chunk);
            }
            return (body, false);
        }
        let Some(length) = answer.header("content-length") else {
            while self.fill().await {}
            return (std::mem::take(&mut self.read), true);
        };
        let length: usize = length.parse().expect("a length");
        while self.read.len() < length {
            if !self.fill().await {
                return (std::mem::take(&mut self.read), false);
            }
        }
        (self.read.drain(..length).collect(), true)
    }

    /// The next chunk of a chunked body; an empty one is the last; none where the connection ends.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = self.line().await?;
        let size = usize::from_str_radix(&size, 16).expect("the size of a chunk");
        while self.read.len() < size + 2 {
            if !self.fill().await {
                return None;
            }
        }
        let chunk = self.read.drain(..size).collect();
        self.read.drain(..2);
        Some(chunk)
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = position(&self.read, b"\r\n") {
                let line: Vec<u8> = self.read.drain(..at + 2).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// Bytes as they come, so many of them.
    pub(crate) async fn bytes(&mut self, length: usize) -> Vec<u8> {
        while self.read.len() < length {
            assert!(self.fill().await, "the connection ended early: {:?}", self.read);
        }
        self.read.drain(..length).collect()
    }

    /// Everything until the gateway ends the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.read)
    }

    /// Whether the gateway ends the connection without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.fill().await
    }

    /// Ends the connection as a client does that goes away.
    pub(crate) fn hang_up(self) {}

    /// Reads once; false at the end of the connection.
    async fn fill(&mut self) -> bool {
        let mut buffer = vec![0; 16 << 10];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
        match read.expect("the gateway neither answers nor closes") {
            Ok(0) | Err(_) => false,
            Ok(length) => {
                self.read.extend_from_slice(&buffer[..length]);
                true
            }
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The stable code of a problem document.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_else(|| panic!("no code in {self:?}")).to_owned()
    }
}

/// Where `needle` begins.
pub(crate) fn position(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
