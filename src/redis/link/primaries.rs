//! Which servers are the primaries now.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::aio::MultiplexedConnection;
use redis::{ProtocolVersion, RedisError, Value};
use tokio::time::{Instant, timeout, timeout_at};

use super::super::failure::Failure;
use super::super::settings::{Address, Server};
use super::connector::{Connector, Node, Role};

/// Once one sentinel has answered, how long the others may still contradict it.
const LATE_SENTINELS: Duration = Duration::from_millis(100);

/// The primaries, and the one that told of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Primaries {
    pub(super) seed: Node,
    pub(super) nodes: BTreeSet<Node>,
}

impl Connector {
    /// Finds the primaries; `known` are those of before, which may be there when all that the settings
    /// name are gone.
    pub(super) async fn primaries(&self, known: &BTreeSet<Node>) -> Result<Primaries, Failure> {
        let one = |node: Node| Primaries { seed: node.clone(), nodes: BTreeSet::from([node]) };
        match &self.settings.server {
            Server::Single(address) => Ok(one(Node::Tcp(address.clone()))),
            Server::Unix(path) => Ok(one(Node::Unix(path.clone()))),
            Server::Sentinel { nodes, master } => {
                Ok(one(Node::Tcp(self.ask_sentinels(nodes, master).await?)))
            }
            Server::Cluster(nodes) => self.ask_cluster(nodes, known).await,
        }
    }

    /// The primary that the sentinels agreed on last. A sentinel that was cut off may still name the
    /// one before; each agreement has a higher epoch.
    /// <https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/#configuration-epochs>
    async fn ask_sentinels(&self, nodes: &[Address], master: &str) -> Result<Address, Failure> {
        let mut asked: FuturesUnordered<_> =
            nodes.iter().map(|node| self.ask_sentinel(node, master)).collect();
        let mut deadline = Instant::now() + self.settings.connect_timeout;
        let mut latest: Option<Named> = None;
        let mut failure = Failure::NoSentinel(self.settings.server.to_string());
        while let Ok(Some(answer)) = timeout_at(deadline, asked.next()).await {
            match answer {
                Ok(named) => {
                    deadline = deadline.min(Instant::now() + LATE_SENTINELS);
                    if latest.as_ref().is_none_or(|latest| latest.epoch < named.epoch) {
                        latest = Some(named);
                    }
                }
                Err(told @ Failure::UnknownMaster(_)) => failure = told,
                Err(error) => tracing::debug!(%error, "A sentinel does not answer"),
            }
        }
        latest.map(|latest| latest.address).ok_or(failure)
    }

    async fn ask_sentinel(&self, node: &Address, master: &str) -> Result<Named, Failure> {
        let node = Node::Tcp(node.clone());
        let mut connection = self.connect(&node, Role::Sentinel).await?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("MASTER").arg(master);
        let answer: Result<HashMap<String, String>, RedisError> =
            question.query_async(&mut connection).await;
        let fields = match answer {
            Err(error) if error.to_string().contains("No such master") => {
                return Err(Failure::UnknownMaster(master.to_owned()));
            }
            answer => answer?,
        };
        let named = || {
            let host = fields.get("ip")?.clone();
            let port = fields.get("port")?.parse().ok()?;
            let epoch = fields.get("config-epoch")?.parse().ok()?;
            Some(Named { epoch, address: Address { host, port } })
        };
        named().ok_or_else(|| Failure::Unexpected("SENTINEL MASTER without an address".to_owned()))
    }

    /// The primaries as the first node to answer sees them.
    async fn ask_cluster(
        &self,
        nodes: &[Address],
        known: &BTreeSet<Node>,
    ) -> Result<Primaries, Failure> {
        let configured = nodes.iter().cloned().map(Node::Tcp);
        let candidates: BTreeSet<Node> = configured.chain(known.iter().cloned()).collect();
        let mut asked: FuturesUnordered<_> =
            candidates.into_iter().map(|node| self.ask_node(node)).collect();
        let mut failure = Failure::ClusterDown;
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(primaries) => return Ok(primaries),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn ask_node(&self, node: Node) -> Result<Primaries, Failure> {
        let role = Role::Commands(ProtocolVersion::RESP2);
        let mut connection = self.connect(&node, role).await?;
        let limit = self.settings.connect_timeout;
        let slots = timeout(limit, slots(&mut connection, &node)).await;
        let nodes = slots.unwrap_or(Err(Failure::Timeout(limit)))?;
        Ok(Primaries { seed: node, nodes })
    }
}

/// What one sentinel says.
struct Named {
    epoch: u64,
    address: Address,
}

/// The primaries that hold slots, as one node sees them.
pub(super) async fn slots(
    connection: &mut MultiplexedConnection,
    asked: &Node,
) -> Result<BTreeSet<Node>, Failure> {
    let ranges: Vec<Value> = redis::cmd("CLUSTER").arg("SLOTS").query_async(connection).await?;
    let nodes: Option<BTreeSet<Node>> =
        ranges.iter().map(|range| primary_of(range, asked)).collect();
    match nodes {
        Some(nodes) if nodes.is_empty() => Err(Failure::ClusterDown),
        Some(nodes) => Ok(nodes),
        None => Err(Failure::Unexpected("CLUSTER SLOTS of another shape".to_owned())),
    }
}

/// `[first, last, [host, port, …], replicas…]`; without a host it is the one that was asked.
/// <https://redis.io/docs/latest/commands/cluster-slots/>
fn primary_of(range: &Value, asked: &Node) -> Option<Node> {
    let primary = range.as_sequence()?.get(2)?.as_sequence()?;
    let host: Option<String> = redis::from_redis_value_ref(primary.first()?).ok()?;
    let port: u16 = redis::from_redis_value_ref(primary.get(1)?).ok()?;
    let host = match (host, asked) {
        (Some(host), _) if !host.is_empty() && host != "?" => host,
        (_, Node::Tcp(asked)) => asked.host.clone(),
        (_, Node::Unix(_)) => return None,
    };
    Some(Node::Tcp(Address { host, port }))
}
