//! Servers that were asked for HTTP/2 and have none.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::upstream::Address;

/// For so long they are not asked again. One answer of a load balancer, or of the one server that is older
/// than the others, is not the last word for all.
const BELIEVED: Duration = Duration::from_secs(60);

/// By their addresses, and until when that is believed.
#[derive(Debug, Default)]
pub(super) struct WithoutHttp2(Mutex<HashMap<Address, Instant>>);

impl WithoutHttp2 {
    /// This one has none.
    pub(super) fn note(&self, address: &Address) {
        let now = Instant::now();
        let mut until = self.0.lock();
        until.retain(|_, until| *until > now);
        until.insert(address.clone(), now + BELIEVED);
    }

    /// Whether this one is not to be asked.
    pub(super) fn holds(&self, address: &Address) -> bool {
        self.0.lock().get(address).is_some_and(|until| *until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_without_http2_is_asked_again_after_a_minute_and_others_at_once() {
        let address = |port| Address::Tcp(([127, 0, 0, 1], port).into());
        let without = WithoutHttp2::default();
        without.note(&address(1));
        assert!(without.holds(&address(1)) && !without.holds(&address(2)));
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(!without.holds(&address(1)));
    }
}
