//! The `servers` of an upstream.

use std::os::unix::net::SocketAddr;
use std::path::PathBuf;

use crate::config::problem::Complaint;
use crate::config::url::Origin;
use crate::config::value::Form;
use crate::upstream::{Protocol, Server, ServerName};

pub(super) const SERVER: Form = Form {
    noun: "URL of a server",
    help: r#"write "http://127.0.0.1:3000", "https://shop.internal" or "unix:/run/shop.sock""#,
};

pub(super) fn server(text: &str) -> Result<Server, Complaint> {
    if let Some(path) = text.strip_prefix("unix:") {
        return unix(path);
    }
    if !text.contains("://") {
        return Err(SERVER.missed().suggest(format!("write \"http://{text}\"")));
    }
    let Origin { scheme, host, port, .. } = Origin::parse(text, &SERVER)?;
    let mut schemes = Protocol::SCHEMES.into_iter();
    let (_, protocol, default_port) =
        schemes.find(|(name, ..)| *name == scheme).ok_or_else(|| SERVER.missed())?;
    if protocol == Protocol::Https && ServerName::parse(&host).is_none() {
        return Err(Complaint::new("has a host that no certificate can be for"));
    }
    Ok(Server::Tcp { protocol, host, port: port.unwrap_or(default_port) })
}

fn unix(path: &str) -> Result<Server, Complaint> {
    if !path.starts_with('/') || path.starts_with("//") {
        return Err(SERVER.missed());
    }
    match SocketAddr::from_pathname(path) {
        Ok(_) => Ok(Server::Unix(PathBuf::from(path))),
        Err(_) => Err(Complaint::new("is too long for a socket, or holds a NUL")),
    }
}
