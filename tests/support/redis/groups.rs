//! Servers that belong together: under sentinels, and as a cluster.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::{PATIENCE, Server, eventually, free_port};

/// The name of the primary at the sentinels.
pub(crate) const MASTER: &str = "shop";

/// A primary, a replica, and three sentinels that watch them.
pub(crate) struct Watched {
    pub(crate) servers: Vec<Server>,
    pub(crate) sentinels: Vec<Server>,
}

impl Watched {
    pub(crate) async fn start() -> Self {
        let primary = Server::start().await;
        let port = primary.address().port().to_string();
        let replica =
            Server::with(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"])
                .await;
        eventually("the replica follows", PATIENCE, async || {
            replica.command::<String>(&["INFO", "replication"]).await.contains("link_status:up")
        })
        .await;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(sentinel(&port).await);
        }
        for sentinel in &sentinels {
            eventually("sentinels know each other and the replica", PATIENCE, async || {
                let info: String = sentinel.command(&["INFO", "sentinel"]).await;
                info.contains("slaves=1,sentinels=3")
            })
            .await;
        }
        Self { servers: vec![primary, replica], sentinels }
    }

    pub(crate) fn url(&self) -> String {
        let nodes: Vec<_> = self.sentinels.iter().map(|it| it.address().to_string()).collect();
        format!("redis+sentinel://{}/{MASTER}", nodes.join(","))
    }
}

async fn sentinel(port: &str) -> Server {
    let config = format!(
        "sentinel monitor {MASTER} 127.0.0.1 {port} 2\n\
         sentinel down-after-milliseconds {MASTER} 500\n\
         sentinel failover-timeout {MASTER} 3000\n"
    );
    Server::sentinel(&config).await
}

/// Three primaries, each with a replica where one is to be lost.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
}

impl Cluster {
    pub(crate) async fn start(replicas: usize) -> Self {
        let mut servers = Vec::new();
        for _ in 0..3 * (1 + replicas) {
            let bus = free_port().to_string();
            let args = [
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-node-timeout",
                "1000",
                "--repl-diskless-sync-delay",
                "0",
            ];
            servers.push(Server::with(&args).await);
        }
        let nodes = servers.iter().map(|server| server.address().to_string());
        let created = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(nodes)
            .args(["--cluster-replicas", &replicas.to_string(), "--cluster-yes"])
            .stdin(Stdio::null())
            .output()
            .expect("these tests need the program redis-cli (Debian: apt install redis-tools)");
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
        for server in &servers {
            eventually("the cluster is whole", PATIENCE, async || {
                let info: String = server.command(&["CLUSTER", "INFO"]).await;
                let role: String = server.command(&["INFO", "replication"]).await;
                info.contains("cluster_state:ok")
                    && (role.contains("role:master") || role.contains("link_status:up"))
            })
            .await;
        }
        // The other nodes hear of replicas by gossip.
        let expected = 3 * replicas;
        for server in &servers {
            eventually("replicas are known", PATIENCE, async || {
                let nodes: String = server.command(&["CLUSTER", "NODES"]).await;
                nodes.matches(" slave ").count() + nodes.matches(",slave ").count() == expected
            })
            .await;
        }
        Self { servers }
    }

    pub(crate) fn url(&self) -> String {
        let nodes: Vec<_> = self.servers.iter().map(|it| it.address().to_string()).collect();
        format!("redis+cluster://{}", nodes.join(","))
    }

    /// The position of a server in this role.
    pub(crate) async fn position(&self, role: &str) -> usize {
        for (position, server) in self.servers.iter().enumerate() {
            let info: String = server.command(&["INFO", "replication"]).await;
            if info.contains(&format!("role:{role}")) {
                return position;
            }
        }
        panic!("no server is a {role}");
    }
}

/// The longest that a failover may take here, from the death of the primary on.
pub(crate) const FAILOVER: Duration = Duration::from_secs(5);
