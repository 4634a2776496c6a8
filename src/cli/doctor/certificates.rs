//! Certificates: those that listeners show, those that servers of upstreams show, and the gateway's own.
//!
//! What cannot be read, or has another key, is a problem of the configuration, which is said before this.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::finding::Finding;
use crate::certificate::{self, Standing};
use crate::clock::Clock;
use crate::config::Settings;
use crate::listen::Tls;
use crate::upstream::{self, Server};

const LISTENER: &str = "listener_certificate";
const LISTENER_NAME: &str = "listener_certificate_name";
const UPSTREAM: &str = "upstream_certificate";
const TLS: &str = "upstream_tls";
const RENEW: &str = "renew it";

/// What listeners show.
pub(super) fn of_listeners(settings: &Settings) -> Vec<Finding> {
    let mut files: Vec<&Tls> = Vec::new();
    for tls in settings.server.listeners.iter().filter_map(|listener| listener.tls.as_ref()) {
        if !files.contains(&tls) {
            files.push(tls);
        }
    }
    let chains: Vec<_> = files.iter().map(|tls| (*tls, chain_of(tls))).collect();
    let mut findings = Vec::new();
    for (tls, chain) in &chains {
        let about = format!("[server] tls {}", tls.cert.display());
        findings.extend(standing(LISTENER, &about, chain, "no client believes the gateway"));
        if chain.first().is_some_and(|first| certificate::names(first).is_empty()) {
            let what = "is for no host: it has no subjectAltName, and clients look at nothing else";
            let help = "have one made with the names that clients ask for";
            findings.push(Finding::error(LISTENER_NAME, &about, what, help));
        }
    }
    findings.extend(hosts_without(settings, &chains));
    findings
}

