//! The connections of one moment: for commands, and to hear of changes, to the same primaries.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ProtocolVersion, RedisResult, Value};
use tokio::time::{sleep, timeout};

use super::super::failure::Failure;
use super::super::settings::Server;
use super::connection::Connection;
use super::connector::{Connector, Node, Role};
use super::feed::Feed;
use super::primaries::{Primaries, slots};

/// How long an answer to a heartbeat may take. With the time between two of them it is below the second
/// within which every gateway knows of a logout, whatever became of its link.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_millis(400);
/// How often the sentinels are asked whether they still mean the same primary.
const SENTINELS_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Wire {
    pub(super) commands: Connection,
    /// Without it commands still work, and nothing may be kept.
    pub(super) feed: Result<Feed, Failure>,
    pub(super) primaries: Primaries,
    beats: usize,
}

impl Wire {
    /// A connection to each server, with what findings about it begin with.
    pub(super) fn servers(&self) -> Vec<(String, MultiplexedConnection)> {
        match (&self.feed, &self.commands) {
            (Ok(feed), _) => {
                let servers = feed.connections.iter().cloned();
                servers.map(|(node, connection)| (format!("{node}: "), connection)).collect()
            }
            (Err(_), Connection::Server(connection)) => vec![(String::new(), connection.clone())],
            // What it would answer is not one server's.
            (Err(_), Connection::Cluster(_)) => Vec::new(),
        }
    }
}

/// Why a wire is not trusted any more.
#[derive(Debug)]
pub(super) enum Doubt {
    /// Commands do not get through, or to the wrong server.
    Commands(Failure),
    /// Changes are not heard of.
    Feed(Failure),
}

impl Connector {
    pub(super) async fn open(&self, known: &BTreeSet<Node>) -> Result<Wire, Failure> {
        let primaries = self.primaries(known).await?;
        let (commands, feed) =
            tokio::join!(self.commands(&primaries.seed), Feed::open(self, &primaries));
        Ok(Wire { commands: commands?, feed, primaries, beats: 0 })
    }

    async fn commands(&self, node: &Node) -> Result<Connection, Failure> {
        let mut connection = match &self.settings.server {
            Server::Cluster(_) => Connection::Cluster(self.connect_cluster(node).await?),
            Server::Single(_) | Server::Unix(_) | Server::Sentinel { .. } => {
                Connection::Server(self.connect_primary(node).await?)
            }
        };
        // A Redis that is loading lets everybody in, and refuses from the first command on.
        if let Connection::Server(_) = connection {
            self.limited(redis::cmd("PING").query_async::<()>(&mut connection)).await?;
        }
        Ok(connection)
    }

    async fn connect_primary(&self, node: &Node) -> Result<MultiplexedConnection, Failure> {
        match self.connect(node, Role::Commands(ProtocolVersion::RESP3)).await {
            Ok(mut connection) => {
                self.limited(hello(&mut connection)).await?.be_primary()?;
                Ok(connection)
            }
            Err(Failure::TooOld) => {
                self.connect(node, Role::Commands(ProtocolVersion::RESP2)).await
            }
            Err(failure) => Err(failure),
        }
    }

    /// An answer within the time for connecting.
    pub(super) async fn limited<T>(
        &self,
        request: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, Failure> {
        within(self.settings.connect_timeout, request).await
    }

    /// Asks after both sides of a wire.
    pub(super) async fn heartbeat(&self, wire: &mut Wire) -> Result<(), Doubt> {
        wire.beats += 1;
        let Wire { commands, feed, primaries, beats } = wire;
        // The library asks all primaries of a cluster. Where one is known to be away, that fails, and
        // says nothing about the others.
        let ask_commands = feed.is_ok() || matches!(commands, Connection::Server(_));
        let commands = async {
            match ask_commands {
                true => within(HEARTBEAT_TIMEOUT, redis::cmd("PING").query_async(commands)).await,
                false => Ok(()),
            }
        };
        let feed = async {
            match feed {
                Ok(feed) => self.ask_feed(feed, primaries, *beats).await,
                Err(_) => Ok(()),
            }
        };
        let (commands, feed) = tokio::join!(commands, feed);
        commands.map_err(Doubt::Commands)?;
        feed.map_err(Doubt::Feed)
    }

    /// Whether every connection still reaches a primary, and a cluster still has the same ones.
    async fn ask_feed(
        &self,
        feed: &mut Feed,
        primaries: &Primaries,
        beat: usize,
    ) -> Result<(), Failure> {
        let turn = beat % feed.connections.len().max(1);
        let asked_for_slots = match &self.settings.server {
            Server::Cluster(_) => feed.connections.get(turn).cloned(),
            Server::Single(_) | Server::Unix(_) | Server::Sentinel { .. } => None,
        };
        let slots = async {
            let Some((node, mut connection)) = asked_for_slots else { return Ok(()) };
            let slots = timeout(HEARTBEAT_TIMEOUT, slots(&mut connection, &node)).await;
            same(primaries, slots.unwrap_or(Err(Failure::Timeout(HEARTBEAT_TIMEOUT)))?)
        };
        let asked = feed.connections.iter_mut().map(|(_, connection)| async {
            within(HEARTBEAT_TIMEOUT, hello(connection)).await?.be_primary()
        });
        // At once, for all of it has the time of one answer.
        tokio::try_join!(futures_util::future::try_join_all(asked), slots).map(|_| ())
    }

    /// Waits until the sentinels mean another primary. Beside the heartbeats, which do not wait for it.
    pub(super) async fn sentinels_differ(&self, primaries: Primaries) -> Failure {
        if !matches!(self.settings.server, Server::Sentinel { .. }) {
            return std::future::pending().await;
        }
        loop {
            sleep(SENTINELS_EVERY).await;
            // A primary that answers is not doubted because nobody watches it.
            let Ok(now) = self.primaries(&primaries.nodes).await else { continue };
            if let Err(failure) = same(&primaries, now.nodes) {
                return failure;
            }
        }
    }
}

fn same(primaries: &Primaries, now: BTreeSet<Node>) -> Result<(), Failure> {
    if now == primaries.nodes {
        Ok(())
    } else {
        Err(Failure::Lost("the primary is another one now".to_owned()))
    }
}

impl Doubt {
    pub(super) fn failure(&self) -> &Failure {
        match self {
            Self::Commands(failure) | Self::Feed(failure) => failure,
        }
    }
}

/// What a server says of itself, which every user may ask.
/// <https://redis.io/docs/latest/commands/hello/>
struct Hello(HashMap<String, Value>);

impl Hello {
    fn be_primary(&self) -> Result<(), Failure> {
        match self.0.get("role") {
            Some(Value::BulkString(role)) if role != b"master" => Err(Failure::ReadOnly),
            _ => Ok(()),
        }
    }
}

async fn hello(connection: &mut MultiplexedConnection) -> RedisResult<Hello> {
    redis::cmd("HELLO").arg(3).query_async(connection).await.map(Hello)
}

async fn within<T>(
    limit: Duration,
    request: impl Future<Output = RedisResult<T>>,
) -> Result<T, Failure> {
    match timeout(limit, request).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::Timeout(limit)),
    }
}
