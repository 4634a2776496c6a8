//! A store whose calls are counted and timed, and spans of the trace that they are made in, whichever it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{Key, KeyId, Store, StoredKey, Unavailable};
use crate::rate::{Exceeded, Quota};
use crate::session::record::{Session, SessionId};
use crate::telemetry::metrics::{Counter, Histogram, Metrics, table};
use crate::telemetry::traces::{self, Span};
use crate::wechat::user::User;

/// A store, and what is counted of it.
#[derive(Debug)]
pub struct MeasuredStore {
    store: Arc<dyn Store>,
    system: &'static str,
    /// In the order of [`Operation`].
    operations: [OperationMetrics; OPERATIONS.len()],
}

#[derive(Debug)]
struct OperationMetrics {
    duration: Histogram,
    errors: Counter,
}

/// The calls of a store.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Create,
    Find,
    Update,
    Renew,
    End,
    SessionsOf,
    EndAll,
    IsKnown,
    NoteKnown,
    SessionKeys,
    AddSessionKey,
    RemoveSessionKey,
    BeginTry,
    EndTry,
    AbandonTries,
    Get,
    Put,
    PutIfAbsent,
    Replace,
    Remove,
    Increment,
    Take,
}

/// Their labels.
const OPERATIONS: [&str; 22] = [
    "create",
    "find",
    "update",
    "renew",
    "end",
    "sessions_of",
    "end_all",
    "is_known",
    "note_known",
    "session_keys",
    "add_session_key",
    "remove_session_key",
    "begin_try",
    "end_try",
    "abandon_tries",
    "get",
    "put",
    "put_if_absent",
    "replace",
    "remove",
    "increment",
    "take",
];

impl MeasuredStore {
    /// This store, which is a `system` such as "redis".
    pub fn new(store: Arc<dyn Store>, system: &'static str, metrics: &Metrics) -> Self {
        let operations = OPERATIONS.map(|operation| OperationMetrics {
            duration: metrics.histogram(table::STORE_CALL_DURATION, &[operation]),
            errors: metrics.counter(table::STORE_ERRORS, &[operation]),
        });
        Self { store, system, operations }
    }

    async fn measure<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, Unavailable>>,
    ) -> Result<T, Unavailable> {
        let (begun, mut span) = (Instant::now(), self.span(operation));
        let answer = call.await;
        if let Some(metrics) = self.operations.get(operation as usize) {
            metrics.duration.observe(begun.elapsed());
            if answer.is_err() {
                metrics.errors.inc();
                span.fail("unavailable");
            }
        }
        answer
    }

    /// Of a call its name alone is told: what it is about are users, sessions and keys.
    fn span(&self, operation: Operation) -> Span {
        let name = OPERATIONS.get(operation as usize).copied().unwrap_or_default();
        let mut span = traces::child(traces::Kind::Client, name);
        span.set("db.system.name", self.system);
        span.set("db.operation.name", name);
        span.rename(|| format!("store {name}"));
        span
    }
}

#[async_trait]
impl Store for MeasuredStore {
    fn outage(&self) -> Option<Unavailable> {
        self.store.outage()
    }

    fn damaged_values(&self) -> u64 {
        self.store.damaged_values()
    }

    async fn create(&self, session: &Session, idle: Duration) -> Result<(), Unavailable> {
        self.measure(Operation::Create, self.store.create(session, idle)).await
    }

    async fn find(
        &self,
        user: &User,
        id: &SessionId,
    ) -> Result<Option<(Session, Duration)>, Unavailable> {
        self.measure(Operation::Find, self.store.find(user, id)).await
    }

    async fn update(&self, from: &Session, to: &Session) -> Result<bool, Unavailable> {
        self.measure(Operation::Update, self.store.update(from, to)).await
    }

    async fn renew(
        &self,
        user: &User,
        id: &SessionId,
        idle: Duration,
    ) -> Result<bool, Unavailable> {
        self.measure(Operation::Renew, self.store.renew(user, id, idle)).await
    }

    async fn end(&self, user: &User, id: &SessionId) -> Result<bool, Unavailable> {
        self.measure(Operation::End, self.store.end(user, id)).await
    }

    async fn sessions_of(&self, user: &User) -> Result<Vec<Session>, Unavailable> {
        self.measure(Operation::SessionsOf, self.store.sessions_of(user)).await
    }

