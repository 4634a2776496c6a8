//! `[upstreams.*]`.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;

use super::identity::{HEADER, folded};
use super::problem::Complaint;
use super::section::{Named, Section};
use super::url::Origin;
use super::value::Form;
use crate::identity;
use crate::upstream::{Server, Settings};

const SERVER: Form = Form {
    noun: "URL of a server",
    help: r#"write "http://127.0.0.1:3000", "https://shop.internal" or "unix:/run/shop.sock""#,
};

pub(super) fn read(file: &mut Section<'_>, identity: &identity::Settings) -> Named<Settings> {
    file.named_tables("upstreams", |table, name| upstream(table, name, identity))
}

fn upstream(
    upstream: &mut Section<'_>,
    name: &str,
    identity: &identity::Settings,
) -> Option<Settings> {
    let balances = [("round-robin", true), ("least-requests", false), ("hash:openid", false)];
    upstream.key("balance").choice(&balances).only(&true).checked();
    upstream.key("health").later().table(health).checked();
    upstream.key("eject").later().table(eject).checked();
    let servers = upstream.key("servers").list(&SERVER, server);
    let pass_headers =
        upstream.key("pass_headers").list(&HEADER, |text| pass_header(text, identity));
    let settings = Settings {
        name: name.to_owned(),
        servers: Vec::new(),
        connect_timeout: upstream.key("connect_timeout").timeout().or(Duration::from_secs(1)),
        timeout: upstream.key("timeout").timeout().or(Duration::from_secs(30)),
        keepalive: upstream.key("keepalive").integer(0, 65_535).or(256),
        retries: upstream.key("retries").integer(0, 10).or(1),
        pass_headers: pass_headers.optional().unwrap_or_default(),
    };
    let servers = servers.required("write servers = [\"http://127.0.0.1:3000\"]")?;
    Some(Settings { servers, ..settings })
}

fn server(text: &str) -> Result<Server, Complaint> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path.starts_with('/') && !path.starts_with("//") {
            true => Ok(Server::Unix(PathBuf::from(path))),
            false => Err(SERVER.missed()),
        };
    }
    if !text.contains("://") {
        return Err(SERVER.missed().suggest(format!("write \"http://{text}\"")));
    }
    let origin = Origin::parse(text, &SERVER)?;
    let (tls, default_port) = match origin.scheme.as_str() {
        "http" => (false, 80),
        "https" => (true, 443),
        "h2c" => return Err(Complaint::new("is not available yet").help("write http://")),
        _ => return Err(SERVER.missed()),
    };
    Ok(Server::Tcp { tls, host: origin.host, port: origin.port.unwrap_or(default_port) })
}

/// A header that is dropped otherwise, since many servers read `_` and `.` as `-`. For that reason it
/// must not be one that says who the user is.
fn pass_header(text: &str, identity: &identity::Settings) -> Result<HeaderName, Complaint> {
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| HEADER.missed())?;
    let plain = folded(&name);
    if plain == name.as_str() {
        return Err(Complaint::new("needs no pass").help("only names with `_` or `.` are dropped"));
    }
    let identity::Settings { openid, unionid, appid, source, call_id, env, claims, .. } = identity;
    let fixed = [openid, unionid, appid, source, call_id, env];
    let is_identity =
        fixed.into_iter().chain(claims.values()).any(|header| folded(header) == plain);
    match is_identity || plain.starts_with("x-wx-") {
        true => Err(Complaint::new("is read as an identity header, which clients must not set")),
        false => Ok(name),
    }
}

fn health(health: &mut Section<'_>) -> Option<()> {
    health.key("path").text().checked();
    health.key("interval").timeout().checked();
    health.key("healthy").integer(1, 100).checked();
    health.key("unhealthy").integer(1, 100).checked();
    Some(())
}

fn eject(eject: &mut Section<'_>) -> Option<()> {
    eject.key("failures").integer(1, 1_000).checked();
    eject.key("for").timeout().checked();
    Some(())
}