/// Hosts of routes that no listener has a certificate for. Where one listens without TLS, somebody else may
/// do it for them.
fn hosts_without(
    settings: &Settings,
    chains: &[(&Tls, Vec<CertificateDer<'static>>)],
) -> Vec<Finding> {
    if settings.server.listeners.iter().any(|listener| listener.tls.is_none()) {
        return Vec::new();
    }
    let hosts: BTreeSet<_> = settings.routes.iter().filter_map(|it| it.host.as_deref()).collect();
    let leaves: Vec<_> = chains.iter().filter_map(|(_, chain)| chain.first()).collect();
    let named: Vec<_> = leaves.iter().flat_map(|leaf| certificate::names(leaf)).collect();
    let is_left_out = |host: &&str| {
        ServerName::try_from(*host)
            .is_ok_and(|name| !leaves.iter().any(|leaf| certificate::is_for(leaf, &name)))
    };
    let finding = |host: &str| {
        let what = format!(
            "no listener has a certificate for {host}, which [[routes]] name; they are for {}",
            list(&named)
        );
        let help = "have the name added to one, or correct `host`";
        Finding::warning(LISTENER_NAME, "[server] tls", what, help)
    };
    hosts.into_iter().filter(is_left_out).map(finding).collect()
}

fn chain_of(tls: &Tls) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(&tls.cert)
        .map(|found| found.flatten().collect())
        .unwrap_or_default()
}

/// What the gateway shows the servers of an upstream.
pub(super) fn of_client(upstream: &upstream::Settings) -> Vec<Finding> {
    let Some(client) = &upstream.tls.client else { return Vec::new() };
    let about = format!("[upstreams.{}] tls.cert", upstream.name);
    standing(UPSTREAM, &about, &client.chain, "no server believes the gateway")
        .into_iter()
        .collect()
}

/// What a server shows at these addresses, and whether the gateway will believe it.
pub(super) async fn of_server(
    upstream: &upstream::Settings,
    server: &Server,
    addresses: &[SocketAddr],
) -> Vec<Finding> {
    let about = format!("[upstreams.{}] {server}", upstream.name);
    let Server::Tcp { host, .. } = server else { return Vec::new() };
    let named = upstream.tls.server_name.as_ref().map(upstream::ServerName::as_str);
    let Ok(name) = ServerName::try_from(named.unwrap_or(host).to_owned()) else {
        return Vec::new();
    };
    let mut seen = Vec::new();
    let mut findings = Vec::new();
    for address in addresses {
        match shown_by(*address, name.clone(), upstream.connect_timeout).await {
            Ok(chain) if seen.contains(&chain) => {}
            Ok(chain) => {
                findings.push(judge(upstream, &about, &name, &chain));
                seen.push(chain);
            }
            Err(what) => {
                let what = format!("TLS does not begin at {address}: {what}");
                let help = "correct the server, or write http:// where it has no TLS";
                findings.push(Finding::error(TLS, &about, what, help));
            }
        }
    }
    findings
}

async fn shown_by(
    address: SocketAddr,
    name: ServerName<'static>,
    limit: Duration,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let look = async {
        let stream = TcpStream::connect(address).await?;
        certificate::shown_by(stream, name).await
    };
    let late = |_| format!("no answer within {limit:?}");
    timeout(limit, look).await.map_err(late)?.map_err(|error| error.to_string())
}

fn judge(
    upstream: &upstream::Settings,
    about: &str,
    name: &ServerName<'_>,
    chain: &[CertificateDer<'_>],
) -> Finding {
    let host = name.to_str();
    let Err(error) = certificate::verify(chain, name, roots(upstream)) else {
        let good = || Finding::good(UPSTREAM, about, format!("shows a certificate for {host}"));
        return standing(UPSTREAM, about, chain, "requests fail").unwrap_or_else(good);
    };
    let disbelieved = || Finding::error(UPSTREAM, about, format!("is not believed: {error}"), "");
    let Error::InvalidCertificate(reason) = &error else { return disbelieved() };
    match reason {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = chain.first().map(certificate::names).unwrap_or_default();
            let what =
                format!("shows a certificate that is not for {host} but for {}", list(&names));
            let help = "correct the server's URL, or say in tls.server_name which name is right";
            Finding::error(UPSTREAM, about, what, help)
        }
        // The latter: a CA of the same name has another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            let (whom, help) = match upstream.tls.ca {
                Some(_) => ("nobody in tls.ca", "put the CA that signed it into the file"),
                None => ("nobody whom this system trusts", "name its CA in tls.ca"),
            };
            let what = format!("shows a certificate for {host} that {whom} has signed");
            Finding::error(UPSTREAM, about, what, help)
        }
        _ => standing(UPSTREAM, about, chain, "requests fail").unwrap_or_else(disbelieved),
    }
}

fn roots(upstream: &upstream::Settings) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    match &upstream.tls.ca {
        Some(ca) => roots.add_parsable_certificates(ca.iter().cloned()),
        None => roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    };
    roots
}

/// What is to be said of how long a chain holds; nothing where it does for long.
fn standing(
    id: &'static str,
    about: &str,
    chain: &[CertificateDer<'_>],
    so: &str,
) -> Option<Finding> {
    match certificate::standing(chain, Clock::system().now())? {
        Standing::Good(_) => None,
        Standing::Soon(date, days) => {
            let what = format!("the certificate ends on {date}, in {days} days");
            Some(Finding::warning(id, about, what, RENEW))
        }
        Standing::Over(date) => {
            let what = format!("the certificate ended on {date}: {so}");
            Some(Finding::error(id, about, what, RENEW))
        }
        Standing::Early(date) => {
            let what = format!("the certificate holds from {date} on: {so}");
            let help =
                "correct this machine's clock where it is behind, else have one made that holds";
            Some(Finding::error(id, about, what, help))
        }
    }
}

fn list(names: &[String]) -> String {
    match names.split_at_checked(5) {
        _ if names.is_empty() => "no host".to_owned(),
        Some((first, rest)) if !rest.is_empty() => {
            format!("{} and {} others", first.join(", "), rest.len())
        }
        _ => names.join(", "),
    }
}
