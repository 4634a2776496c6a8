//! The link to Redis: one connection for commands and one that hears of changes, made and watched
//! together, so that what is heard is about what is read.
//!
//! A [`supervisor`] sets both up, asks after them twice a second and more, and sets them up anew on any doubt. Calls
//! take the connection that is there, and have a time limit of their own: a call never waits for a
//! connection longer than for an answer.

mod backoff;
mod certificate;
mod connection;
mod connector;
mod feed;
mod inspection;
mod permissions;
mod primaries;
mod supervisor;
mod wire;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Pipeline, RedisResult};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use self::connection::Connection;
use self::connector::Connector;
use self::supervisor::Supervisor;
use super::codec::Damaged;
use super::failure::Failure;
use super::finding::Finding;
use super::scripts::Invocation;
use super::settings::Settings;
use crate::clock::Clock;
use crate::session::record::SessionId;
use crate::session::store::{Invalidations, Unavailable};

/// Complaints that wait for the supervisor; one would do.
const COMPLAINTS: usize = 16;

/// The link to Redis. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Link {
    state: watch::Receiver<State>,
    complaints: mpsc::Sender<Complaint>,
    opened: Arc<AtomicU64>,
    timeout: Duration,
    name: Arc<str>,
}

/// What the supervisor has.
#[derive(Clone, Debug)]
enum State {
    /// Nothing yet, or nothing any more; it will know soon.
    Connecting,
    /// A connection, and the how manieth.
    Connected(Connection, u64),
    /// It tried, and failed.
    Down(Failure),
}

/// What went wrong with a call, and on which connection.
#[derive(Debug)]
struct Complaint {
    connection: u64,
    failure: Failure,
}

/// Sets a wire up once, and says what an operator should know of it; or why it cannot be.
pub(super) async fn examine(
    settings: Settings,
    clock: &Clock,
    tracked: String,
) -> Result<Vec<Finding>, Failure> {
    let connector = Connector::new(settings, tracked, Arc::new(Deaf));
    let wire = connector.open(&BTreeSet::new()).await?;
    let mut findings = inspection::findings(wire.servers(), clock).await;
    if let Err(failure) = &wire.feed {
        let text = format!("ended sessions are not heard of: {failure}");
        findings.push(Finding::fault("redis_feed", text));
    }
    let settings = &connector.settings;
    findings.extend(permissions::findings(&wire, settings.key_prefix.as_str()).await);
    findings.extend(certificate::findings(settings, &wire.primaries.nodes, clock).await);
    Ok(findings)
}

/// Keeps no copies, so it wants to hear of nothing.
struct Deaf;

impl Invalidations for Deaf {
    fn forget(&self, _: &SessionId) {}
    fn forget_all(&self) {}
    fn live(&self, _: bool) {}
}

impl Link {
    /// Starts the link on the runtime of the caller.
    pub(super) fn start(
        settings: Settings,
        clock: Clock,
        invalidations: Arc<dyn Invalidations>,
        tracked: String,
    ) -> Self {
        let timeout = settings.timeout;
        let name = Arc::from(settings.server.to_string());
        let (publish, state) = watch::channel(State::Connecting);
        let (complaints, heard) = mpsc::channel(COMPLAINTS);
        let opened = Arc::default();
        let supervisor = Supervisor {
            connector: Connector::new(settings, tracked, invalidations),
            clock,
            publish,
            complaints: heard,
            opened: Arc::clone(&opened),
            name: Arc::clone(&name),
        };
        tokio::spawn(supervisor.run());
        Self { state, complaints, opened, timeout, name }
    }

    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Unavailable> {
        self.call(async |connection| command.query_async(connection).await).await
    }

    pub(super) async fn pipeline<T: FromRedisValue>(
        &self,
        pipeline: &Pipeline,
    ) -> Result<T, Unavailable> {
        self.call(async |connection| pipeline.query_async(connection).await).await
    }

    pub(super) async fn run<T: FromRedisValue>(
        &self,
        invocation: &Invocation<'_>,
    ) -> Result<T, Unavailable> {
        self.call(async |connection| invocation.invoke(connection).await).await
    }

    /// The same for a script of a user, who may not be readable.
    pub(super) async fn run_on_user<T: FromRedisValue>(
        &self,
        invocation: &Invocation<'_>,
    ) -> Result<Result<T, Damaged>, Unavailable> {
        self.call(async |connection| invocation.invoke_on_user(connection).await).await
    }

    /// Why calls fail now, if they do. Setting a link up anew is no outage yet; the first one is until it stands.
    pub(super) fn outage(&self) -> Option<Unavailable> {
        match &*self.state.borrow() {
            State::Down(failure) => Some(self.unavailable(failure)),
            State::Connecting if self.opened() == 0 => Some(self.unavailable(&Failure::NotYet)),
            State::Connecting | State::Connected(..) => None,
        }
    }

    /// How many connections were set up so far.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    async fn call<T>(
        &self,
        request: impl AsyncFnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, Unavailable> {
        let deadline = Instant::now() + self.timeout;
        let (mut connection, number) = self.connection(deadline).await?;
        let failure = match timeout_at(deadline, request(&mut connection)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Failure::from(error),
            Err(_) => Failure::Timeout(self.timeout),
        };
        let unavailable = self.unavailable(&failure);
        if failure.wants_another_connection() || matches!(failure, Failure::Timeout(_)) {
            // Where the channel is full, the supervisor has enough to go by.
            let _ = self.complaints.try_send(Complaint { connection: number, failure });
        }
        Err(unavailable)
    }

    async fn connection(&self, deadline: Instant) -> Result<(Connection, u64), Unavailable> {
        let mut state = self.state.clone();
        let known = state.wait_for(|state| !matches!(state, State::Connecting));
        let failure = match timeout_at(deadline, known).await {
            Ok(Ok(state)) => match &*state {
                State::Connected(connection, number) => return Ok((connection.clone(), *number)),
                State::Down(failure) => failure.clone(),
                State::Connecting => Failure::Timeout(self.timeout),
            },
            Ok(Err(_)) => Failure::Lost("the gateway is stopping".to_owned()),
            Err(_) => Failure::Timeout(self.timeout),
        };
        Err(self.unavailable(&failure))
    }

    fn unavailable(&self, failure: &Failure) -> Unavailable {
        Unavailable(Arc::from(format!("Redis at {}: {failure}", self.name)))
    }
}
