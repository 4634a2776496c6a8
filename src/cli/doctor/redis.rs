//! Redis: whether it can be reached, lets the gateway do what it must, and will keep sessions.

use super::finding::Finding;
use crate::clock::Clock;
use crate::config::Settings;
use crate::redis;

pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    let about = "[store]";
    let Some(redis) = &settings.redis else {
        return vec![Finding::good("store", about, "is the memory of this process")];
    };
    let about = format!("[store] {}", redis.server);
    match redis::examine(redis.clone(), Clock::system()).await {
        Err(failure) => vec![Finding::error("redis_unavailable", &about, failure, "")],
        Ok(findings) if findings.is_empty() => {
            vec![Finding::good("redis", &about, "can be reached, and keeps what it is given")]
        }
        Ok(findings) => {
            let findings = findings.into_iter().map(|found| match found.is_fault {
                true => Finding::error(found.id, &about, found.text, ""),
                false => Finding::warning(found.id, &about, found.text, ""),
            });
            findings.collect()
        }
    }
}
