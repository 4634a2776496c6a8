//! One line of the log a minute for what may happen with every request.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// Between two lines of the log.
const QUIET: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Quiet {
    said: Mutex<Option<Instant>>,
}

impl Quiet {
    /// Whether it is time for a line; the next one is due in a minute.
    pub(super) fn may_speak(&self) -> bool {
        // Who finds it locked need not speak: somebody else does.
        let Ok(mut said) = self.said.try_lock() else { return false };
        let quiet = said.is_some_and(|said| said.elapsed() < QUIET);
        if !quiet {
            *said = Some(Instant::now());
        }
        !quiet
    }
}
