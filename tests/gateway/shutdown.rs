//! The end of one gateway while others go on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

use crate::raw::Wire;
use crate::support::config::Config;
use crate::support::metrics::Scrape;
use crate::support::process::Process;
use crate::support::request::client;
use crate::support::{eventually, timed};
use crate::upstream::{Gate, Reply, Upstream};

/// As much as one stream of HTTP/2 may send before its client has taken any of it.
const LARGE: usize = 65_535;
/// So many of them are more than the buffers of the kernel hold.
const ANSWERS: u32 = 16;

async fn process(upstream: &Upstream, lame_duck: &str) -> Process {
    let server = format!("listen = [\"127.0.0.1:0\"]\nlame_duck = \"{lame_duck}\"");
    let config = Config::default().table("server", &server);
    let config = config.variable("WECHAT", "http://127.0.0.1:1");
    Process::start(&config.variable("UPSTREAM", upstream.url())).await
}

async fn is_ready(process: &Process) -> bool {
    Wire::ask(process.admin, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").await.status == 200
}

/// As a Service of Kubernetes does it: clients turn to whoever is ready, which they learn a little late.
#[tokio::test]
async fn rel_06_sigterm_under_load_fails_no_request_where_another_takes_over() {
    let upstream = Upstream::start().await;
    let mut first = process(&upstream, "2s").await;
    let second = process(&upstream, "2s").await;
    let addresses = [first.address, second.address];
    // Which of them gets requests; both at first.
    let (turn, only_second) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let stop = Arc::<AtomicBool>::default();
    let clients = (0..8).map(|number| {
        // One connection for each request, one for many, and HTTP/2.
        let http = client(number % 3 == 0);
        let (turn, only_second, stop) = (turn.clone(), only_second.clone(), stop.clone());
        tokio::spawn(async move {
            let mut outcomes = BTreeMap::<String, usize>::new();
            while !stop.load(Ordering::Relaxed) {
                let all = turn.fetch_add(1, Ordering::Relaxed) % 2;
                let to = if only_second.load(Ordering::Relaxed) { 1 } else { all };
                let request = http.get(format!("http://{}/public/x", addresses[to]));
                let request =
                    if number % 3 == 1 { request.header("connection", "close") } else { request };
                let outcome = match request.send().await {
                    Ok(answer) => answer.status().as_u16().to_string(),
                    Err(error) => format!("{to}: {error:?}"),
                };
                *outcomes.entry(outcome).or_default() += 1;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            outcomes
        })
    });
    let clients: Vec<_> = clients.collect();
    upstream.until(|seen| seen.len() > 200).await;
    first.signal("TERM");
    eventually("the first is not ready", async || !is_ready(&first).await).await;
    // Between the word and the deed there is time in a cluster; the lame-duck time covers it.
    let told = upstream.requests().len();
    upstream.until(|seen| seen.len() > told + 100).await;
    only_second.store(true, Ordering::Relaxed);
    let (status, took) = timed(first.ended()).await;
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(20), "it ends as soon as it is idle: {took:?}");
    let told = upstream.requests().len();
    upstream.until(|seen| seen.len() > told + 100).await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        let outcomes = client.await.unwrap();
        assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["200"], "{outcomes:?}");
    }
    assert!(is_ready(&second).await);
}

#[tokio::test]
async fn rel_06_http2_connections_are_sent_away_when_stopping_begins_and_end_what_they_began() {
    let (upstream, gate) = (Upstream::start().await, Gate::closed());
    let mut process = process(&upstream, "60s").await;
    upstream.on("/public/slow", Reply::ok("at last").once(&gate));
    let (mut requests, connection) = connect(&process).await;
    let gone = tokio::spawn(connection);
    let slow = http::Request::get("http://a/public/slow").body(()).unwrap();
    let (slow, _) = requests.send_request(slow, true).unwrap();
    upstream.until(|seen| seen.iter().any(|it| it.target() == "/public/slow")).await;
    process.signal("TERM");
    eventually("the connection takes no more requests", async || {
        requests.clone().ready().await.is_err()
    })
    .await;
    assert!(process.is_running());
    // A new one is served all the same, as long as the gateway accepts.
    let answer = client(true).get(format!("http://{}/public/x", process.address)).send().await;
    assert_eq!(answer.unwrap().status(), 200);
    gate.open();
    assert_eq!(slow.await.unwrap().status(), 200);
    gone.await.unwrap().unwrap();
}