    async fn end_all(&self, user: &User) -> Result<Vec<SessionId>, Unavailable> {
        self.measure(Operation::EndAll, self.store.end_all(user)).await
    }

    async fn is_known(&self, user: &User) -> Result<bool, Unavailable> {
        self.measure(Operation::IsKnown, self.store.is_known(user)).await
    }

    async fn note_known(&self, user: &User, ttl: Duration) -> Result<(), Unavailable> {
        self.measure(Operation::NoteKnown, self.store.note_known(user, ttl)).await
    }

    async fn session_keys(&self, user: &User) -> Result<Vec<StoredKey>, Unavailable> {
        self.measure(Operation::SessionKeys, self.store.session_keys(user)).await
    }

    async fn add_session_key(
        &self,
        user: &User,
        key: StoredKey,
        ttl: Duration,
    ) -> Result<bool, Unavailable> {
        self.measure(Operation::AddSessionKey, self.store.add_session_key(user, key, ttl)).await
    }

    async fn remove_session_key(&self, user: &User, id: &KeyId) -> Result<(), Unavailable> {
        self.measure(Operation::RemoveSessionKey, self.store.remove_session_key(user, id)).await
    }

    async fn begin_try(&self, user: &User) -> Result<Option<Vec<StoredKey>>, Unavailable> {
        self.measure(Operation::BeginTry, self.store.begin_try(user)).await
    }

    async fn end_try(&self, user: &User, keys: &[KeyId], failed: bool) -> Result<(), Unavailable> {
        self.measure(Operation::EndTry, self.store.end_try(user, keys, failed)).await
    }

    async fn abandon_tries(&self, user: &User) -> Result<(), Unavailable> {
        self.measure(Operation::AbandonTries, self.store.abandon_tries(user)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Unavailable> {
        self.measure(Operation::Get, self.store.get(key)).await
    }

    async fn put(&self, key: &Key, value: &[u8], ttl: Duration) -> Result<(), Unavailable> {
        self.measure(Operation::Put, self.store.put(key, value, ttl)).await
    }

    async fn put_if_absent(
        &self,
        key: &Key,
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Vec<u8>>, Unavailable> {
        self.measure(Operation::PutIfAbsent, self.store.put_if_absent(key, value, ttl)).await
    }

    async fn replace(
        &self,
        key: &Key,
        expected: &[u8],
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, Unavailable> {
        self.measure(Operation::Replace, self.store.replace(key, expected, value, ttl)).await
    }

    async fn remove(&self, key: &Key, expected: &[u8]) -> Result<bool, Unavailable> {
        self.measure(Operation::Remove, self.store.remove(key, expected)).await
    }

    async fn increment(&self, key: &Key, ttl: Duration) -> Result<u64, Unavailable> {
        self.measure(Operation::Increment, self.store.increment(key, ttl)).await
    }

    /// Timed too; it has no errors: a limit always knows.
    async fn take(&self, key: &Key, quota: &Quota) -> Result<(), Exceeded> {
        let (begun, _span) = (Instant::now(), self.span(Operation::Take));
        let taken = self.store.take(key, quota).await;
        if let Some(metrics) = self.operations.get(Operation::Take as usize) {
            metrics.duration.observe(begun.elapsed());
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::session::memory::MemoryStore;
    use crate::session::store::Kind;
    use crate::telemetry::metrics::Format;

    #[tokio::test]
    async fn each_call_is_timed_under_its_own_name() {
        let metrics = Metrics::default();
        let store = Arc::new(MemoryStore::new(Clock::movable()));
        let store = MeasuredStore::new(store, "memory", &metrics);
        let key = Key::new(Kind::Rate, &[b"a"]);
        for _ in 0..3 {
            store.increment(&key, Duration::from_secs(1)).await.unwrap();
        }
        store.get(&key).await.unwrap();
        let shown = metrics.encode(Format::Prometheus);
        for (operation, count) in [("increment", 3), ("get", 1)] {
            let line = format!("_seconds_count{{operation=\"{operation}\"}} {count}\n");
            assert!(shown.contains(&line), "{line}: {shown}");
        }
        assert!(shown.contains("wxgate_store_errors_total{operation=\"get\"} 0\n"), "{shown}");
    }
}
