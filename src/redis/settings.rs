//! Where Redis is and how to log in there, checked once and never again.

mod url;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use self::url::ParsedUrl;
pub use self::url::UrlError;
use crate::secret::Secret;

/// Redis of the `[store]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub server: Server,
    /// How to log in.
    pub login: Login,
    /// How to log in to the sentinels, which have users of their own.
    pub sentinel_login: Login,
    /// The number of the database.
    pub database: u32,
    /// What all keys start with.
    pub key_prefix: KeyPrefix,
    /// For one operation.
    pub timeout: Duration,
    /// For setting up one connection, with TLS and login.
    pub connect_timeout: Duration,
    /// Whether the connection is TLS, and with what.
    pub tls: Option<Tls>,
}

/// Where Redis is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// One server, or an address behind which there is always one.
    Single(Address),
    /// One server on this machine.
    Unix(PathBuf),
    /// The primary that the sentinels name.
    Sentinel {
        /// The sentinels; never empty.
        nodes: Vec<Address>,
        /// The name of the primary there.
        master: String,
    },
    /// A cluster, found through any of these; never empty.
    Cluster(Vec<Address>),
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// How to log in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// The ACL user; `default` where there is none.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Password>,
}

/// A password, or where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// The password itself.
    Given(Secret),
    /// A file that is read for each new connection, so that a rotated password is found there.
    File(PathBuf),
}

/// TLS to Redis. The files are read for each new connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Who may have signed Redis' certificate; the system's list where there is none.
    pub ca: Option<PathBuf>,
    /// Our certificate and its key.
    pub client: Option<ClientCertificate>,
}

/// The certificate that we show to Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate and those that signed it.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// What all keys start with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPrefix(String);

/// The keys of the `[store]` table beside `url`. What is given here goes before what the URL says.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the fields are those of Settings")]
pub struct Options {
    pub username: Option<String>,
    pub password: Option<Password>,
    pub database: Option<u32>,
    pub key_prefix: Option<KeyPrefix>,
    pub timeout: Option<Duration>,
    pub connect_timeout: Option<Duration>,
    pub tls: Option<Tls>,
    pub sentinel_master: Option<String>,
    pub sentinel_login: Login,
}

/// Why settings are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The URL does not say where Redis is.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// TLS files with a URL that is not TLS.
    #[error("`tls` needs a url that begins with `rediss`")]
    TlsWithoutTls,
    /// Sentinels, and no name of a primary.
    #[error(
        "sentinels need the name of the primary: redis+sentinel://HOST/NAME or `sentinel_master`"
    )]
    NoSentinelMaster,
    /// A name of a primary, and no sentinels.
    #[error("`sentinel_master` needs a url that begins with `redis+sentinel`")]
    MasterWithoutSentinels,
    /// A cluster has only database 0.
    #[error("a Redis Cluster has only database 0")]
    DatabaseInCluster,
    /// An ACL user cannot log in without one.
    #[error("a `username` needs a password")]
    UsernameWithoutPassword,
    /// No operation could end in no time.
    #[error("`timeout` and `connect_timeout` must be longer than nothing")]
    NoTime,
}

impl Settings {
    /// Settings from a URL alone.
    pub fn parse_url(url: &str) -> Result<Self, SettingsError> {
        Self::new(url, Options::default())
    }

    /// Settings from a URL and what stands beside it.
    pub fn new(url: &str, options: Options) -> Result<Self, SettingsError> {
        let url = ParsedUrl::parse(url)?;
        let login = Login {
            username: options.username.or(url.username),
            password: options.password.or_else(|| url.password.map(Password::Given)),
        };
        let settings = Self {
            server: server(url.server, options.sentinel_master)?,
            login,
            sentinel_login: options.sentinel_login,
            database: options.database.or(url.database).unwrap_or(0),
            key_prefix: options.key_prefix.unwrap_or_default(),
            timeout: options.timeout.unwrap_or(Duration::from_millis(250)),
            connect_timeout: options.connect_timeout.unwrap_or(Duration::from_secs(1)),
            tls: match (url.tls, options.tls) {
                (false, Some(_)) => return Err(SettingsError::TlsWithoutTls),
                (false, None) => None,
                (true, tls) => Some(tls.unwrap_or_default()),
            },
        };
        settings.checked()
    }

