//! A gateway, the WeChat that it asks and the service behind it, and clients for it.

pub(crate) mod assertion;
pub(crate) mod collector;
pub(crate) mod config;
pub(crate) mod gateway;
pub(crate) mod jwt;
pub(crate) mod metrics;
pub(crate) mod open_data;
pub(crate) mod process;
pub(crate) mod request;
pub(crate) mod wechat;

use std::time::{Duration, Instant};

use crate::raw::PATIENCE;

/// Asks again and again until the answer is yes.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What came out, and how long it took.
pub(crate) async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    let outcome = work.await;
    (outcome, begun.elapsed())
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
