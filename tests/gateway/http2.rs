//! HTTP/2 as an attacker writes it, frame by frame.

mod downgrade;
mod floods;
mod stalls;

use crate::frames::{Frames, Outcome, request};
use crate::support::gateway::Gateway;

/// An ordinary request on a connection of its own is right.
async fn assert_serves(gateway: &Gateway) {
    let mut frames = Frames::connect(gateway.address).await;
    frames.ask(1, &request("GET", "/public/ordinary", &[]), true).await;
    assert_eq!(frames.outcome(1).await, Outcome::Answer(200));
    assert_eq!(gateway.get("/public/ordinary").await.status, 200);
}
