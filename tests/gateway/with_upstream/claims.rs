//! What the upstream of a login says of a user, and who hears of it.

use super::config;
use crate::support::gateway::Gateway;
use crate::upstream::Reply;

async fn enter(gateway: &Gateway, user: &str, headers: &str) -> String {
    let reply = Reply::with_head(&format!("HTTP/1.1 200 OK\r\n{headers}"), "{}");
    gateway.upstream.on("/enter", reply);
    let answer = gateway.get(&format!("/enter?code={}", gateway.wechat.code(user))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let claims = answer.headers.iter().filter(|(name, _)| name.contains("claim"));
    assert_eq!(claims.count(), 0, "a claim went to the client: {answer:?}");
    answer.header("x-session-token").unwrap().to_owned()
}

#[tokio::test]
async fn a_claim_of_the_login_upstream_is_a_header_of_every_later_request() {
    let gateway = Gateway::with(config("")).await;
    let alice = enter(&gateway, "alice", "X-Session-Claim-User-Id: 7\r\n").await;
    let bob = enter(&gateway, "bob", "x-session-claim-user-id: 8\r\n").await;
    let carol = enter(&gateway, "carol", "").await;
    for (token, expected) in [(&alice, Some("7")), (&bob, Some("8")), (&carol, None)] {
        for path in ["/api/x", "/maybe/x"] {
            let request = gateway.get(path).token(token);
            request.header("X-User-Id", "1").header("x_user_id", "2").await;
            assert_eq!(gateway.upstream.last().read_as("x-user-id"), Vec::from_iter(expected));
        }
        gateway.get("/public/x").token(token).header("X-User-Id", "1").await;
        assert_eq!(gateway.upstream.last().read_as("x-user-id").len(), 0);
    }
    // The actions with an upstream are requests like others.
    let code = gateway.wechat.phone_code("alice");
    gateway.get(&format!("/bindPhone?code={code}")).token(&alice).await;
    assert_eq!(gateway.upstream.last().read_as("x-user-id"), ["7"]);
    // And a refreshed token is of the same session.
    let refreshed = gateway.post("/refresh").token(&alice).await.json();
    gateway.get("/api/x").token(refreshed["token"].as_str().unwrap()).await;
    assert_eq!(gateway.upstream.last().read_as("x-user-id"), ["7"]);
}

#[tokio::test]
async fn a_claim_is_its_sessions_and_not_the_next_ones() {
    let gateway = Gateway::with(config("")).await;
    let first = enter(&gateway, "alice", "X-Session-Claim-User-Id: 7\r\n").await;
    let second = enter(&gateway, "alice", "").await;
    for (token, expected) in [(&first, Some("7")), (&second, None)] {
        gateway.get("/api/x").token(token).await;
        assert_eq!(gateway.upstream.last().read_as("x-user-id"), Vec::from_iter(expected));
    }
}

#[tokio::test]
async fn a_claim_that_nobody_asked_for_too_long_or_no_ascii_is_not_passed_on() {
    let gateway = Gateway::with(config("")).await;
    let long = format!("X-Session-Claim-User-Id: {}\r\n", "x".repeat((1 << 10) + 1));
    for headers in ["X-Session-Claim-Other: 7\r\n", &long, "X-Session-Claim-User-Id: é\r\n"] {
        let token = enter(&gateway, "alice", headers).await;
        gateway.get("/api/x").token(&token).await;
        let seen = gateway.upstream.last();
        assert_eq!(seen.read_as("x-user-id").len(), 0, "{headers}");
        assert!(!seen.head.to_lowercase().contains("claim"), "{}", seen.head);
    }
}

#[tokio::test]
async fn claims_come_from_the_login_only() {
    let gateway = Gateway::with(config("")).await;
    let token = enter(&gateway, "alice", "").await;
    let claim = "HTTP/1.1 200 OK\r\nX-Session-Claim-User-Id: 7\r\nX-Session-Token: t\r\n";
    gateway.upstream.on("/api/x", Reply::with_head(claim, ""));
    let answer = gateway.get("/api/x").token(&token).await;
    assert_eq!(answer.header("x-session-claim-user-id"), None);
    assert_eq!(answer.header("x-session-token"), None);
    gateway.get("/api/y").token(&token).await;
    assert_eq!(gateway.upstream.last().read_as("x-user-id").len(), 0);
    let request = gateway.get("/api/y").token(&token).header("X-Session-Claim-User-Id", "7");
    request.await;
    assert_eq!(gateway.upstream.last().read_as("x-user-id").len(), 0);
}
