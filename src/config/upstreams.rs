//! `[upstreams.*]`.

mod server;
mod tls;
mod watch;

use std::time::Duration;

use http::HeaderName;

use super::identity::{HEADER, folded};
use super::problem::Complaint;
use super::section::{Named, Section};
use crate::identity;
use crate::upstream::{Balance, Protocol, Server, Settings};

pub(super) fn read(file: &mut Section<'_>, identity: &identity::Settings) -> Named<Settings> {
    file.named_tables("upstreams", |table, name| upstream(table, name, identity))
}

fn upstream(
    upstream: &mut Section<'_>,
    name: &str,
    identity: &identity::Settings,
) -> Option<Settings> {
    let servers = upstream.key("servers").list(&server::SERVER, server::server);
    let has_https = servers.value().is_none_or(|servers| servers.iter().any(is_https));
    let tls = upstream.key("tls").table(tls::tls);
    let http2 = upstream.key("http2").boolean();
    if !has_https {
        tls.misplaced("without a server of https");
    }
    if !has_https && http2.value() == Some(&true) {
        http2.unused("without a server of https; for HTTP/2 without TLS write h2c://");
    }
    let has_host = servers.value().is_none_or(|servers| !servers.iter().any(is_unix));
    let preserve_host =
        upstream.key("preserve_host").boolean().check(|preserve| match *preserve || has_host {
            true => Ok(()),
            false => Err(Complaint::new("leaves no host: a unix socket has none of its own")),
        });
    let balances = [
        ("round-robin", Balance::RoundRobin),
        ("least-requests", Balance::LeastRequests),
        ("hash:openid", Balance::HashOpenid),
    ];
    let pass_headers =
        upstream.key("pass_headers").list(&HEADER, |text| pass_header(text, identity));
    let settings = Settings {
        name: name.to_owned(),
        servers: Vec::new(),
        tls: tls.optional().unwrap_or_default(),
        http2: http2.or(false),
        balance: upstream.key("balance").choice(&balances).or(Balance::RoundRobin),
        connect_timeout: upstream.key("connect_timeout").timeout().or(Duration::from_secs(1)),
        timeout: upstream.key("timeout").timeout().or(Duration::from_secs(30)),
        keepalive: upstream.key("keepalive").integer(0, 65_535).or(256),
        retries: upstream.key("retries").integer(0, 10).or(1),
        health: upstream.key("health").table(watch::health).optional(),
        eject: upstream.key("eject").table(watch::eject).or(watch::EJECT),
        preserve_host: preserve_host.or(true),
        pass_headers: pass_headers.optional().unwrap_or_default(),
    };
    let servers = servers.required("write servers = [\"http://127.0.0.1:3000\"]")?;
    Some(Settings { servers, ..settings })
}

fn is_https(server: &Server) -> bool {
    matches!(server, Server::Tcp { protocol: Protocol::Https, .. })
}

fn is_unix(server: &Server) -> bool {
    matches!(server, Server::Unix(_))
}

/// A header that is dropped otherwise, since many servers read `_` and `.` as `-`. For that reason it
/// must not be one that says who the user is.
fn pass_header(text: &str, identity: &identity::Settings) -> Result<HeaderName, Complaint> {
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| HEADER.missed())?;
    let plain = folded(&name);
    if plain == name.as_str() {
        return Err(Complaint::new("needs no pass").help("only names with `_` or `.` are dropped"));
    }
    let is_identity = identity.names().any(|header| folded(header) == plain);
    match is_identity || plain.starts_with("x-wx-") {
        true => Err(Complaint::new("is read as an identity header, which clients must not set")),
        false => Ok(name),
    }
}
