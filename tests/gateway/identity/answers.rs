//! What an upstream's answer may say to the client.

use crate::support::gateway::Gateway;
use crate::upstream::Reply;

#[tokio::test]
async fn an_upstreams_own_identity_headers_do_not_reach_the_client() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    let head = "HTTP/1.1 200 OK\r\nX-WX-OPENID: o1\r\nx-wx-session-key: k\r\nX-Session-Token: t\r\n\
                X-Session-Claim-User: 7\r\nX-Request-Id: theirs\r\nX-Own: kept\r\nSet-Cookie: a=1\r\n\
                Set-Cookie: b=2\r\n";
    for path in ["/api/x", "/public/x"] {
        gateway.upstream.on(path, Reply::with_head(head, "text"));
        let answer = gateway.get(path).token(&token).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "text"));
        for (name, _) in &answer.headers {
            assert!(!name.starts_with("x-wx-") && !name.starts_with("x-session-"), "{name}");
        }
        assert_eq!(answer.header("x-own"), Some("kept"));
        let count = |name: &str| answer.headers.iter().filter(|(known, _)| known == name).count();
        assert_eq!((count("set-cookie"), count("x-request-id")), (2, 1));
        let id = gateway.upstream.last().header("x-request-id").unwrap().to_owned();
        assert_eq!(answer.header("x-request-id"), Some(id.as_str()));
    }
}

#[tokio::test]
async fn an_upstreams_refusal_passes_as_it_is() {
    let gateway = Gateway::start().await;
    let head = "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/x-own\r\nWWW-Authenticate: Own\r\n";
    gateway.upstream.on("/public/x", Reply::with_head(head, "not you"));
    let answer = gateway.get("/public/x").await;
    assert_eq!((answer.status, answer.text().as_str()), (401, "not you"));
    assert_eq!(answer.header("content-type"), Some("text/x-own"));
    assert_eq!(answer.header("www-authenticate"), Some("Own"));
}
