//! Tunnels over several replicas: they end where their session has ended, and only there.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::chaos::{Chaos, Fault};
use crate::redis_server::{PATIENCE, Server, eventually};
use crate::support::{House, Replica, on, on_within};
use crate::upstream::Reply;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Of a second, and what a busy machine takes.
const SOON: Duration = Duration::from_secs(3);

/// A WebSocket of this user, on which nothing is sent any more.
pub(crate) async fn silent(house: &House, replica: &Replica, token: &str) -> Socket {
    house.upstream.on("/api/socket", Reply::echo_messages());
    let mut request = format!("ws://{}/api/socket", replica.address).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let mut socket = connect_async(request).await.unwrap().0;
    assert_echoes(&mut socket).await;
    socket
}

pub(crate) async fn assert_echoes(socket: &mut Socket) {
    let hello = Message::text("hello");
    socket.send(hello.clone()).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), hello);
}

pub(crate) async fn ends(socket: &mut Socket) -> Duration {
    let begun = Instant::now();
    let end = timeout(PATIENCE, socket.next()).await.expect("it ends");
    assert!(matches!(end, None | Some(Err(_))), "{end:?}");
    begun.elapsed()
}

#[tokio::test]
async fn a_silent_tunnel_ends_within_a_second_of_a_logout_on_another_replica() {
    let (house, server) = (House::open().await, Server::start().await);
    let one = house.replica(on(&server.url())).await;
    let other = house.replica(on(&server.url())).await;
    let (alice, bob) = (one.log_in(&house, "alice").await, one.log_in(&house, "bob").await);
    let mut ending = silent(&house, &other, &alice).await;
    let mut staying = silent(&house, &other, &bob).await;
    one.log_out(&alice).await;
    assert!(ends(&mut ending).await < SOON);
    assert_echoes(&mut staying).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_redis_ends_no_tunnel_and_a_logout_in_it_ends_one_after_it() {
    let (house, server) = (House::open().await, Server::start().await);
    let chaos = Chaos::start(server.address()).await;
    let one = house.replica(on(&server.url())).await;
    let cut_off = house.replica(on_within(&format!("redis://{}", chaos.address()), "1s")).await;
    let (alice, bob) = (one.log_in(&house, "alice").await, one.log_in(&house, "bob").await);
    let mut ending = silent(&house, &cut_off, &alice).await;
    let mut staying = silent(&house, &cut_off, &bob).await;
    for fault in [Fault::Cut, Fault::Stall] {
        chaos.set(fault);
        eventually("the store is away", PATIENCE, async || cut_off.status(&alice).await == 503)
            .await;
        // Longer than it takes to ask for the session a few times.
        tokio::time::sleep(SOON).await;
        assert_echoes(&mut ending).await;
        assert_echoes(&mut staying).await;
        chaos.set(Fault::None);
        cut_off.knows_its_store().await;
        assert_echoes(&mut ending).await;
    }
    chaos.set(Fault::Stall);
    eventually("the store is away", PATIENCE, async || cut_off.status(&alice).await == 503).await;
    one.log_out(&alice).await;
    assert_echoes(&mut ending).await;
    chaos.set(Fault::None);
    ends(&mut ending).await;
    assert_echoes(&mut staying).await;
}
