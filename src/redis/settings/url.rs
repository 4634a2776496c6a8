//! The `url` of the `[store]` table, as far as it means Redis.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::Address;
use crate::secret::Secret;

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// What a URL says.
#[derive(Debug)]
pub(super) struct ParsedUrl {
    pub(super) server: Server,
    pub(super) tls: bool,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: Option<u32>,
}

/// Where a URL says Redis is; the name of a primary may stand elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Server {
    Single(Address),
    Unix(PathBuf),
    Sentinel { nodes: Vec<Address>, master: Option<String> },
    Cluster(Vec<Address>),
}

/// Why a URL is refused. The text repeats nothing of the URL, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not one of the schemes.
    #[error(
        "a Redis url begins with redis://, rediss://, redis+sentinel://, rediss+sentinel://, \
         redis+cluster://, rediss+cluster:// or unix:"
    )]
    Scheme,
    /// No host, or a port that is none.
    #[error("the url has no host, or one that is not HOST or HOST:PORT")]
    Host,
    /// More than one host where one is meant.
    #[error("more than one host needs redis+sentinel:// or redis+cluster://")]
    Hosts,
    /// The path is no number of a database.
    #[error("the path of the url is not the number of a database")]
    Database,
    /// A path after the hosts of a cluster.
    #[error("the url of a cluster has no path")]
    ClusterPath,
    /// A `?` or `#`.
    #[error("a Redis url has no parameters: they are keys of [store]")]
    Parameters,
    /// The path of the socket is not absolute.
    #[error("the path of a socket is absolute: unix:///run/redis.sock")]
    SocketPath,
    /// A percent sign without two digits, or bytes that are no text.
    #[error("the url has a percent escape that is no text")]
    Escape,
}

impl ParsedUrl {
    pub(super) fn parse(url: &str) -> Result<Self, UrlError> {
        if let Some(path) = url.strip_prefix("unix:") {
            return Self::unix(path.strip_prefix("//").unwrap_or(path));
        }
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        if rest.contains(['?', '#']) {
            return Err(UrlError::Parameters);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        let (kind, tls) = match scheme.split_once('+').unwrap_or((scheme, "")) {
            ("redis", kind) => (kind, false),
            ("rediss", kind) => (kind, true),
            _ => return Err(UrlError::Scheme),
        };
        let (server, database) = match kind {
            "" => (Server::Single(single(hosts)?), database(path)?),
            "sentinel" => sentinel(hosts, path)?,
            "cluster" if path.is_empty() => (Server::Cluster(addresses(hosts, PORT)?), None),
            "cluster" => return Err(UrlError::ClusterPath),
            _ => return Err(UrlError::Scheme),
        };
        let (username, password) = login.map_or(Ok((None, None)), credentials)?;
        Ok(Self { server, tls, username, password, database })
    }

    fn unix(path: &str) -> Result<Self, UrlError> {
        if !path.starts_with('/') {
            return Err(UrlError::SocketPath);
        }
        let server = Server::Unix(PathBuf::from(decoded(path)?));
        Ok(Self { server, tls: false, username: None, password: None, database: None })
    }
}

fn single(hosts: &str) -> Result<Address, UrlError> {
    if hosts.contains(',') {
        return Err(UrlError::Hosts);
    }
    address(hosts, PORT)
}

/// `NAME` or `NAME/DATABASE`.
fn sentinel(hosts: &str, path: &str) -> Result<(Server, Option<u32>), UrlError> {
    let nodes = addresses(hosts, SENTINEL_PORT)?;
    let (master, number) = path.split_once('/').unwrap_or((path, ""));
    let master = if master.is_empty() { None } else { Some(decoded(master)?) };
    Ok((Server::Sentinel { nodes, master }, database(number)?))
}

fn addresses(hosts: &str, port: u16) -> Result<Vec<Address>, UrlError> {
    hosts.split(',').map(|host| address(host, port)).collect()
}

fn address(text: &str, default_port: u16) -> Result<Address, UrlError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(UrlError::Host)?;
            (
                host,
                if port.is_empty() {
                    None
                } else {
                    Some(port.strip_prefix(':').ok_or(UrlError::Host)?)
                },
            )
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    if host.is_empty() || !host.bytes().all(fits) {
        return Err(UrlError::Host);
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(UrlError::Host)?,
        None => default_port,
    };
    Ok(Address { host: host.to_owned(), port })
}

