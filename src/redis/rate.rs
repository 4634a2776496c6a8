//! Limits that the gateways share. Each request that passes costs a round trip, which is what makes the
//! limit exact over all of them; one that is refused mostly costs none. For a refusal holds until the time
//! that Redis said, whoever else comes, and a flood does not reach Redis.
//!
//! While Redis is away, each gateway holds the limit by what it knows: an outage of the store is no fault
//! of the client's, and a gateway alone still is a limit.

use std::time::Duration;

use tracing::warn;

use super::RedisStore;
use crate::rate::{Exceeded, Quota, Table};
use crate::session::store::Key;
use crate::telemetry::seldom::Seldom;

/// What is known here of the limits that gateways share.
#[derive(Debug, Default)]
pub(super) struct SharedRates {
    known: Table,
    seldom: Seldom,
}

impl RedisStore {
    pub(super) async fn take_from(&self, key: &Key, quota: &Quota) -> Result<(), Exceeded> {
        let now = self.clock.nanoseconds();
        if let Some(exceeded) = self.rates.known.refusal(key, quota, now) {
            return Err(exceeded);
        }
        let take = self
            .scripts
            .take
            .key(self.keys.value(key))
            .arg(microseconds(quota.interval()))
            .arg(microseconds(quota.tolerance()));
        let answer = self.link.run::<(u64, u64, Option<Vec<u8>>)>(&take).await;
        let (wait, ahead, other) = match answer {
            Ok(answer) => answer,
            Err(unavailable) => {
                if self.rates.seldom.may_speak() {
                    warn!("rate limits count each gateway alone meanwhile: {unavailable}");
                }
                return self.rates.known.take(key, quota, self.clock.nanoseconds());
            }
        };
        self.overwritten("rate", other);
        // From before the call, so that nobody is refused here whom Redis would let through.
        self.rates.known.learn(key, now.saturating_add(ahead.saturating_mul(1_000)));
        match wait {
            0 => Ok(()),
            wait => Err(Exceeded { wait: Duration::from_micros(wait) }),
        }
    }
}

/// Lua has doubles only; they hold this to its last digit up to a hundred days.
fn microseconds(nanoseconds: u64) -> String {
    format!("{}.{:03}", nanoseconds / 1_000, nanoseconds % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_nanoseconds() {
        assert_eq!(microseconds(142_857_143), "142857.143");
        assert_eq!(microseconds(1_001), "1.001");
    }
}
