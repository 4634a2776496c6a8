//! How long a server is waited for, by the one timer of its connection.

use std::task::Context;
use std::time::Duration;

use crate::lifecycle::patience::Patience;

/// A wait for a server, which begins anew with all that comes from it or goes to it.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// None: for ever.
    time: Option<Duration>,
    /// Whether the patience counts already.
    has_begun: bool,
}

impl Waiting {
    /// From now on it is waited for so long.
    pub(super) fn set(&mut self, time: Option<Duration>) {
        self.has_begun &= self.time == time;
        self.time = time;
    }

    /// Something came, or went on.
    pub(super) fn begin_anew(&mut self) {
        self.has_begun = false;
    }

    /// Whether it was too long; else the task of `cx` is woken when it is.
    pub(super) fn is_over(&mut self, patience: &mut Patience, cx: &mut Context<'_>) -> bool {
        let Some(time) = self.time else { return false };
        if !self.has_begun {
            self.has_begun = true;
            patience.begin(time);
        }
        patience.poll_over(cx).is_ready()
    }
}
