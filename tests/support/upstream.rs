//! A service behind the gateway that records every request exactly as it came, and answers what a
//! test tells it to: well or badly.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::raw::{PATIENCE, position};

/// The service while it runs; it ends, with its connections, when this is dropped.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    seen: watch::Sender<Vec<Seen>>,
    connections: AtomicUsize,
    replies: Mutex<HashMap<String, Reply>>,
}

/// One request as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The connection that it came on, counted from 1.
    pub(crate) connection: usize,
    /// The head as it stood on the wire.
    pub(crate) head: String,
    /// The body so far, without the framing of chunks.
    pub(crate) body: Vec<u8>,
    /// Everything after the head, with the framing.
    pub(crate) wire: Vec<u8>,
    /// Whether the body has ended.
    pub(crate) whole: bool,
}

/// What is answered, step by step.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    steps: Vec<Step>,
    /// Whether the body of the request is read first.
    after_body: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Wait(Gate),
    /// No answer, for as long as the gateway waits.
    Hang,
    Close,
    Reset,
    /// A WebSocket that sends back what it gets.
    EchoMessages,
}

/// Something that a test lets happen.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    async fn wait(&self) {
        // The sender is held here, so that it cannot be gone.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

impl Reply {
    /// 200 with this text.
    pub(crate) fn ok(text: &str) -> Self {
        Self::with_head("HTTP/1.1 200 OK\r\n", text)
    }

    /// This head, closed by the length of the text, and the text.
    pub(crate) fn with_head(head: &str, text: &str) -> Self {
        Self::bytes(format!("{head}Content-Length: {}\r\n\r\n{text}", text.len()))
    }

    /// These bytes and no others.
    pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self { steps: vec![Step::Send(bytes.into())], after_body: true }
    }

    /// Nothing at all, and the connection stays open.
    pub(crate) fn silence() -> Self {
        Self { steps: vec![Step::Hang], after_body: true }
    }

    /// Nothing at all, and the connection is closed.
    pub(crate) fn hang_up() -> Self {
        Self { steps: vec![Step::Close], after_body: true }
    }

    /// Nothing at all, and the connection is reset.
    pub(crate) fn reset() -> Self {
        Self { steps: vec![Step::Reset], after_body: true }
    }

    /// A WebSocket that sends back what it gets.
    pub(crate) fn echo_messages() -> Self {
        Self { steps: vec![Step::EchoMessages], after_body: false }
    }

    /// Everything so far comes before the gate, everything else once it is open.
    pub(crate) fn then_wait_for(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Wait(gate.clone()));
        self
    }

    /// The gate first.
    pub(crate) fn once(mut self, gate: &Gate) -> Self {
        self.steps.insert(0, Step::Wait(gate.clone()));
        self
    }

    pub(crate) fn then(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.steps.push(Step::Send(bytes.into()));
        self
    }

    pub(crate) fn then_close(mut self) -> Self {
        self.steps.push(Step::Close);
        self
    }

    pub(crate) fn then_reset(mut self) -> Self {
        self.steps.push(Step::Reset);
        self
    }

    pub(crate) fn then_hang(mut self) -> Self {
        self.steps.push(Step::Hang);
        self
    }

    /// The answer does not wait for the body of the request.
    pub(crate) fn before_the_body(mut self) -> Self {
        self.after_body = false;
        self
    }
}

impl Seen {
    pub(crate) fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    /// The request target, byte for byte.
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// The header lines, with their names as they came.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.head.trim_end().split("\r\n").skip(1);
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
    }

    /// The values of a header by a name in lower case.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.lines().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        lines.map(|(_, value)| value).collect()
    }

    /// The value of a header that comes at most once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} came more than once:\n{}", self.head);
        all.first().copied()
    }

    /// The values of every header that a server might read as this one: any case, `_` or `.` for `-`.
    pub(crate) fn read_as(&self, name: &str) -> Vec<&str> {
        let folded = |text: &str| text.to_ascii_lowercase().replace(['_', '.'], "-");
        let lines = self.lines().filter(|(known, _)| folded(known) == folded(name));
        lines.map(|(_, value)| value).collect()
    }

    /// Whether a text is anywhere in the request.
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.head.contains(text) || position(&self.wire, text.as_bytes()).is_some()
    }
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::<Shared>::default();
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Self { address, shared, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What is answered to requests with this path, from now on.
    pub(crate) fn on(&self, path: &str, reply: Reply) {
        self.shared.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// The requests so far, in the order in which their heads came.
    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.shared.seen.borrow().clone()
    }

    /// The only request.
    pub(crate) fn only(&self) -> Seen {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "one request was expected: {requests:#?}");
        requests.into_iter().next().unwrap()
    }

    /// The last request.
    pub(crate) fn last(&self) -> Seen {
        self.requests().pop().expect("no request came")
    }

    /// How many connections were opened to it.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Waits until the requests are as the test wants them.
    pub(crate) async fn until(&self, fits: impl FnMut(&Vec<Seen>) -> bool) {
        let mut seen = self.shared.seen.subscribe();
        let waited = timeout(PATIENCE, seen.wait_for(fits)).await;
        if waited.is_err() {
            panic!("the requests never became what was expected: {:#?}", self.requests());
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let connection = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
        connections.spawn(serve(stream, connection, shared.clone()));
    }
}

