//! Answers that are whole before their requests are.

use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::PATIENCE;
use crate::support::gateway::{Gateway, file};
use crate::support::http2::Http2Server;

const LONG: usize = 1 << 20;

/// A server that answers each head and takes nothing after it, and closes where it is to.
async fn curt(closes: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = Vec::new();
            while !read.windows(4).any(|end| end == b"\r\n\r\n") {
                stream.read_buf(&mut read).await.unwrap();
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly").await.unwrap();
            if !closes {
                kept.push(stream);
            }
        }
    });
    address
}

async fn gateway(url: String) -> Gateway {
    let text = file(&[url], "timeout = \"300ms\"", "[limits]\nbody_idle = \"300ms\"");
    Gateway::reading(&text, Path::new("")).await
}

/// A stream of HTTP/2 has no timer of its own: whoever opens many of them would hold as many of the server's
/// connections.
#[tokio::test]
async fn dos_02_an_answered_request_whose_body_never_ends_is_ended() {
    let http2 = Http2Server::start(None).await;
    for url in [format!("http://{}", curt(false).await), format!("h2c://{}", http2.address)] {
        let gateway = gateway(url.clone()).await;
        let stream = TcpStream::connect(gateway.address).await.unwrap();
        let (mut client, driving) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(driving);
        let request = http::Request::post("http://a/early").body(()).unwrap();
        let (answer, mut body): (_, h2::SendStream<bytes::Bytes>) =
            client.send_request(request, false).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200, "{url}");
        let mut answer = answer.into_body();
        while let Some(data) = answer.data().await {
            data.expect("a whole answer");
        }
        let reset = std::future::poll_fn(|cx| body.poll_reset(cx));
        let reset = timeout(PATIENCE, reset).await.expect("it ends").unwrap();
        // The answer was whole, and the rest of the body is not wanted (RFC 9113, 8.1).
        assert_eq!(reset, h2::Reason::NO_ERROR, "{url}");
    }
}

/// As of a server that has had enough of an upload: a reset would overtake its answer.
#[tokio::test]
async fn whoever_is_still_sending_gets_the_answer_of_a_server_that_takes_no_more() {
    let gateway = gateway(format!("http://{}", curt(true).await)).await;
    for framing in [format!("Content-Length: {LONG}"), "Transfer-Encoding: chunked".to_owned()] {
        let mut client = TcpStream::connect(gateway.address).await.unwrap();
        let head = format!("POST /early HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
        let is_chunked = framing.starts_with('T');
        let body = if is_chunked { chunk(LONG) } else { vec![b'x'; LONG] };
        client.write_all(&[head.as_bytes(), &body].concat()).await.expect(&framing);
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, client.read_to_end(&mut answer)).await;
        read.expect("an end").expect(&framing);
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("early"), "{answer}");
    }
}

fn chunk(length: usize) -> Vec<u8> {
    [format!("{length:x}\r\n").into_bytes(), vec![b'x'; length], b"\r\n0\r\n\r\n".to_vec()].concat()
}
