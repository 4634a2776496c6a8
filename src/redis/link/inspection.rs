//! What an operator should know of a Redis that works, and will not always.

use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, FromRedisValue, InfoDict};
use tokio::time::timeout;

use super::super::finding::Finding;
use crate::clock::Clock;

/// For all questions together: the answers are not worth waiting for.
const LIMIT: Duration = Duration::from_secs(1);
/// Below it are the seconds that are cut off, and the way there.
const CLOCK_TOLERANCE: u64 = 5;
/// The first with RESP3 and client tracking.
const OLDEST: (u64, u64) = (6, 0);

/// A connection to each server, with what findings about it begin with.
type Servers = Vec<(String, MultiplexedConnection)>;

/// What to warn of, in sentences.
pub(super) async fn inspect(servers: Servers, clock: &Clock) -> Vec<String> {
    findings(servers, clock).await.into_iter().map(|finding| finding.text).collect()
}

/// What to warn of.
pub(super) async fn findings(servers: Servers, clock: &Clock) -> Vec<Finding> {
    timeout(LIMIT, inspect_all(servers, clock)).await.unwrap_or_default()
}

async fn inspect_all(servers: Servers, clock: &Clock) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, mut connection) in servers {
        let found = inspect_server(&mut connection, clock).await;
        let named = |(id, text)| Finding::fault(id, format!("{name}{text}"));
        findings.extend(found.into_iter().map(named));
    }
    findings
}

async fn inspect_server(
    connection: &mut (impl ConnectionLike + Send),
    clock: &Clock,
) -> Vec<(&'static str, String)> {
    let mut findings = Vec::new();
    // An ACL user may not be allowed to ask; then there is nothing to say.
    if let Some(info) = ask(redis::cmd("INFO"), connection).await {
        findings.extend(version(&info).map(|text| ("redis_version", text)));
        findings.extend(eviction(&info).map(|text| ("redis_eviction", text)));
    }
    let time: Option<(u64, u64)> = ask(redis::cmd("TIME"), connection).await;
    if let Some((seconds, _)) = time {
        findings.extend(clocks(seconds, clock.now()).map(|text| ("redis_clock", text)));
    }
    findings
}

async fn ask<T: FromRedisValue>(
    question: Cmd,
    connection: &mut (impl ConnectionLike + Send),
) -> Option<T> {
    question.query_async(connection).await.ok()
}

fn version(info: &InfoDict) -> Option<String> {
    let version: String = info.get("redis_version")?;
    let mut numbers = version.split('.').map_while(|number| number.parse::<u64>().ok());
    let known = (numbers.next()?, numbers.next().unwrap_or(0));
    (known < OLDEST).then(|| {
        format!(
            "Redis {version} is older than 6.0: it cannot tell of ended sessions, so every request \
             asks it; upgrade it"
        )
    })
}

/// All our keys have a TTL, so the `volatile-` policies evict them as the `allkeys-` ones do.
/// <https://redis.io/docs/latest/develop/reference/eviction/>
fn eviction(info: &InfoDict) -> Option<String> {
    let policy: String = info.get("maxmemory_policy")?;
    let limit: u64 = info.get("maxmemory")?;
    (limit > 0 && policy != "noeviction").then(|| {
        format!(
            "maxmemory-policy {policy} logs users out when memory is short; set it to noeviction, \
             and maxmemory high enough"
        )
    })
}

fn clocks(theirs: u64, ours: u64) -> Option<String> {
    let apart = theirs.abs_diff(ours);
    (apart > CLOCK_TOLERANCE).then(|| {
        format!(
            "its clock and this machine's are {apart} s apart; sessions end early or late, \
             synchronise both (NTP)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_before_resp3_is_too_old() {
        let found =
            |version: &str| super::version(&InfoDict::new(&format!("redis_version:{version}")));
        assert!(found("5.0.14").is_some_and(|text| text.contains("5.0.14")));
        assert_eq!(found("6.0.0"), None);
        assert_eq!(found("7.2.4"), None);
        assert_eq!(found("unknown"), None);
    }

    #[test]
    fn only_noeviction_keeps_sessions() {
        let found = |memory, policy| {
            eviction(&InfoDict::new(&format!("maxmemory:{memory}\r\nmaxmemory_policy:{policy}")))
        };
        for policy in ["allkeys-lru", "volatile-lru", "volatile-ttl", "allkeys-random"] {
            assert!(found(1000, policy).is_some_and(|text| text.contains(policy)));
            assert_eq!(found(0, policy), None);
        }
        assert_eq!(found(1000, "noeviction"), None);
    }

    #[test]
    fn clocks_may_be_a_little_apart() {
        assert_eq!(clocks(1005, 1000), None);
        assert!(clocks(994, 1000).is_some_and(|text| text.contains("6 s")));
    }
}
