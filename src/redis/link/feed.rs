//! Hearing of changes: a connection to each primary on which it tells which sessions changed.
//!
//! Broadcasting by prefix needs no table in the server, and survives whoever reads the keys.
//! <https://redis.io/docs/latest/develop/reference/client-side-caching/#broadcasting-mode>

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;

use super::super::failure::Failure;
use super::super::keys::Change;
use super::connector::{Connector, Node, Role};
use super::primaries::Primaries;
use crate::session::store::Invalidations;

/// What hears of changes. Copies are live only while it lives and has lost no connection.
pub(super) struct Feed {
    pub(super) connections: Vec<(Node, MultiplexedConnection)>,
    ear: Arc<Ear>,
}

/// What the connections of one feed share. The phase is locked while the listener is told, so that it
/// is told of things in the order in which they happened.
struct Ear {
    phase: Mutex<Phase>,
    invalidations: Arc<dyn Invalidations>,
    lost: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Live,
    Lost,
}

impl Feed {
    pub(super) async fn open(
        connector: &Connector,
        primaries: &Primaries,
    ) -> Result<Self, Failure> {
        let ear = Arc::new(Ear {
            phase: Mutex::new(Phase::Starting),
            invalidations: Arc::clone(&connector.invalidations),
            lost: Notify::new(),
        });
        let opened = primaries.nodes.iter().map(|node| listen(connector, node, &ear));
        let connections = futures_util::future::try_join_all(opened).await?;
        Ok(Self { connections, ear })
    }

    /// From here on the listener may keep copies; those of before are gone, since changes before this
    /// were not heard of.
    pub(super) fn go_live(&self) -> Result<(), Failure> {
        let mut phase = self.ear.phase();
        if *phase == Phase::Lost {
            return Err(Failure::Lost("changes are not heard of".to_owned()));
        }
        *phase = Phase::Live;
        self.ear.invalidations.forget_all();
        self.ear.invalidations.live(true);
        Ok(())
    }

    /// Waits until a connection breaks.
    pub(super) async fn lost(&self) {
        self.ear.lost.notified().await;
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.ear.lose();
    }
}

async fn listen(
    connector: &Connector,
    node: &Node,
    ear: &Arc<Ear>,
) -> Result<(Node, MultiplexedConnection), Failure> {
    let hearing = Arc::clone(ear);
    let pushes = Arc::new(move |push: PushInfo| {
        hearing.hear(&push);
        Ok::<(), redis::aio::SendError>(())
    });
    let mut connection = connector.connect(node, Role::Feed(pushes)).await?;
    let mut tracking = redis::cmd("CLIENT");
    tracking.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(&connector.tracked);
    connector.limited(tracking.query_async::<()>(&mut connection)).await?;
    Ok((node.clone(), connection))
}

impl Ear {
    /// Runs inside the connection, before anything that Redis sent later is read.
    fn hear(&self, push: &PushInfo) {
        match push.kind {
            PushKind::Invalidate => self.invalidate(push.data.first()),
            PushKind::Disconnection => self.lose(),
            _ => {}
        }
    }

    fn invalidate(&self, names: Option<&Value>) {
        // No list is FLUSHALL or FLUSHDB, and a name that is none of ours is one that we cannot read.
        let changes: Option<Vec<_>> = match names {
            Some(Value::Array(names)) => names.iter().map(change).collect(),
            _ => None,
        };
        let Some(changes) = changes else { return self.invalidations.forget_all() };
        for change in &changes {
            match change {
                Change::Any(id) => self.invalidations.forget(id),
                Change::Ended(id) => self.invalidations.ended(id),
            }
        }
    }

    /// Copies that are no longer told of are no longer right.
    fn lose(&self) {
        let mut phase = self.phase();
        if *phase == Phase::Live {
            self.invalidations.live(false);
            self.invalidations.forget_all();
        }
        *phase = Phase::Lost;
        self.lost.notify_one();
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        // A listener that panics leaves the phase as right as it was.
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn change(name: &Value) -> Option<Change> {
    match name {
        Value::BulkString(name) => Change::of(name),
        _ => None,
    }
}
