//! How long to wait before the next try: twice as long each time, and not all at once.

use std::time::Duration;

use crate::session::random_bytes;

const FIRST: Duration = Duration::from_millis(25);
/// Gateways find a restarted Redis within this, and a Redis that is down is asked twice a second.
const LONGEST: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { next: FIRST }
    }

    /// Between half of the time and all of it, so that gateways that lost Redis together do not come
    /// back together.
    pub(super) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        let [random] = random_bytes();
        whole / 2 + whole / 2 * u32::from(random) / 255
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_a_bound_and_starts_again() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..20).map(|_| backoff.next()).collect();
        assert!(waits[0] <= FIRST && waits[0] >= FIRST / 2);
        assert!(waits[19] <= LONGEST && waits[19] >= LONGEST / 2);
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
