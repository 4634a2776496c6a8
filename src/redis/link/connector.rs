//! Setting up connections: address, TLS, login, and the first question.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::cluster::{ClusterClient, TlsMode};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo,
    IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, TlsCertificates,
};
use tokio::time::timeout;

use super::super::failure::Failure;
use super::super::settings::{Address, Login, Password, Settings, Tls};
use crate::secret::Secret;
use crate::session::store::Invalidations;

/// After this long without an answer from the peer's kernel, the connection is given up.
const USER_TIMEOUT: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Sets connections up as the settings say.
pub(super) struct Connector {
    pub(super) settings: Settings,
    /// What the names of the keys start with whose changes are to be heard of.
    pub(super) tracked: String,
    pub(super) invalidations: Arc<dyn Invalidations>,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    Tcp(Address),
    Unix(PathBuf),
}

/// What a connection is for.
pub(super) enum Role {
    Commands(ProtocolVersion),
    /// To hear of changes.
    Feed(Arc<dyn AsyncPushSender>),
    /// To ask a sentinel, which has its own users and no databases.
    Sentinel,
}

impl Connector {
    pub(super) fn new(
        settings: Settings,
        tracked: String,
        invalidations: Arc<dyn Invalidations>,
    ) -> Self {
        Self { settings, tracked, invalidations }
    }

    /// A connection that is logged in, within the time for it.
    pub(super) async fn connect(
        &self,
        node: &Node,
        role: Role,
    ) -> Result<MultiplexedConnection, Failure> {
        let limit = self.settings.connect_timeout;
        let connect = self.connect_unlimited(node, role);
        timeout(limit, connect).await.unwrap_or(Err(Failure::Timeout(limit)))
    }

    async fn connect_unlimited(
        &self,
        node: &Node,
        role: Role,
    ) -> Result<MultiplexedConnection, Failure> {
        let client = self.client(node, &role).await?;
        // The limits are ours: the library's would not hold while it resolves names, or writes.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let config = match role {
            Role::Feed(pushes) => config.set_push_sender(move |push| pushes.send(push)),
            Role::Commands(_) | Role::Sentinel => config,
        };
        Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
    }

    async fn client(&self, node: &Node, role: &Role) -> Result<Client, Failure> {
        let (login, database, protocol) = match role {
            Role::Commands(protocol) => (&self.settings.login, self.settings.database, *protocol),
            Role::Feed(_) => (&self.settings.login, self.settings.database, ProtocolVersion::RESP3),
            Role::Sentinel => (&self.settings.sentinel_login, 0, ProtocolVersion::RESP2),
        };
        let session = session(login, database, protocol).await?;
        let info = self.info(node)?.set_redis_settings(session);
        match (&self.settings.tls, node) {
            (Some(tls), Node::Tcp(_)) => {
                Ok(Client::build_with_tls(info, certificates(tls).await?)
                    .map_err(unreadable_tls)?)
            }
            _ => Ok(Client::open(info)?),
        }
    }

    /// A connection to all nodes of the cluster that this one belongs to.
    pub(super) async fn connect_cluster(&self, seed: &Node) -> Result<ClusterConnection, Failure> {
        // It looks for the nodes first, and then connects to them.
        let limit = self.settings.connect_timeout * 2;
        let connect = async {
            let client = self.cluster_client(seed).await?;
            Ok(client.get_async_connection().await?)
        };
        timeout(limit, connect).await.unwrap_or(Err(Failure::Timeout(limit)))
    }

    async fn cluster_client(&self, seed: &Node) -> Result<ClusterClient, Failure> {
        let mut builder = ClusterClient::builder([self.info(seed)?])
            .connection_timeout(self.settings.connect_timeout)
            .response_timeout(self.settings.timeout)
            .overall_response_timeout(Some(self.settings.timeout))
            .tcp_settings(tcp())
            .use_protocol(ProtocolVersion::RESP3)
            .min_retry_wait(10)
            .max_retry_wait(100)
            .retries(4);
        if let Some(username) = &self.settings.login.username {
            builder = builder.username(username);
        }
        if let Some(password) = password(&self.settings.login).await? {
            builder = builder.password(password.expose());
        }
        if let Some(tls) = &self.settings.tls {
            builder = builder.tls(TlsMode::Secure).certs(certificates(tls).await?);
        }
        Ok(builder.build()?)
    }

    fn info(&self, node: &Node) -> Result<ConnectionInfo, Failure> {
        let address = match node {
            Node::Tcp(Address { host, port }) if self.settings.tls.is_some() => {
                ConnectionAddr::TcpTls {
                    host: host.clone(),
                    port: *port,
                    insecure: false,
                    tls_params: None,
                }
            }
            Node::Tcp(Address { host, port }) => ConnectionAddr::Tcp(host.clone(), *port),
            Node::Unix(path) => ConnectionAddr::Unix(path.clone()),
        };
        Ok(address.into_connection_info()?.set_tcp_settings(tcp()))
    }
}

fn tcp() -> TcpSettings {
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE).with_retries(2);
    TcpSettings::default().set_nodelay(true).set_keepalive(keepalive).set_user_timeout(USER_TIMEOUT)
}

async fn session(
    login: &Login,
    database: u32,
    protocol: ProtocolVersion,
) -> Result<RedisConnectionInfo, Failure> {
    // CLIENT SETINFO is new, and not allowed to every ACL user.
    let mut session = RedisConnectionInfo::default()
        .set_protocol(protocol)
        .set_db(database.into())
        .set_skip_set_lib_name();
    if let Some(username) = &login.username {
        session = session.set_username(username);
    }
    if let Some(password) = password(login).await? {
        session = session.set_password(password.expose());
    }
    Ok(session)
}

async fn password(login: &Login) -> Result<Option<Secret>, Failure> {
    match &login.password {
        None => Ok(None),
        Some(Password::Given(password)) => Ok(Some(password.clone())),
        Some(Password::File(path)) => {
            let bytes = read(path).await?;
            let text = String::from_utf8(bytes).map_err(|_| unreadable(path, "it is no text"))?;
            Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n']))))
        }
    }
}

async fn certificates(tls: &Tls) -> Result<TlsCertificates, Failure> {
    let root_cert = match &tls.ca {
        Some(ca) => Some(read(ca).await?),
        None => None,
    };
    let client_tls = match &tls.client {
        Some(client) => Some(ClientTlsConfig {
            client_cert: read(&client.cert).await?,
            client_key: read(&client.key).await?,
        }),
        None => None,
    };
    Ok(TlsCertificates { client_tls, root_cert })
}

async fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    tokio::fs::read(path).await.map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, reason: impl ToString) -> Failure {
    Failure::Unreadable { file: path.display().to_string(), reason: reason.to_string() }
}

fn unreadable_tls(error: redis::RedisError) -> Failure {
    Failure::Tls(error.to_string())
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}
