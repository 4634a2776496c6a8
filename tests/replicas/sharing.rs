//! What one replica did, the others know: sessions, tokens, claims, keys and failures.

use std::time::{Duration, Instant};

use serde_json::json;
use wxgate::simulator::{OpenData, Overrides, Payload};

use crate::chaos::{Chaos, Fault};
use crate::redis_server::{PATIENCE, Server, eventually};
use crate::support::jwt::{KEY, OTHER_KEY};
use crate::support::wechat::APPID;
use crate::support::{
    ENCRYPTION_KEY, House, OTHER_ENCRYPTION_KEY, Replica, SEEN, answers_from_memory, forged, on,
    on_within, open, token_in,
};
use crate::upstream::Reply;

/// Two replicas alike on one Redis.
async fn two(house: &House, server: &Server) -> (Replica, Replica) {
    (house.replica(on(&server.url())).await, house.replica(on(&server.url())).await)
}

#[tokio::test]
async fn a_login_on_one_opens_the_other() {
    let (house, server) = (House::open().await, Server::start().await);
    let (one, other) = two(&house, &server).await;
    let token = one.log_in(&house, "alice").await;
    assert_eq!(other.status(&token).await, 200);
    assert_eq!(house.upstream.last().header("x-wx-openid"), Some(&*house.wechat.openid("alice")));
}

#[tokio::test]
async fn a_session_that_is_in_use_costs_redis_nothing() {
    let (house, server) = (House::open().await, Server::start().await);
    let (one, other) = two(&house, &server).await;
    let token = one.log_in(&house, "alice").await;
    for replica in [&one, &other] {
        answers_from_memory(&[&server], replica, &token).await;
    }
}

#[tokio::test]
async fn jwt_04_a_logout_on_one_is_seen_on_the_other_within_a_second() {
    let (house, server) = (House::open().await, Server::start().await);
    let (one, other) = two(&house, &server).await;
    for _ in 0..10 {
        let token = one.log_in(&house, "alice").await;
        assert_eq!((one.status(&token).await, other.status(&token).await), (200, 200));
        one.log_out(&token).await;
        assert_eq!(one.status(&token).await, 401, "where it ended it ends at once");
        other.turns_away(&token).await;
    }
}

#[tokio::test]
async fn a_logout_is_seen_within_a_second_where_the_link_is_dead_and_nobody_says_so() {
    let (house, server) = (House::open().await, Server::start().await);
    let chaos = Chaos::start(server.address()).await;
    let one = house.replica(on(&server.url())).await;
    let deaf = house.replica(on_within(&format!("redis://{}", chaos.address()), "250ms")).await;
    for round in 0..4 {
        for fault in [Fault::HalfOpen, Fault::Stall] {
            let token = one.log_in(&house, "alice").await;
            eventually("it is known", PATIENCE, async || deaf.status(&token).await == 200).await;
            // In another place between two heartbeats each time.
            let until = Instant::now() + Duration::from_millis(130 * round);
            while Instant::now() < until {
                assert_eq!(deaf.status(&token).await, 200);
            }
            chaos.set(fault);
            one.log_out(&token).await;
            let took =
                eventually("it is not served", SEEN, async || deaf.status(&token).await != 200)
                    .await;
            println!("{took:?} after the logout, {fault:?}");
            chaos.set(Fault::None);
            deaf.turns_away(&token).await;
        }
    }
}

#[tokio::test]
async fn a_logout_everywhere_ends_every_device_on_every_replica() {
    let (house, server) = (House::open().await, Server::start().await);
    let (one, other) = two(&house, &server).await;
    let mut devices = Vec::new();
    for number in 0..6 {
        let place = if number % 2 == 0 { &one } else { &other };
        devices.push(place.log_in(&house, "alice").await);
    }
    let bob = one.log_in(&house, "bob").await;
    for token in devices.iter().chain([&bob]) {
        assert_eq!((one.status(token).await, other.status(token).await), (200, 200));
    }
    let logout = one.post("/logout").json(&json!({ "everywhere": true }));
    assert_eq!(logout.token(&devices[0]).await.status, 204);
    for token in &devices {
        other.turns_away(token).await;
        assert_eq!(one.status(token).await, 401);
    }
    assert_eq!((one.status(&bob).await, other.status(&bob).await), (200, 200));
}

