//! The token: what it says, what it opens, and everything that opens nothing.

mod forged;
mod keys;
mod places;
mod session;

use crate::raw::Answer;
use crate::support::gateway::Gateway;

/// The one answer to every bad token, without the id of the request.
fn body_without_request_id(answer: &Answer) -> String {
    let id = answer.header("x-request-id").expect("a request id");
    let text = answer.text();
    assert!(text.contains(id), "{text}");
    text.replace(id, "")
}

/// That a token opens nothing, and that its refusal is the one for all.
async fn assert_opens_nothing(gateway: &Gateway, token: &str, what: &str) {
    let answer = gateway.get("/api/x").token(token).await;
    assert_eq!(answer.status, 401, "{what}: {answer:?}");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{what}");
    let garbage = gateway.get("/api/x").token("garbage").await;
    assert_eq!(body_without_request_id(&answer), body_without_request_id(&garbage), "{what}");
    assert_eq!(answer.code(), "token_invalid");
    assert_eq!(gateway.upstream.requests().len(), 0, "{what}: it went to the upstream");
}