    fn checked(self) -> Result<Self, SettingsError> {
        if self.database != 0 && matches!(self.server, Server::Cluster(_)) {
            return Err(SettingsError::DatabaseInCluster);
        }
        for login in [&self.login, &self.sentinel_login] {
            if login.username.is_some() && login.password.is_none() {
                return Err(SettingsError::UsernameWithoutPassword);
            }
        }
        if self.timeout.is_zero() || self.connect_timeout.is_zero() {
            return Err(SettingsError::NoTime);
        }
        Ok(self)
    }
}

/// The server of the URL, with the name of the primary from beside it.
fn server(server: url::Server, master: Option<String>) -> Result<Server, SettingsError> {
    match (server, master) {
        (url::Server::Sentinel { nodes, master: named }, master) => {
            let master = master.or(named).ok_or(SettingsError::NoSentinelMaster)?;
            Ok(Server::Sentinel { nodes, master })
        }
        (_, Some(_)) => Err(SettingsError::MasterWithoutSentinels),
        (url::Server::Single(address), None) => Ok(Server::Single(address)),
        (url::Server::Unix(path), None) => Ok(Server::Unix(path)),
        (url::Server::Cluster(nodes), None) => Ok(Server::Cluster(nodes)),
    }
}

impl KeyPrefix {
    const MAX_LENGTH: usize = 64;

    /// Reads a prefix: printable ASCII without spaces and without braces, which would put every key of
    /// a cluster in one slot.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}');
        (text.len() <= Self::MAX_LENGTH && text.bytes().all(fits)).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for KeyPrefix {
    fn default() -> Self {
        Self("wxgate:".to_owned())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |nodes: &[Address]| nodes.iter().map(Address::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Single(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Sentinel { nodes, master } => {
                write!(f, "{master} (sentinels {})", list(nodes))
            }
            Self::Cluster(nodes) => write!(f, "cluster {}", list(nodes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_alone_is_enough() {
        let settings = Settings::parse_url("redis://cache").unwrap();
        let address = Address { host: "cache".to_owned(), port: 6379 };
        assert_eq!(settings.server, Server::Single(address));
        assert_eq!((settings.database, settings.key_prefix.as_str()), (0, "wxgate:"));
        assert!(settings.tls.is_none() && settings.login.password.is_none());
    }

    #[test]
    fn what_stands_beside_the_url_goes_first() {
        let options = Options {
            username: Some("gate".to_owned()),
            password: Some(Password::File("password".into())),
            database: Some(3),
            ..Options::default()
        };
        let settings = Settings::new("redis://other:secret@cache/1", options).unwrap();
        assert_eq!(settings.login.username.as_deref(), Some("gate"));
        assert!(matches!(settings.login.password, Some(Password::File(_))));
        assert_eq!(settings.database, 3);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let refused = |url, options| Settings::new(url, options).unwrap_err();
        let tls = Options { tls: Some(Tls::default()), ..Options::default() };
        assert_eq!(refused("redis://a", tls), SettingsError::TlsWithoutTls);
        assert_eq!(
            refused("redis+sentinel://a", Options::default()),
            SettingsError::NoSentinelMaster
        );
        let master = Options { sentinel_master: Some("m".to_owned()), ..Options::default() };
        assert_eq!(refused("redis://a", master), SettingsError::MasterWithoutSentinels);
        let database = Options { database: Some(1), ..Options::default() };
        assert_eq!(refused("redis+cluster://a", database), SettingsError::DatabaseInCluster);
        let username = Options { username: Some("u".to_owned()), ..Options::default() };
        assert_eq!(refused("redis://a", username), SettingsError::UsernameWithoutPassword);
        let timeout = Options { timeout: Some(Duration::ZERO), ..Options::default() };
        assert_eq!(refused("redis://a", timeout), SettingsError::NoTime);
    }

    #[test]
    fn a_prefix_cannot_steer_the_slots() {
        assert!(KeyPrefix::parse("shop:prod:").is_some() && KeyPrefix::parse("").is_some());
        for bad in ["{a}", "a b", "a\n", "é", &"a".repeat(65)] {
            assert!(KeyPrefix::parse(bad).is_none(), "{bad}");
        }
    }
}