#[tokio::test]
async fn a_token_refreshed_on_one_opens_the_other_and_ends_with_its_session() {
    let (house, server) = (House::open().await, Server::start().await);
    let (one, other) = two(&house, &server).await;
    let old = one.log_in(&house, "alice").await;
    assert_eq!(other.status(&old).await, 200, "the other keeps a copy of the session before");
    let new = token_in(&one.post("/refresh").token(&old).await);
    assert_eq!(other.status(&new).await, 200, "at once");
    assert_eq!(other.status(&old).await, 200, "the old one lives a minute more");
    house.clock.advance(Duration::from_secs(61));
    assert_eq!((one.status(&old).await, other.status(&old).await), (401, 401));
    assert_eq!((one.status(&new).await, other.status(&new).await), (200, 200));
    other.log_out(&new).await;
    one.turns_away(&new).await;
}

#[tokio::test]
async fn a_refreshed_token_is_good_where_the_refresh_was_not_heard_of_yet() {
    let (house, server) = (House::open().await, Server::start().await);
    let chaos = Chaos::start(server.address()).await;
    let one = house.replica(on(&server.url())).await;
    let late = house.replica(on(&format!("redis://{}", chaos.address()))).await;
    let old = one.log_in(&house, "alice").await;
    assert_eq!(late.status(&old).await, 200);
    chaos.set(Fault::Delay(Duration::from_millis(300)));
    let new = token_in(&one.post("/refresh").token(&old).await);
    assert_eq!(late.status(&new).await, 200, "nobody has to log in again because news are late");
}

#[tokio::test]
async fn claims_of_one_replicas_login_are_seen_on_the_other() {
    let (house, server) = (House::open().await, Server::start().await);
    let (one, other) = two(&house, &server).await;
    let claim = "HTTP/1.1 200 OK\r\nX-Session-Claim-User-Id: 42\r\n";
    house.upstream.on("/bizLogin", Reply::with_head(claim, "welcome"));
    let code = house.wechat.code("alice");
    let answer = one.get(&format!("/bizLogin?code={code}")).await;
    let token = answer.header("x-session-token").unwrap().to_owned();
    assert_eq!(other.status(&token).await, 200);
    assert_eq!(house.upstream.last().header("x-user-id"), Some("42"));
}

#[tokio::test]
async fn a_unionid_that_one_learns_is_soon_sent_by_the_other() {
    let (house, server) = (House::open().await, Server::start().await);
    let (one, other) = two(&house, &server).await;
    let phone = one.log_in(&house, "alice").await;
    assert_eq!((one.status(&phone).await, other.status(&phone).await), (200, 200));
    assert_eq!(house.upstream.last().header("x-wx-unionid"), None);
    house.wechat.set(|settings| settings.unionid = true);
    one.log_in(&house, "alice").await;
    let unionid = house.wechat.world().unionid(APPID, "alice").unwrap();
    for replica in [&one, &other] {
        eventually("the unionid is sent", SEEN, async || {
            assert_eq!(replica.status(&phone).await, 200);
            house.upstream.last().header("x-wx-unionid") == Some(unionid.as_str())
        })
        .await;
    }
}

#[tokio::test]
async fn signing_keys_are_shared_and_rotate_without_a_logout() {
    let (house, server) = (House::open().await, Server::start().await);
    let (one, _) = two(&house, &server).await;
    let token = one.log_in(&house, "alice").await;
    let keys = |keys: &[&str]| on(&server.url()).table("session", "").signing_keys(keys);
    let rotated = house.replica(keys(&[OTHER_KEY, KEY])).await;
    assert_eq!(rotated.status(&token).await, 200, "the old key still verifies");
    let renewed = token_in(&rotated.post("/refresh").token(&token).await);
    assert_eq!(rotated.status(&renewed).await, 200);
    assert_eq!(one.status(&renewed).await, 401, "which does not know the new key");
    let stranger = house.replica(keys(&[OTHER_KEY])).await;
    assert_eq!(stranger.status(&token).await, 401);
    assert_eq!(stranger.status(&renewed).await, 200);
}

