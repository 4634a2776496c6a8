//! What an upstream's answer may look like on the wire, and which connections are used again: over TCP,
//! TLS and a unix socket, and where HTTP/2 was asked for and not found.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::certificates::Authority;
use crate::support::eventually;
use crate::support::gateway::{Answer, Gateway, file};
use crate::support::server::{Gate, Record, Seen, Server, Step, answer, bytes, socket};

#[derive(Clone, Copy, Debug)]
enum By {
    Tcp,
    Tls,
    Unix,
    /// TLS with a server that was asked for HTTP/2.
    FallenBack,
}

const ALL: [By; 4] = [By::Tcp, By::Tls, By::Unix, By::FallenBack];

/// A gateway before one server.
struct Pair {
    gateway: Gateway,
    record: Record,
    _server: Option<Server>,
    _folder: TempDir,
}

impl Pair {
    async fn start(by: By, reply: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut url, mut keys) = (String::new(), "");
        let (record, server) = match by {
            By::Tcp => {
                let server = Server::start("strict").await;
                url = server.url();
                (server.record(), Some(server))
            }
            By::Unix => {
                let path = socket(&folder);
                url = format!("unix:{}", path.display());
                (Server::unix("strict", &path).0, None)
            }
            By::Tls | By::FallenBack => {
                let authority = Authority::new();
                authority.write(&folder.path().join("ca.crt"));
                let server = Server::tls("strict", authority.server("localhost", None)).await;
                url.push_str(&format!("https://localhost:{}", server.address.port()));
                keys = match by {
                    By::FallenBack => "tls = { ca = \"ca.crt\" }\nhttp2 = true",
                    _ => "tls = { ca = \"ca.crt\" }",
                };
                (server.record(), Some(server))
            }
        };
        record.answers(Arc::new(reply));
        let gateway = Gateway::reading(&file(&[url], keys, ""), folder.path()).await;
        if matches!(by, By::FallenBack) {
            // The first answer is what tells that there is no HTTP/2.
            gateway.get("/first").await;
        }
        Self { gateway, record, _server: server, _folder: folder }
    }

    fn seen(&self, target: &str) -> Vec<Seen> {
        self.record.seen().into_iter().filter(|seen| seen.target() == target).collect()
    }

    async fn get(&self, target: &str) -> Answer {
        self.gateway.get(target).await
    }

    /// The next request is answered, on a connection of its own.
    async fn assert_next_is_alone(&self, after: &str) {
        assert_eq!(self.get("/next").await.text(), "fine", "{after}");
        let next = self.seen("/next").pop().unwrap();
        assert_eq!(next.nth, 1, "a connection of its own: {after}");
    }
}

/// Answers `/odd/N` with the text of that number, and everything else well.
fn odd(texts: &'static [&'static str]) -> impl Fn(&Seen) -> Vec<Step> {
    move |seen| match number(seen) {
        Some(number) => bytes(texts[number]),
        None => answer(200, "fine"),
    }
}

fn number(seen: &Seen) -> Option<usize> {
    seen.target().strip_prefix("/odd/")?.parse().ok()
}

const TWO_READINGS: &[&str] = &[
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 14\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 40\r\n\r\nfine",
    "HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\nfine",
    "HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nfine",
    "HTTP/1.1 200 OK\r\nContent-Length: 04\r\n\r\nfine",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nfine",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 40\r\nContent-Length: 4\r\n\r\nfine",
    "HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nfine",
    "HTTP/1.1 200 OK\nContent-Length: 4\n\nfine",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\nfine",
];

#[tokio::test]
async fn smg_09_a_head_with_two_readings_is_a_502_and_ends_its_connection() {
    for by in ALL {
        let pair = Pair::start(by, odd(TWO_READINGS)).await;
        for (number, head) in TWO_READINGS.iter().enumerate() {
            let target = format!("/odd/{number}");
            let refused = pair.get(&target).await;
            let code = (refused.status == 502).then(|| refused.code());
            assert_eq!(code.as_deref(), Some("upstream_error"), "{by:?} {head:?}: {refused:?}");
            assert_eq!(pair.seen(&target).len(), 1, "it is not asked again: {head:?}");
            pair.assert_next_is_alone(head).await;
        }
    }
}

const MALFORMED_CHUNKS: &[&str] = &[
    "four\r\nfine\r\n0\r\n\r\n",
    "4\nfine\r\n0\r\n\r\n",
    "4\r\nfine\n0\r\n\r\n",
    "4\r\nfineX\r\n0\r\n\r\n",
    "-4\r\nfine\r\n0\r\n\r\n",
    " 4\r\nfine\r\n0\r\n\r\n",
    "4 \r\nfine\r\n0\r\n\r\n",
    "0x4\r\nfine\r\n0\r\n\r\n",
    "4;a\nb\r\nfine\r\n0\r\n\r\n",
    "4\r\nfine\r\n\r\n\r\n",
    "4\r\nfine\r\n0\r\n\n",
    "4\r\nfine\r\n0\r\nno field\r\n\r\n",
];

