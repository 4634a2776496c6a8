//! The signals that the process listens to.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, caught from now on.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// What the signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM: end in order, others are told meanwhile.
    Gracefully,
    /// SIGINT: somebody waits at a terminal.
    Now,
}

impl Signals {
    /// Catches the signals. Fails where the system lets nobody.
    pub fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next of them.
    pub async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.terminate.recv() => Stop::Gracefully,
            _ = self.interrupt.recv() => Stop::Now,
        }
    }
}

/// SIGHUP, caught from now on: it asks for the configuration to be read again.
#[derive(Debug)]
pub struct Hangup(Signal);

impl Hangup {
    /// Catches the signal. Fails where the system lets nobody.
    pub fn catch() -> std::io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// The next one.
    pub async fn next(&mut self) {
        // It ends only with the runtime.
        let _ = self.0.recv().await;
    }
}
