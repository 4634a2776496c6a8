//! What a failing Redis means, and what its operator can do about it.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why Redis did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    #[error(
        "CLUSTERDOWN: a part of the cluster has no primary; look at CLUSTER NODES and bring its nodes \
         back"
    )]
    ClusterDown,
    #[error("the connection broke ({0}); Redis ended or closed it, or it speaks TLS (rediss://)")]
    Lost(String),
    #[error("LOADING: Redis reads its data set from disk; it answers when it has finished")]
    Loading,
    #[error("MASTERDOWN: this replica has lost its primary; point store.url at the primary")]
    MasterDown,
    #[error("MOVED: this is a node of a Redis Cluster; write redis+cluster:// in store.url")]
    Moved,
    #[error("NOAUTH: Redis wants a login; set store.password (and store.username)")]
    NoAuth,
    #[error("not connected yet")]
    NotYet,
    #[error("NOPERM: the ACL user may not do this ({0}); see the operations guide for its rules")]
    NoPermission(String),
    #[error("no sentinel answers at {0}; check the addresses in store.url and that they run")]
    NoSentinel(String),
    #[error("OOM: Redis is full; raise its maxmemory")]
    OutOfMemory,
    #[error("READONLY: this is a replica; point store.url at the primary, or at the sentinels")]
    ReadOnly,
    #[error("connection refused; start Redis, or correct the address in store.url")]
    Refused,
    #[error("no answer within {0:?}; Redis is stalled or overloaded, or the network drops packets")]
    Timeout(std::time::Duration),
    #[error("TLS: {0}; check store.tls.ca, the names in Redis' certificate, and store.tls.cert")]
    Tls(String),
    #[error("Redis is too old for RESP3 (HELLO, from 6.0); upgrade it")]
    TooOld,
    #[error("the sentinels know no primary of the name {0:?}; correct store.sentinel_master")]
    UnknownMaster(String),
    #[error("the name of the host does not resolve ({0}); correct it in store.url, or the DNS")]
    Unresolved(String),
    #[error("{file}: {reason}; correct the file, or its path in [store]")]
    Unreadable { file: String, reason: String },
    #[error(
        "WRONGPASS: the user or the password is wrong; correct store.username and store.password"
    )]
    WrongPassword,
    #[error("Redis answered what it should not: {0}")]
    Unexpected(String),
}

impl Failure {
    /// Whether the connection is on the wrong server, or on none: only a new one can help.
    pub(super) fn wants_another_connection(&self) -> bool {
        matches!(
            self,
            Self::Lost(_)
                | Self::Loading
                | Self::MasterDown
                | Self::NoAuth
                | Self::ReadOnly
                | Self::Refused
        )
    }

    /// Whether trying again soon has no point: somebody has to change something first.
    pub(super) fn is_lasting(&self) -> bool {
        matches!(self, Self::NoPermission(_) | Self::TooOld | Self::Unexpected(_))
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(kind) => server(kind, &error),
            ErrorKind::RESP3NotSupported => Self::TooOld,
            ErrorKind::AuthenticationFailed => Self::WrongPassword,
            ErrorKind::Extension => extension(&error),
            ErrorKind::ClusterConnectionNotFound => Self::Lost("no node answers".to_owned()),
            ErrorKind::Io => io(&error),
            ErrorKind::Parse => Self::Lost("what came is not the Redis protocol".to_owned()),
            _ => Self::Unexpected(error.to_string()),
        }
    }
}

fn server(kind: ServerErrorKind, error: &RedisError) -> Failure {
    let detail = || error.detail().unwrap_or_default().to_owned();
    match kind {
        ServerErrorKind::BusyLoading => Failure::Loading,
        ServerErrorKind::ReadOnly => Failure::ReadOnly,
        ServerErrorKind::MasterDown => Failure::MasterDown,
        ServerErrorKind::ClusterDown => Failure::ClusterDown,
        ServerErrorKind::Moved | ServerErrorKind::Ask => Failure::Moved,
        ServerErrorKind::NoPerm => Failure::NoPermission(detail()),
        // A script reports what its command met with inside its own error.
        ServerErrorKind::ResponseError => {
            nested(&detail()).unwrap_or_else(|| Failure::Unexpected(error.to_string()))
        }
        _ => Failure::Unexpected(error.to_string()),
    }
}

fn extension(error: &RedisError) -> Failure {
    let code = error.code().unwrap_or_default();
    let detail = error.detail().unwrap_or_default();
    nested(&format!("{code} {detail}")).unwrap_or_else(|| Failure::Unexpected(error.to_string()))
}

fn nested(text: &str) -> Option<Failure> {
    let known: [(&str, Failure); 7] = [
        ("NOAUTH ", Failure::NoAuth),
        ("WRONGPASS ", Failure::WrongPassword),
        ("OOM ", Failure::OutOfMemory),
        ("READONLY ", Failure::ReadOnly),
        ("NOPROTO ", Failure::TooOld),
        ("ACL failure in script", Failure::NoPermission(text.to_owned())),
        ("The user executing the script can't", Failure::NoPermission(text.to_owned())),
    ];
    let unknown_hello = text.starts_with("unknown command") && text.contains("HELLO");
    if unknown_hello {
        return Some(Failure::TooOld);
    }
    known.into_iter().find(|(code, _)| text.contains(code)).map(|(_, failure)| failure)
}

fn io(error: &RedisError) -> Failure {
    if error.is_connection_refusal() {
        return Failure::Refused;
    }
    let text = error.to_string();
    if text.contains("failed to lookup address") {
        return Failure::Unresolved(text);
    }
    // The library wraps the error of the system into an Arc first.
    let source =
        error.source().and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let system = source.and_then(|source| source.downcast_ref::<io::Error>());
    let inner = system.and_then(io::Error::get_ref);
    match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => Failure::Tls(tls.to_string()),
        None => Failure::Lost(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reply: &str) -> Failure {
        let value = redis::parse_redis_value(reply.as_bytes()).unwrap();
        Failure::from(value.extract_error().unwrap_err())
    }

    #[test]
    fn replies_are_told_apart() {
        assert_eq!(of("-LOADING Redis is loading the dataset in memory\r\n"), Failure::Loading);
        assert_eq!(of("-READONLY You can't write\r\n"), Failure::ReadOnly);
        assert_eq!(of("-OOM command not allowed\r\n"), Failure::OutOfMemory);
        assert_eq!(of("-NOAUTH Authentication required.\r\n"), Failure::NoAuth);
        assert_eq!(of("-WRONGPASS invalid\r\n"), Failure::WrongPassword);
        assert_eq!(of("-MOVED 3999 127.0.0.1:6381\r\n"), Failure::Moved);
        assert_eq!(of("-MASTERDOWN Link with MASTER is down\r\n"), Failure::MasterDown);
        assert_eq!(of("-CLUSTERDOWN Hash slot not served\r\n"), Failure::ClusterDown);
        assert!(matches!(of("-NOPERM no permissions\r\n"), Failure::NoPermission(_)));
        assert_eq!(of("-ERR unknown command `HELLO`, with args\r\n"), Failure::TooOld);
        let in_script =
            "-ERR OOM command not allowed when used memory > 'maxmemory'. script: f_1\r\n";
        assert_eq!(of(in_script), Failure::OutOfMemory);
    }
}