#[tokio::test]
async fn smg_09_malformed_chunks_of_an_answer_break_it_off() {
    for by in ALL {
        let pair = Pair::start(by, |seen| match number(seen) {
            Some(number) => {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwell\r\n";
                let wait = vec![Step::Wait(Duration::from_millis(20))];
                [bytes(head), wait, bytes(MALFORMED_CHUNKS[number])].concat()
            }
            None => answer(200, "fine"),
        })
        .await;
        for (number, chunks) in MALFORMED_CHUNKS.iter().enumerate() {
            let broken = pair.get(&format!("/odd/{number}")).await;
            let is_refused = broken.status == 502 || broken.body.is_none();
            assert!(is_refused, "{by:?} {chunks:?}: {broken:?}");
            pair.assert_next_is_alone(chunks).await;
        }
    }
}

const FINE_AND_MORE: &[&str] = &[
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfineHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfineX",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\
             Content-Length: 6\r\n\r\nforged",
];
/// After statuses that have no body.
const NOTHING_AND_MORE: &[&str] = &[
    "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\nforged",
];

#[tokio::test]
async fn smg_09_what_comes_after_an_answer_is_nobodys() {
    for by in ALL {
        for (texts, body) in [(FINE_AND_MORE, "fine"), (NOTHING_AND_MORE, "")] {
            let pair = Pair::start(by, odd(texts)).await;
            for (number, text) in texts.iter().enumerate() {
                let answer = pair.get(&format!("/odd/{number}")).await;
                assert_eq!(answer.text(), body, "{by:?} {text:?}");
                pair.assert_next_is_alone(text).await;
            }
        }
        let with_body = &["HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"];
        let pair = Pair::start(by, odd(with_body)).await;
        assert_eq!(pair.gateway.ask(Method::HEAD, "/odd/0", &[]).await.text(), "");
        pair.assert_next_is_alone("HEAD").await;
    }
}

#[tokio::test]
async fn smg_09_what_comes_on_an_idle_connection_is_nobodys() {
    for by in ALL {
        let pair = Pair::start(by, |seen| match seen.target() {
            "/late" => {
                let late = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
                let wait = vec![Step::Wait(Duration::from_millis(50))];
                [answer(200, "fine"), wait, bytes(late)].concat()
            }
            _ => answer(200, "fine"),
        })
        .await;
        assert_eq!(pair.get("/late").await.text(), "fine");
        // Longer than the server takes, so that the bytes are there when the connection would be used.
        tokio::time::sleep(Duration::from_millis(200)).await;
        for _ in 0..3 {
            assert_eq!(pair.get("/next").await.text(), "fine", "{by:?}");
        }
    }
}

const ONE_READING: &[&str] = &[
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nfine",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1;a=b\r\nf\r\n003\r\nine\r\n0\r\nX-Sum: 1\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nfine",
];

#[tokio::test]
async fn smg_09_an_answer_in_one_reading_arrives_and_its_connection_is_used_again() {
    for by in ALL {
        let pair = Pair::start(by, |seen| match (number(seen), seen.method()) {
            (Some(number), "GET") => bytes(ONE_READING[number]),
            // Byte by byte, as a slow network brings it.
            (Some(number), _) => {
                let byte = |byte: &u8| [Step::Send(vec![*byte]), Step::Wait(Duration::ZERO)];
                ONE_READING[number].as_bytes().iter().flat_map(byte).collect()
            }
            (None, _) => answer(200, "fine"),
        })
        .await;
        for (number, text) in ONE_READING.iter().enumerate() {
            let target = format!("/odd/{number}");
            for method in [Method::GET, Method::POST, Method::GET] {
                let answer = pair.gateway.ask(method, &target, &[]).await;
                assert_eq!(answer.text(), "fine", "{by:?} {text:?}");
            }
        }
        let seen = pair.record.seen();
        let odd = seen.iter().filter(|seen| number(seen).is_some());
        let mut connections: Vec<_> = odd.map(|seen| seen.connection).collect();
        assert_eq!(connections.len(), 3 * ONE_READING.len(), "{by:?}");
        connections.dedup();
        assert_eq!(connections.len(), 1, "{by:?}: all on one: {connections:?}");
    }
}