fn database(path: &str) -> Result<Option<u32>, UrlError> {
    if path.is_empty() {
        return Ok(None);
    }
    path.parse().map(Some).map_err(|_| UrlError::Database)
}

/// `USER:PASSWORD`, `:PASSWORD`, or `USER` with the password elsewhere.
fn credentials(login: &str) -> Result<(Option<String>, Option<Secret>), UrlError> {
    let (username, password) = match login.split_once(':') {
        Some((username, password)) => (username, Some(decoded(password)?)),
        None => (login, None),
    };
    let username = if username.is_empty() { None } else { Some(decoded(username)?) };
    Ok((username, password.map(Secret::new)))
}

fn decoded(text: &str) -> Result<String, UrlError> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        rest = rest.get(at + 1..).unwrap_or_default();
        let escape = rest.get(..2).ok_or(UrlError::Escape)?;
        if !escape.iter().all(u8::is_ascii_hexdigit) {
            return Err(UrlError::Escape);
        }
    }
    Ok(percent_decode_str(text).decode_utf8().map_err(|_| UrlError::Escape)?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port }
    }

    #[test]
    fn every_kind_is_read() {
        let server = |url| ParsedUrl::parse(url).unwrap().server;
        assert_eq!(server("redis://a"), Server::Single(at("a", 6379)));
        assert_eq!(server("rediss://10.0.0.1:7000/2"), Server::Single(at("10.0.0.1", 7000)));
        assert_eq!(server("redis://[::1]:7000"), Server::Single(at("::1", 7000)));
        assert_eq!(server("unix:///run/redis.sock"), Server::Unix("/run/redis.sock".into()));
        assert_eq!(server("unix:/run/redis.sock"), Server::Unix("/run/redis.sock".into()));
        assert_eq!(
            server("redis+sentinel://a,b:1/shop/3"),
            Server::Sentinel {
                nodes: vec![at("a", 26379), at("b", 1)],
                master: Some("shop".into())
            }
        );
        assert_eq!(
            server("redis+cluster://a,b"),
            Server::Cluster(vec![at("a", 6379), at("b", 6379)])
        );
        assert!(ParsedUrl::parse("rediss+cluster://a").unwrap().tls);
        assert!(!ParsedUrl::parse("redis+sentinel://a").unwrap().tls);
    }

    #[test]
    fn logins_are_unescaped() {
        let url = ParsedUrl::parse("redis://gate:p%40ss%2Fw@a/1").unwrap();
        assert_eq!(url.username.as_deref(), Some("gate"));
        assert!(url.password.unwrap().matches("p@ss/w"));
        assert_eq!(url.database, Some(1));
        let url = ParsedUrl::parse("redis://:secret@a").unwrap();
        assert!(url.username.is_none() && url.password.unwrap().matches("secret"));
    }

    #[test]
    fn what_is_none_is_refused() {
        let refused = |url| ParsedUrl::parse(url).map(|_| ()).unwrap_err();
        assert_eq!(refused("http://a"), UrlError::Scheme);
        assert_eq!(refused("redis"), UrlError::Scheme);
        assert_eq!(refused("redis+ring://a"), UrlError::Scheme);
        for none in [
            "redis://",
            "redis://:6379",
            "redis://a:0",
            "redis://a:x",
            "redis://[::1",
            "redis://[::1]x",
        ] {
            assert_eq!(refused(none), UrlError::Host, "{none}");
        }
        assert_eq!(refused("redis://a,b"), UrlError::Hosts);
        assert_eq!(refused("redis://a/x"), UrlError::Database);
        assert_eq!(refused("redis+cluster://a/1"), UrlError::ClusterPath);
        assert_eq!(refused("redis://a?protocol=resp3"), UrlError::Parameters);
        assert_eq!(refused("unix://run/redis.sock"), UrlError::SocketPath);
        assert_eq!(refused("redis://:%zz@a"), UrlError::Escape);
    }
}
