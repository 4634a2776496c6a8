//! Connections that wait for their next request.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::stream::Connection;
use crate::upstream::Target;

/// Below the 60 s after which many servers close, so that it is us who do.
pub(in crate::proxy) const KEPT: Duration = Duration::from_secs(55);
/// How often those are looked at that nobody takes.
const ROUNDS: Duration = Duration::from_secs(5);

/// The idle connections of one upstream, to all of its servers.
pub(super) struct Idle {
    most: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// Those that were used last stand last.
    connections: Vec<Kept>,
    is_tended: bool,
}

struct Kept {
    connection: Connection,
    target: Weak<Target>,
    since: Instant,
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Idle").field(&self.waiting.lock().connections.len()).finish()
    }
}

impl Idle {
    /// None yet; so many are kept.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, waiting: Mutex::default() })
    }

    /// The connection to this server that was used last, if it is still good.
    pub(super) fn take(&self, target: &Arc<Target>) -> Option<Connection> {
        loop {
            let mut kept = self.last(target)?;
            if kept.is_good() {
                return Some(kept.connection);
            }
        }
    }

    fn last(&self, target: &Arc<Target>) -> Option<Kept> {
        let mut waiting = self.waiting.lock();
        let is_to = |kept: &Kept| std::ptr::eq(kept.target.as_ptr(), Arc::as_ptr(target));
        let last = waiting.connections.iter().rposition(is_to)?;
        Some(waiting.connections.remove(last))
    }

    /// Keeps a connection on which an answer has ended; the one that was unused for longest makes room.
    pub(super) fn keep(self: &Arc<Self>, connection: Connection, target: Weak<Target>) {
        if self.most == 0 {
            return;
        }
        let kept = Kept { connection, target, since: Instant::now() };
        // Closed when nobody is kept waiting: the lock is given back before.
        let _made_room;
        let mut waiting = self.waiting.lock();
        let over = waiting.connections.len() >= self.most;
        _made_room = over.then(|| waiting.connections.remove(0));
        waiting.connections.push(kept);
        // A runtime that is gone takes the connections with it.
        if !waiting.is_tended
            && let Ok(runtime) = Handle::try_current()
        {
            waiting.is_tended = true;
            runtime.spawn(tend(Arc::downgrade(self)));
        }
    }

    /// Closes what is closed by its server, has said something, or has waited for too long. Tells
    /// whether any are left.
    fn tidy(&self) -> bool {
        // Closed after the lock is given back, too.
        let _closed: Vec<_>;
        let mut waiting = self.waiting.lock();
        _closed = waiting.connections.extract_if(.., |kept| !kept.is_good()).collect();
        waiting.is_tended = !waiting.connections.is_empty();
        waiting.is_tended
    }
}

impl Kept {
    fn is_good(&mut self) -> bool {
        self.since.elapsed() < KEPT
            && self.target.strong_count() > 0
            && self.connection.stream.is_quiet()
    }
}

/// Looks after idle connections for as long as there are any.
async fn tend(idle: Weak<Idle>) {
    loop {
        sleep(ROUNDS).await;
        if !idle.upgrade().is_some_and(|idle| idle.tidy()) {
            return;
        }
    }
}
