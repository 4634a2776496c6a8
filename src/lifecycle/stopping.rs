//! That the gateway is about to stop, so that clients should turn to another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// Whether the gateway is about to stop. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stopping(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// What every request reads.
    begun: AtomicBool,
    told: watch::Sender<bool>,
}

impl Stopping {
    /// From now on it is.
    pub fn begin(&self) {
        self.0.begun.store(true, Ordering::Relaxed);
        self.0.told.send_replace(true);
    }

    /// Whether it is.
    pub fn has_begun(&self) -> bool {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// Tells when it begins; also those who come later.
    pub fn watch(&self) -> watch::Receiver<bool> {
        let mut told = self.0.told.subscribe();
        if self.has_begun() {
            told.mark_changed();
        }
        told
    }
}
