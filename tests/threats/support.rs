//! The gateway of these tests, with the WeChat that it asks and the service behind it.

#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../gateway/support/config.rs"]
pub(crate) mod config;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../gateway/support/gateway.rs"]
pub(crate) mod gateway;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../gateway/support/jwt.rs"]
pub(crate) mod jwt;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../gateway/support/request.rs"]
pub(crate) mod request;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../gateway/support/wechat.rs"]
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
