//! One place to connect to, and the requests that are under way there.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderValue;

use super::hash;
use super::standing::Standing;
use super::{Protocol, Server, ServerName, Settings};

/// One place to connect to. It lives for as long as its server has the address.
#[derive(Debug)]
pub struct Target {
    /// Where it is.
    pub address: Address,
    /// The same as a text.
    pub shown: Box<str>,
    /// What is spoken with it.
    pub protocol: Protocol,
    /// The name that its certificate must have; there is one exactly where the protocol is `https`.
    pub tls_name: Option<ServerName>,
    /// The host and port of the server's URL, for an upstream that does not get the client's.
    pub authority: Option<HeaderValue>,
    /// Its own part in the choice by hash.
    pub(super) seed: u64,
    pub(super) standing: Standing,
    under_way: AtomicUsize,
}

/// A socket address or the path of a unix socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the types say it")]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A request under way at a target, until this is dropped.
#[derive(Debug)]
pub struct Lease(Arc<Target>);

impl Target {
    /// A target of this server; none where its host is no name that a certificate can have.
    pub(super) fn new(
        server: &Server,
        address: Address,
        settings: &Settings,
        standing: Standing,
    ) -> Option<Self> {
        let (protocol, tls_name) = match server {
            Server::Tcp { protocol: Protocol::Https, host, .. } => {
                let name = settings.tls.server_name.clone().or_else(|| ServerName::parse(host))?;
                (Protocol::Https, Some(name))
            }
            Server::Tcp { protocol, .. } => (*protocol, None),
            Server::Unix(_) => (Protocol::Http, None),
        };
        let authority = server.authority();
        let authority = authority.and_then(|authority| HeaderValue::try_from(authority).ok());
        let shown = address.to_string();
        let seed = hash::key(shown.as_bytes());
        let under_way = AtomicUsize::new(0);
        let shown = shown.into();
        Some(Self { address, shown, protocol, tls_name, authority, seed, standing, under_way })
    }

    /// Whether the server would come to the same target again.
    pub(super) fn is_of(&self, server: &Server, address: &Address) -> bool {
        let protocol = match server {
            Server::Tcp { protocol, .. } => *protocol,
            Server::Unix(_) => Protocol::Http,
        };
        let authority = server.authority();
        self.address == *address
            && self.protocol == protocol
            && self.authority.as_ref().map(HeaderValue::as_bytes)
                == authority.as_deref().map(str::as_bytes)
    }

    /// How many requests are under way there.
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }
}

impl Lease {
    pub(super) fn new(target: &Arc<Target>) -> Self {
        target.under_way.fetch_add(1, Ordering::Relaxed);
        Self(target.clone())
    }
}

impl Deref for Lease {
    type Target = Arc<Target>;

    fn deref(&self) -> &Arc<Target> {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
