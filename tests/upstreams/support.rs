//! A gateway, the servers behind it, and clients for it.

pub(crate) mod gateway;
pub(crate) mod grpc;
pub(crate) mod http2;
pub(crate) mod record;
pub(crate) mod server;
pub(crate) mod wire;

use std::time::{Duration, Instant};

/// Nothing in a test waits longer than this for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again and again until the answer is yes.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
