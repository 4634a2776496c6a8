//! Saying something that clients can cause, without letting them flood the log.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// Between two lines of the log.
const QUIET: Duration = Duration::from_secs(60);

/// Lets one line through in a minute.
#[derive(Debug, Default)]
pub struct Seldom {
    said: Mutex<Option<Instant>>,
}

impl Seldom {
    /// Whether it is time to say it, which then counts as said.
    pub fn may_speak(&self) -> bool {
        // Who finds it locked need not speak: somebody else does.
        let Ok(mut said) = self.said.try_lock() else { return false };
        let quiet = said.is_some_and(|said| said.elapsed() < QUIET);
        if !quiet {
            *said = Some(Instant::now());
        }
        !quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_in_a_minute() {
        let seldom = Seldom::default();
        assert!(seldom.may_speak());
        assert!(!seldom.may_speak());
        tokio::time::advance(QUIET).await;
        assert!(seldom.may_speak());
    }
}
