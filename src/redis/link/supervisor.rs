//! Keeps a wire to Redis, and says what it has.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::super::failure::Failure;
use super::backoff::Backoff;
use super::connection::Connection;
use super::connector::Connector;
use super::inspection::inspect;
use super::wire::{Doubt, Wire};
use super::{Complaint, State};
use crate::clock::Clock;

const HEARTBEAT: Duration = Duration::from_millis(400);
/// A wire that lived this long was good; losing it is news, not one more failure.
const GOOD: Duration = Duration::from_secs(3);
/// How soon hearing of changes is tried again, by whether anything could be different then.
const FEED_RETRY: Duration = Duration::from_secs(1);
const LASTING_FEED_RETRY: Duration = Duration::from_secs(30);

pub(super) struct Supervisor {
    pub(super) connector: Connector,
    pub(super) clock: Clock,
    pub(super) publish: watch::Sender<State>,
    pub(super) complaints: mpsc::Receiver<Complaint>,
    pub(super) opened: Arc<AtomicU64>,
    pub(super) name: Arc<str>,
}

/// What was said last, so that it is said once.
#[derive(Default)]
struct Said {
    failure: Option<Failure>,
    feed: Option<Failure>,
    findings: Vec<String>,
}

impl Supervisor {
    /// Until nobody holds the link any more.
    pub(super) async fn run(mut self) {
        let publish = self.publish.clone();
        tokio::select! {
            () = publish.closed() => {}
            () = self.supervise() => {}
        }
    }

    async fn supervise(&mut self) {
        let mut backoff = Backoff::new();
        let mut known = BTreeSet::new();
        let mut said = Said::default();
        loop {
            match self.connector.open(&known).await {
                Ok(wire) => {
                    let opened = Instant::now();
                    known.clone_from(&wire.primaries.nodes);
                    self.keep(wire, &mut said).await;
                    if opened.elapsed() >= GOOD {
                        backoff.reset();
                    }
                }
                Err(failure) => {
                    self.report(&failure, &mut said);
                    self.publish.send_replace(State::Down(failure));
                }
            }
            sleep(backoff.next()).await;
        }
    }

    /// Offers the wire until it is in doubt.
    async fn keep(&mut self, mut wire: Wire, said: &mut Said) {
        let number = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        // First the connection, then the leave to keep copies: what is asked for from then on comes
        // from the servers whose changes are heard of.
        self.publish.send_replace(State::Connected(wire.commands.clone(), number));
        if let Err(failure) = wire.feed.as_ref().map_or(Ok(()), |feed| feed.go_live()) {
            wire.feed = Err(failure);
        }
        self.report_success(&wire, said);
        // Beside each other: a link that breaks in its first moments is in doubt as soon as any other.
        let (servers, clock, name) = (wire.servers(), self.clock.clone(), Arc::clone(&self.name));
        let doubt = tokio::select! {
            doubt = self.watch(&mut wire, number) => doubt,
            never = tell_findings(servers, &clock, &name, said) => match never {},
        };
        tracing::warn!(redis = %self.name, reason = %doubt.failure(), "The link to Redis is set up anew");
        // The rest of a cluster goes on while one of its servers is replaced; and where only changes
        // are not heard of, commands go on.
        let goes_on =
            matches!(wire.commands, Connection::Cluster(_)) || matches!(doubt, Doubt::Feed(_));
        if !goes_on {
            self.publish.send_replace(State::Connecting);
        }
    }

    async fn watch(&mut self, wire: &mut Wire, number: u64) -> Doubt {
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let deaf = wire.feed.as_ref().err().cloned();
        let retry = sleep(match &deaf {
            Some(failure) if failure.is_lasting() => LASTING_FEED_RETRY,
            _ => FEED_RETRY,
        });
        tokio::pin!(retry);
        let Self { connector, complaints, .. } = self;
        let sentinels = connector.sentinels_differ(wire.primaries.clone());
        tokio::pin!(sentinels);
        loop {
            let lost = async {
                match &wire.feed {
                    Ok(feed) => feed.lost().await,
                    Err(_) => std::future::pending().await,
                }
            };
            tokio::select! {
                () = lost => return Doubt::Feed(Failure::Lost("changes are not heard of".to_owned())),
                () = &mut retry, if deaf.is_some() => {
                    return Doubt::Feed(deaf.unwrap_or(Failure::TooOld));
                }
                failure = &mut sentinels => return Doubt::Feed(failure),
                Some(complaint) = complaints.recv() => {
                    if complaint.connection != number {
                        continue;
                    }
                    if complaint.failure.wants_another_connection() {
                        return Doubt::Commands(complaint.failure);
                    }
                    heartbeat.reset();
                }
                _ = heartbeat.tick() => {}
            }
            if let Err(doubt) = connector.heartbeat(wire).await {
                return doubt;
            }
        }
    }

    fn report(&self, failure: &Failure, said: &mut Said) {
        if said.failure.as_ref() != Some(failure) {
            tracing::error!(redis = %self.name, reason = %failure, "Redis is not available");
            said.failure = Some(failure.clone());
        }
    }

    fn report_success(&self, wire: &Wire, said: &mut Said) {
        if said.failure.take().is_some() {
            tracing::info!(redis = %self.name, "Redis is available again");
        }
        let deaf = wire.feed.as_ref().err().cloned();
        if let Some(reason) = deaf.as_ref().filter(|_| said.feed != deaf) {
            tracing::warn!(
                redis = %self.name, %reason,
                "Ended sessions are not heard of, so every request asks Redis",
            );
        }
        said.feed = deaf;
    }
}

/// Says what there is to say of the servers, and leaves the rest to whoever watches the link.
async fn tell_findings(
    servers: Vec<(String, MultiplexedConnection)>,
    clock: &Clock,
    name: &str,
    said: &mut Said,
) -> Infallible {
    let findings = inspect(servers, clock).await;
    for finding in findings.iter().filter(|finding| !said.findings.contains(finding)) {
        tracing::warn!(redis = %name, "{finding}");
    }
    if !findings.is_empty() {
        said.findings = findings;
    }
    std::future::pending().await
}
