//! Values in Redis that nobody can read: garbage, or of a version that is not known.

use crate::raw::Wire;
use crate::redis_server::Server;
use crate::support::metrics::Scrape;
use crate::support::{House, on};

const DAMAGED: &str = "wxgate_store_damaged_values_total";

#[tokio::test]
async fn a_damaged_session_is_a_401_and_counted() {
    let (house, server) = (House::open().await, Server::start().await);
    let gateway = house.replica(on(&server.url())).await;
    let token = gateway.log_in(&house, "alice").await;
    let other = gateway.log_in(&house, "bob").await;
    assert_eq!(gateway.status(&token).await, 200);
    assert_eq!(Scrape::of(gateway.admin).await.get(DAMAGED), 0.0);

    let alices: Vec<String> = server.command(&["KEYS", "wxgate:s:*"]).await;
    let session = session_in(&token);
    let key = alices.iter().find(|key| key.ends_with(&session)).expect("alice's session");
    for garbage in ["garbage", "\u{7f}of a version to come"] {
        let before = Scrape::of(gateway.admin).await.get(DAMAGED);
        server.command::<()>(&["SET", key, garbage, "EX", "100"]).await;
        gateway.turns_away(&token).await;
        let counted = Scrape::of(gateway.admin).await.get(DAMAGED) - before;
        assert!(counted >= 1.0, "{garbage}: {counted}");
    }
    assert_eq!(gateway.status(&other).await, 200);
    let again = gateway.log_in(&house, "alice").await;
    assert_eq!(gateway.status(&again).await, 200);
}

#[tokio::test]
async fn a_logout_everywhere_is_no_204_where_the_users_sessions_cannot_be_read() {
    let (house, server) = (House::open().await, Server::start().await);
    let config = on(&server.url()).key("admin", "token = \"${ADMIN}\"").variable("ADMIN", "admin");
    let gateway = house.replica(config).await;
    let (one, two) = (gateway.log_in(&house, "alice").await, gateway.log_in(&house, "alice").await);
    let users: Vec<String> = server.command(&["KEYS", "wxgate:u:*"]).await;
    let [alice] = &users[..] else { panic!("{users:?}") };
    let good: Vec<u8> = server.command(&["DUMP", alice]).await;
    server.command::<()>(&["SET", alice, "\u{2}of a version to come", "EX", "100"]).await;

    let before = Scrape::of(gateway.admin).await.get(DAMAGED);
    let logout = gateway.post("/logout?everywhere=true").token(&one).await;
    assert_eq!((logout.status, &*logout.code()), (503, "store_unavailable"));
    let openid = house.wechat.openid("alice");
    let end_all = format!("DELETE /sessions?openid={openid} HTTP/1.1\r\nHost: a\r\n");
    let end_all = format!("{end_all}Authorization: Bearer admin\r\n\r\n");
    assert_eq!(Wire::ask(gateway.admin, end_all.clone()).await.status, 503);
    let login = gateway.login(&house.wechat.code("alice")).await;
    assert_eq!((login.status, &*login.code()), (503, "store_unavailable"));
    assert_eq!(Scrape::of(gateway.admin).await.get(DAMAGED) - before, 3.0);
    assert_eq!((gateway.status(&one).await, gateway.status(&two).await), (200, 200));

    // Who can read it finds everything.
    let mut connection = server.connection().await;
    let mut restore = redis::cmd("RESTORE");
    restore.arg(alice).arg(100_000).arg(good).arg("REPLACE");
    restore.exec_async(&mut connection).await.unwrap();
    assert_eq!(Wire::ask(gateway.admin, end_all).await.json()["ended"], 2);
    gateway.turns_away(&one).await;
    gateway.turns_away(&two).await;
}

/// The name of the session that a token is for.
fn session_in(token: &str) -> String {
    let claims = crate::support::jwt::Jwt::read(token).claims;
    claims["sid"].as_str().expect("the session's name").to_owned()
}