async fn serve(mut stream: TcpStream, connection: usize, shared: Arc<Shared>) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            match position(&buffer, b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => fill(&mut stream, &mut buffer).await?,
            }
        };
        let head = String::from_utf8_lossy(&buffer.drain(..end).collect::<Vec<_>>()).into_owned();
        let seen = Seen { connection, head, ..Seen::default() };
        let path = seen.target().split('?').next().unwrap_or_default().to_owned();
        let mut place = 0;
        shared.seen.send_modify(|all| {
            place = all.len();
            all.push(seen.clone());
        });
        let reply = shared.replies.lock().unwrap().get(&path).cloned();
        let reply = reply.unwrap_or_else(|| Reply::ok("hello from the upstream"));
        if reply.after_body {
            read_body(&mut stream, &mut buffer, &seen, place, &shared).await?;
        }
        for step in reply.steps {
            match step {
                Step::Send(bytes) => stream.write_all(&bytes).await.ok()?,
                Step::Wait(gate) => gate.wait().await,
                Step::Hang => std::future::pending().await,
                Step::Close => return None,
                Step::Reset => {
                    // Closing with nothing to linger for is a reset.
                    #[allow(deprecated, reason = "zero seconds do not block")]
                    stream.set_linger(Some(std::time::Duration::ZERO)).ok()?;
                    return None;
                }
                Step::EchoMessages => return echo_messages(stream, &seen).await,
            }
        }
        if !reply.after_body {
            read_body(&mut stream, &mut buffer, &seen, place, &shared).await?;
        }
    }
}

/// Reads the body, and lets the test see it grow.
async fn read_body(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    seen: &Seen,
    place: usize,
    shared: &Shared,
) -> Option<()> {
    let grow = |wire: &[u8], data: &[u8], whole: bool| {
        shared.seen.send_modify(|all| {
            all[place].wire.extend_from_slice(wire);
            all[place].body.extend_from_slice(data);
            all[place].whole = whole;
        });
    };
    if seen.header("transfer-encoding").is_some() {
        loop {
            let line = read_until(stream, buffer, b"\r\n").await?;
            let text = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(text.trim().split(';').next()?, 16).ok()?;
            if size == 0 {
                let mut trailers = line;
                while !trailers.ends_with(b"\r\n\r\n") {
                    trailers.extend(read_until(stream, buffer, b"\r\n").await?);
                }
                grow(&trailers, b"", true);
                return Some(());
            }
            while buffer.len() < size + 2 {
                fill(stream, buffer).await?;
            }
            let data: Vec<u8> = buffer.drain(..size).collect();
            let end: Vec<u8> = buffer.drain(..2).collect();
            grow(&[line, data.clone(), end].concat(), &data, false);
        }
    }
    let mut left: usize = seen.header("content-length").unwrap_or("0").parse().ok()?;
    while left > 0 {
        if buffer.is_empty() {
            fill(stream, buffer).await?;
        }
        let data: Vec<u8> = buffer.drain(..left.min(buffer.len())).collect();
        left -= data.len();
        grow(&data, &data, false);
    }
    grow(b"", b"", true);
    Some(())
}

async fn read_until(stream: &mut TcpStream, buffer: &mut Vec<u8>, end: &[u8]) -> Option<Vec<u8>> {
    loop {
        match position(buffer, end) {
            Some(at) => return Some(buffer.drain(..at + end.len()).collect()),
            None => fill(stream, buffer).await?,
        }
    }
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let length = stream.read_buf(buffer).await.ok()?;
    (length > 0).then_some(())
}

async fn echo_messages(mut stream: TcpStream, seen: &Seen) -> Option<()> {
    let accept = derive_accept_key(seen.header("sec-websocket-key")?.as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() || message.is_binary() {
            socket.send(message).await.ok()?;
        }
    }
    Some(())
}