/// The phone number of a user, as WeChat seals it now.
fn sealed(house: &House, user: &str) -> OpenData {
    let world = house.wechat.world();
    world.encrypt(APPID, user, &Payload::Phone, &Overrides::default()).unwrap()
}

#[tokio::test]
async fn a_new_encryption_key_opens_what_the_old_one_sealed() {
    let (house, server) = (House::open().await, Server::start().await);
    let url = server.url();
    let keys = |keys: &[&str]| {
        let store = format!("url = \"{url}\"\ntimeout = \"5s\"");
        on(&url).table("store", &store).encryption_keys(keys)
    };
    let old = house.replica(keys(&[ENCRYPTION_KEY])).await;
    let both = house.replica(keys(&[OTHER_ENCRYPTION_KEY, ENCRYPTION_KEY])).await;
    let new = house.replica(keys(&[OTHER_ENCRYPTION_KEY])).await;

    let code = house.wechat.code("alice");
    let token = token_in(&old.login(&code).await);
    assert_eq!(token_in(&both.login(&code).await), token, "the outcome of the exchange opens");
    // The data that the first opened is repeated by the second, which opens other data itself.
    let data = sealed(&house, "alice");
    assert_eq!(open(&old, &token, &data).await.status, 200);
    assert_eq!(open(&both, &token, &data).await.status, 200);
    assert_eq!(open(&both, &token, &sealed(&house, "alice")).await.status, 200);
    // One that lost the old key cannot, and says what helps: to log in again.
    assert_eq!(open(&new, &token, &sealed(&house, "alice")).await.status, 409);
    assert_eq!(new.status(&token).await, 200, "the session itself is no secret");
    let again = both.log_in(&house, "alice").await;
    assert_eq!(open(&new, &again, &sealed(&house, "alice")).await.status, 200);
}

#[tokio::test]
async fn a_key_prefix_keeps_two_gateways_on_one_redis_apart() {
    let (house, server) = (House::open().await, Server::start().await);
    let config =
        |prefix: &str| on(&server.url()).key("store", &format!("key_prefix = \"{prefix}\""));
    let (shop, forum) =
        (house.replica(config("shop:")).await, house.replica(config("forum:")).await);
    let token = shop.log_in(&house, "alice").await;
    assert_eq!((shop.status(&token).await, forum.status(&token).await), (200, 401));
    let theirs = forum.log_in(&house, "alice").await;
    let everywhere = shop.post("/logout?everywhere=true").token(&token).await;
    assert_eq!(everywhere.status, 204);
    assert_eq!((shop.status(&token).await, forum.status(&theirs).await), (401, 200));
    let keys: Vec<String> = server.command(&["KEYS", "*"]).await;
    assert!(keys.iter().all(|key| key.starts_with("shop:") || key.starts_with("forum:")));
}

#[tokio::test]
async fn wx_05_failures_count_over_replicas_and_the_fifth_burns_the_key() {
    let (house, server) = (House::open().await, Server::start().await);
    let (one, other) = two(&house, &server).await;
    let (alice, bob) = (one.log_in(&house, "alice").await, one.log_in(&house, "bob").await);
    let fail = async |replica: &Replica, token: &str, number: u8| {
        assert_eq!(open(replica, token, &forged(number)).await.status, 409);
    };
    for number in 0..3 {
        fail(&one, &alice, number).await;
        fail(&one, &bob, number).await;
    }
    fail(&other, &alice, 3).await;
    fail(&other, &bob, 3).await;
    assert_eq!(
        open(&one, &alice, &sealed(&house, "alice")).await.status,
        200,
        "four are not enough"
    );
    fail(&other, &alice, 4).await;
    for replica in [&one, &other] {
        assert_eq!(
            open(replica, &alice, &sealed(&house, "alice")).await.status,
            409,
            "it is burnt"
        );
        assert_eq!(open(replica, &bob, &sealed(&house, "bob")).await.status, 200, "and no other");
    }
}
