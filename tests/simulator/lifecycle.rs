//! Starting and stopping.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use wxgate::clock::Clock;
use wxgate::simulator::{Effect, Fault, Garble, Options, Simulator, World, router};

use crate::support::{Wechat, client};

#[tokio::test]
async fn it_stops_when_it_is_dropped() {
    let wechat = Wechat::start().await;
    let address = wechat.simulator.address();
    assert_eq!(wechat.simulator.base_url(), format!("http://{address}"));
    assert_eq!(wechat.stable_token(false).await.errcode(), 0);
    drop(wechat);
    let refused = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(10), refused).await.unwrap();
}

#[tokio::test]
async fn an_answer_without_an_end_ends_with_it() {
    let wechat = Wechat::start().await;
    let endless = Fault::new(None, Effect::Garble(Garble::Endless));
    wechat.world().add_fault(endless).unwrap();
    let mut response = wechat.client.get(wechat.url("/cgi-bin/token", &[])).send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), " ");
    drop(wechat);
    let ended = async { while let Ok(Some(_)) = response.chunk().await {} };
    tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let wechat = Wechat::start().await;
    let again = Simulator::start(wechat.simulator.address(), Options::default()).await;
    assert_eq!(again.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn the_system_clock_is_not_moved() {
    let options = Options { clock: Clock::system(), apps: Vec::new() };
    let world = World::new(options);
    assert!(world.advance(Duration::from_secs(1)).is_err());
}

#[tokio::test]
async fn the_router_serves_on_other_sockets() {
    let world = Arc::new(World::new(Options::default()));
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router(world)).await });
    let code = client().get(format!("http://{address}/simulator/code")).send().await.unwrap();
    assert_eq!(code.text().await.unwrap().len(), 32);
}
