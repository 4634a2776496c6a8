//! One access_token for all replicas, and one refresh of it (REL-03).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use wxgate::simulator::{Effect, Fault};

use crate::redis_server::Server;
use crate::support::wechat::APPID;
use crate::support::{House, Replica, User, eventually, on};

const REPLICAS: usize = 5;
const STABLE_TOKEN: &str = "/cgi-bin/stable_token";
const LIFETIME: Duration = Duration::from_secs(7200);

async fn phone(house: &House, replica: &Replica, user: &User) -> u16 {
    let before = house.clock.now();
    let code = house.wechat.world().phone_code(APPID, &user.name).unwrap();
    let request = replica.post("/phone").json(&json!({ "code": code }));
    let answer = request.token(&user.token).await;
    // A code lives five minutes: one that the clock jumped over is another matter.
    let jumped = house.clock.now() > before + 10;
    if jumped && answer.status == 400 { 200 } else { answer.status }
}

/// Fetches of a token so far, and those of them that were forced.
fn fetches(house: &House) -> (usize, usize) {
    let calls = house.wechat.world().calls(STABLE_TOKEN).unwrap();
    let forced = calls.iter().filter(|call| call.body.contains("\"force_refresh\":true")).count();
    (calls.len(), forced)
}

/// Phone numbers are asked for on all replicas while the clock jumps.
async fn jump_under_load(ahead: Duration) {
    let (house, server) = (House::open().await, Server::start().await);
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(house.replica(on(&server.url())).await);
    }
    let users = house.users(&[&replicas[0]], REPLICAS).await;
    // It is no slower than the way to WeChat really is, so that refreshes could overlap.
    let slow = Fault::new(STABLE_TOKEN, Effect::Nothing).delay(Duration::from_millis(100));
    house.wechat.plays_fault(slow);
    for (replica, user) in replicas.iter().zip(&users) {
        assert_eq!(phone(&house, replica, user).await, 200);
    }
    assert_eq!(fetches(&house), (1, 0), "one fetched it, the others took it over");

    let (house, stop) = (Arc::new(house), Arc::<AtomicBool>::default());
    let done = Arc::<std::sync::atomic::AtomicUsize>::default();
    let replicas: Vec<_> = replicas.into_iter().map(Arc::new).collect();
    let mut load = Vec::new();
    for (replica, user) in replicas.iter().zip(&users).cycle().take(4 * REPLICAS) {
        let (house, replica, user) = (house.clone(), replica.clone(), user.clone());
        let (stop, done) = (stop.clone(), done.clone());
        load.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(phone(&house, &replica, &user).await, 200);
                done.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let so_many_more = async |more: usize| {
        let enough = done.load(Ordering::Relaxed) + more;
        eventually("requests go on", async || done.load(Ordering::Relaxed) >= enough).await;
    };
    so_many_more(20).await;
    house.clock.advance(ahead);
    eventually("the token is refreshed", async || fetches(&house).0 > 1).await;
    // Those who come later find the new one; a replica's own due time comes within 20 seconds more.
    so_many_more(60).await;
    house.clock.advance(Duration::from_secs(21));
    so_many_more(60).await;
    stop.store(true, Ordering::Relaxed);
    for task in load {
        task.await.unwrap();
    }
    println!("{} phone numbers on {REPLICAS} replicas", done.load(Ordering::Relaxed));
    assert_eq!(fetches(&house), (2, 0), "one refresh for all replicas, none of them forced");
}

#[tokio::test]
async fn a_token_that_comes_near_its_end_under_load_is_refreshed_once() {
    jump_under_load(LIFETIME - Duration::from_secs(140)).await;
}

#[tokio::test]
async fn rel_03_a_token_that_expires_under_load_is_refreshed_once() {
    jump_under_load(LIFETIME + Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_token_that_wechat_turns_away_on_all_replicas_is_refreshed_once() {
    let (house, server) = (House::open().await, Server::start().await);
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(house.replica(on(&server.url())).await);
    }
    let users = house.users(&[&replicas[0]], REPLICAS).await;
    for (replica, user) in replicas.iter().zip(&users) {
        assert_eq!(phone(&house, replica, user).await, 200);
    }
    // Every replica's next call is refused, as after somebody else's refresh.
    let refused = Fault::new("/wxa/business/getuserphonenumber", Effect::Errcode(40001, None));
    house.wechat.plays_fault(refused.times(REPLICAS as u64));
    let asked = replicas.iter().zip(&users).map(|(replica, user)| phone(&house, replica, user));
    let answers = futures_util::future::join_all(asked).await;
    assert_eq!(answers, [200; REPLICAS]);
    let (all, forced) = fetches(&house);
    assert!(forced <= 1 && all <= 3, "{all} fetches, {forced} of them forced");
}