#[tokio::test]
async fn rel_06_an_idle_http2_connection_does_not_hold_the_process_up() {
    let upstream = Upstream::start().await;
    let mut process = process(&upstream, "0s").await;
    let (mut requests, connection) = connect(&process).await;
    let gone = tokio::spawn(connection);
    let request = http::Request::get("http://a/public/x").body(()).unwrap();
    let (answer, _) = requests.send_request(request, true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    process.signal("TERM");
    let (status, took) = timed(process.ended()).await;
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop(requests);
    let _ = gone.await.unwrap();
}

/// A connection of HTTP/2 is no request under way: nobody waits for a client that is gone without a word.
#[tokio::test]
async fn rel_06_an_http2_client_that_is_gone_does_not_hold_the_process_up() {
    let upstream = Upstream::start().await;
    let mut process = process(&upstream, "0s").await;
    let (mut requests, mut gone) = connect(&process).await;
    let request = http::Request::get("http://a/public/x").body(()).unwrap();
    let (answer, _) = requests.send_request(request, true).unwrap();
    tokio::select! {
        answer = answer => assert_eq!(answer.unwrap().status(), 200),
        ended = &mut gone => panic!("{ended:?}"),
    }
    none_under_way(&process).await;
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(0));
    assert!(!process.log().contains("cut off"), "{}", process.log());
}

async fn none_under_way(process: &Process) {
    eventually("no request is under way", async || {
        Scrape::of(process.admin).await.get("wxgate_requests_in_flight") == 0.0
    })
    .await;
}

#[tokio::test]
async fn rel_06_what_http2_has_still_to_send_is_sent_before_the_process_ends() {
    let upstream = Upstream::start().await;
    upstream.on("/public/large", Reply::ok(&"x".repeat(LARGE)));
    let mut process = process(&upstream, "0s").await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let stream = socket.connect(process.address).await.unwrap();
    let mut client = h2::client::Builder::new();
    client.initial_connection_window_size(ANSWERS * LARGE as u32);
    let (mut requests, mut connection) = client.handshake::<_, bytes::Bytes>(stream).await.unwrap();
    let mut ask = || {
        let request = http::Request::get("http://a/public/large").body(()).unwrap();
        requests.send_request(request, true).unwrap().0
    };
    let first = ask();
    let others: Vec<_> = (1..ANSWERS).map(|_| ask()).collect();
    drop(requests);
    tokio::select! {
        answer = first => {
            // The requests have ended; their answers stand in buffers, since nobody takes them.
            none_under_way(&process).await;
            process.signal("TERM");
            let gone = tokio::spawn(connection);
            whole(answer.unwrap()).await;
            for other in others {
                whole(other.await.unwrap()).await;
            }
            gone.await.unwrap().unwrap();
        }
        ended = &mut connection => panic!("{ended:?}"),
    }
    assert_eq!(process.ended().await.code(), Some(0));
}

async fn whole(answer: http::Response<h2::RecvStream>) {
    assert_eq!(answer.status(), 200);
    let (mut body, mut length) = (answer.into_body(), 0);
    while let Some(data) = body.data().await {
        let data = data.expect("the whole answer");
        length += data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    assert_eq!(length, LARGE);
}

type Http2 =
    (h2::client::SendRequest<bytes::Bytes>, h2::client::Connection<TcpStream, bytes::Bytes>);

async fn connect(process: &Process) -> Http2 {
    let stream = TcpStream::connect(process.address).await.unwrap();
    h2::client::handshake(stream).await.unwrap()
}
