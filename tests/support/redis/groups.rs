//! Servers that belong together: under sentinels, and as a cluster.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use super::certificates::Certificates;
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
        Self::start_with(None, None, None).await
    }

    /// Servers and sentinels that let in only who has the password of theirs.
    pub(crate) async fn with_passwords(servers: &str, sentinels: &str) -> Self {
        Self::start_with(Some(servers), Some(sentinels), None).await
    }

    /// Servers and sentinels that speak only TLS, and with those who show a certificate.
    pub(crate) async fn with_tls() -> Self {
        Self::start_with(None, None, Some(Arc::new(Certificates::new()))).await
    }

    async fn start_with(
        servers: Option<&str>,
        sentinels: Option<&str>,
        certificates: Option<Arc<Certificates>>,
    ) -> Self {
        let server = async |args: &[&str]| match &certificates {
            None => Server::with_login(args, servers).await,
            Some(certificates) => {
                let args = [args, &["--tls-replication", "yes"]].concat();
                Server::with_certificates(&args, Arc::clone(certificates)).await
            }
        };
        let primary = server(&[]).await;
        let port = primary.address().port().to_string();
        let following = ["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"];
        let replica = server(&following).await;
        eventually("the replica follows", PATIENCE, async || {
            replica.command::<String>(&["INFO", "replication"]).await.contains("link_status:up")
        })
        .await;
        let mut config = sentinel_config(&port, servers, sentinels);
        if certificates.is_some() {
            config.push_str("tls-replication yes\n");
        }
        let mut watching = Vec::new();
        for _ in 0..3 {
            watching.push(Server::sentinel(&config, sentinels, certificates.clone()).await);
        }
        for sentinel in &watching {
            eventually("sentinels know each other and the replica", PATIENCE, async || {
                let info: String = sentinel.command(&["INFO", "sentinel"]).await;
                info.contains("slaves=1,sentinels=3")
            })
            .await;
        }
        Self { servers: vec![primary, replica], sentinels: watching }
    }

    pub(crate) fn url(&self) -> String {
        let nodes: Vec<_> = self.sentinels.iter().map(|it| it.address().to_string()).collect();
        let scheme = if self.servers[0].url().starts_with("rediss") { "rediss" } else { "redis" };
        format!("{scheme}+sentinel://{}/{MASTER}", nodes.join(","))
    }
}

fn sentinel_config(port: &str, servers: Option<&str>, sentinels: Option<&str>) -> String {
    let mut config = format!(
        "sentinel monitor {MASTER} 127.0.0.1 {port} 2\n\
         sentinel down-after-milliseconds {MASTER} 500\n\
         sentinel failover-timeout {MASTER} 3000\n"
    );
    if let Some(password) = servers {
        config.push_str(&format!("sentinel auth-pass {MASTER} {password}\n"));
    }
    if let Some(password) = sentinels {
        config.push_str(&format!("requirepass {password}\nsentinel sentinel-pass {password}\n"));
    }
    config
}

/// Three primaries, each with a replica where one is to be lost.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
}

impl Cluster {
    pub(crate) async fn start(replicas: usize) -> Self {
        Self::start_with(replicas, None, None).await
    }

    pub(crate) async fn with_password(password: &str) -> Self {
        Self::start_with(0, Some(password), None).await
    }

    pub(crate) async fn with_tls() -> Self {
        Self::start_with(0, None, Some(Arc::new(Certificates::new()))).await
    }

    async fn start_with(
        replicas: usize,
        password: Option<&str>,
        certificates: Option<Arc<Certificates>>,
    ) -> Self {
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
            servers.push(match &certificates {
                None => Server::with_login(&args, password).await,
                Some(certificates) => {
                    let args = [&args[..], &["--tls-cluster", "yes"]].concat();
                    Server::with_certificates(&args, Arc::clone(certificates)).await
                }
            });
        }
        let nodes = servers.iter().map(|server| server.address().to_string());
        let mut create = tokio::process::Command::new("redis-cli");
        if let Some(password) = password {
            create.env("REDISCLI_AUTH", password);
        }
        if let Some(certificates) = &certificates {
            create.args(certificates.client_args());
        }
        let created = create
            .args(["--cluster", "create"])
            .args(nodes)
            .args(["--cluster-replicas", &replicas.to_string(), "--cluster-yes"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let created = tokio::time::timeout(PATIENCE, created)
            .await
            .expect("redis-cli makes a cluster in time")
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
        let scheme = if self.servers[0].url().starts_with("rediss") { "rediss" } else { "redis" };
        format!("{scheme}+cluster://{}", nodes.join(","))
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

/// Whether a primary's replica has all that was written.
pub(crate) async fn is_copied(server: &Server) -> bool {
    let info: String = server.command(&["INFO", "replication"]).await;
    let offset = info.lines().find_map(|line| line.strip_prefix("master_repl_offset:"));
    let offset = format!("offset={},", offset.unwrap());
    info.lines().filter(|line| line.starts_with("slave0:")).all(|line| line.contains(&offset))
}

/// The longest that a failover may take here, from the death of the primary on.
pub(crate) const FAILOVER: Duration = Duration::from_secs(5);