/// RFC 9112, 9.3.1; over TLS without a word of it, as most servers do.
#[tokio::test]
async fn rel_05_a_get_on_a_connection_that_its_server_closed_meanwhile_is_sent_once_more() {
    for by in ALL {
        let pair = Pair::start(by, |seen| match (seen.target(), seen.nth) {
            ("/again", 2..) => vec![Step::Close],
            _ => answer(200, "fine"),
        })
        .await;
        pair.get("/before").await;
        assert_eq!(pair.get("/again").await.text(), "fine", "{by:?}");
        let nths: Vec<_> = pair.seen("/again").iter().map(|seen| seen.nth).collect();
        assert!(nths.len() == 2 && nths[0] > 1 && nths[1] == 1, "{by:?}: {nths:?}");
    }
}

#[tokio::test]
async fn an_answer_without_a_length_ends_with_its_connection() {
    for by in ALL {
        let pair = Pair::start(by, |seen| match seen.target() {
            "/odd/0" => [bytes("HTTP/1.1 200 OK\r\n\r\nfine"), vec![Step::Close]].concat(),
            _ => answer(200, "fine"),
        })
        .await;
        assert_eq!(pair.get("/odd/0").await.text(), "fine", "{by:?}");
        pair.assert_next_is_alone("an answer without a length").await;
    }
}

/// Answers what it can as soon as it has read the head, and reads the body afterwards.
async fn hasty(mut stream: TcpStream) -> Option<()> {
    let mut read = Vec::new();
    loop {
        let end = loop {
            match read.windows(4).position(|end| end == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None if stream.read_buf(&mut read).await.ok()? == 0 => return None,
                None => {}
            }
        };
        let is_post = read.starts_with(b"POST ");
        let text = if is_post { "early" } else { "fine" };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        stream.write_all(answer.as_bytes()).await.ok()?;
        let whole = end + if is_post { BODY.len() } else { 0 };
        while read.len() < whole {
            (stream.read_buf(&mut read).await.ok()? > 0).then_some(())?;
        }
        read.drain(..whole);
    }
}

/// As of a request whose answer has no body.
const BODY: &str = "HEAD /forged HTTP/1.1\r\n\r\n";

/// The rest of its body is no request, whatever it reads like.
#[tokio::test]
async fn smg_09_an_answer_that_comes_before_the_body_has_ended_spoils_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(hasty(stream));
        }
    });
    let gateway = Gateway::before(&[url], "").await;
    for _ in 0..5 {
        let mut wire = gateway.wire().await;
        let length = BODY.len();
        let head = format!("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        wire.send(&head).await;
        wire.until("early").await;
        wire.send(BODY).await;
        for _ in 0..3 {
            assert_eq!(gateway.get("/next").await.text(), "fine");
        }
    }
    serving.abort();
}

#[tokio::test]
async fn no_more_connections_are_kept_than_are_to_be() {
    let server = Server::start("kept").await;
    let gate = Gate::closed();
    let held = gate.clone();
    server.answers(move |seen| match seen.target() {
        "/hold" => [vec![Step::Await(held.clone())], answer(200, "fine")].concat(),
        _ => answer(200, "fine"),
    });
    let gateway = Gateway::before(&[server.url()], "keepalive = 1").await;
    let holding = join_all((0..3).map(|_| gateway.get("/hold")));
    let opening = async {
        eventually("three requests", async || server.seen().len() == 3).await;
        gate.open();
    };
    tokio::join!(holding, opening);
    let again = join_all((0..3).map(|_| gateway.get("/again"))).await;
    assert!(again.iter().all(|answer| answer.text() == "fine"));
    let used_again = server.seen().into_iter().filter(|seen| seen.target() == "/again");
    let kept: BTreeSet<_> =
        used_again.filter(|seen| seen.connection <= 3).map(|seen| seen.connection).collect();
    assert_eq!(kept.len(), 1, "one of the first three was kept: {kept:?}");
}

/// It is refused before a connection is taken: else whoever sends such requests empties the pool.
#[tokio::test]
async fn a_request_that_is_refused_costs_no_connection() {
    let server = Server::start("kept").await;
    server.answers(|_| answer(200, "fine"));
    let gateway = Gateway::before(&[server.url()], "").await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/a").await.text(), "fine");
        let mut wire = gateway.wire().await;
        wire.send("GET /b HTTP/1.1\r\nHost: a\r\nConnection: X-Forwarded-For\r\n\r\n").await;
        assert!(wire.until("}").await.starts_with("HTTP/1.1 400 "));
    }
    let seen = server.seen();
    assert!(seen.len() == 3 && seen.iter().all(|seen| seen.connection == 1), "{seen:?}");
}
