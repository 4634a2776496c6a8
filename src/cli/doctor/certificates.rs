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

use super::finding::{Finding, Severity};
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
const REFUSED: &str = "requests fail";

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
        findings.extend(of_own(LISTENER, &about, chain, "no client believes the gateway"));
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
    of_own(UPSTREAM, &about, &client.chain, "no server believes the gateway")
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
    let now = Clock::system().now();
    let Err(error) = certificate::verify(chain, name, roots(upstream), now) else {
        let soon = chain.first().and_then(|first| standing(UPSTREAM, about, first, REFUSED));
        let soon = soon.or_else(|| ends_early(upstream, about, name, chain));
        return soon.unwrap_or_else(|| {
            Finding::good(UPSTREAM, about, format!("shows a certificate for {host}{}", idle(chain)))
        });
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
        _ => {
            let standings = chain.iter().filter_map(|it| standing(UPSTREAM, about, it, REFUSED));
            let worst = standings.max_by_key(|finding| finding.severity == Severity::Error);
            worst.filter(|it| it.severity == Severity::Error).unwrap_or_else(disbelieved)
        }
    }
}

/// A server whose certificate holds, but not as long as those that it is believed by.
fn ends_early(
    upstream: &upstream::Settings,
    about: &str,
    name: &ServerName<'_>,
    chain: &[CertificateDer<'_>],
) -> Option<Finding> {
    let now = Clock::system().now();
    let then = certificate::end_of(chain.first()?)?.min(now + certificate::SOON);
    certificate::verify(chain, name, roots(upstream), then).err()?;
    let what =
        "the certificate will not be believed within 30 days: one that it is shown with ends";
    Some(Finding::warning(UPSTREAM, about, what, "have the server show the new ones of its CA"))
}

/// What is shown beside the certificate and has ended: somebody else's way to it, for older clients.
fn idle(chain: &[CertificateDer<'_>]) -> String {
    let first = certificate::first_to_end(chain);
    match first.and_then(|it| certificate::standing(it, Clock::system().now())) {
        Some(Standing::Over(date)) => {
            format!("; one that it shows besides ended on {date}, and is not needed")
        }
        _ => String::new(),
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

/// How long what the gateway shows holds. Who is to believe it is somebody else's: whether he needs all of it
/// cannot be seen from here.
fn of_own(id: &'static str, about: &str, chain: &[CertificateDer<'_>], so: &str) -> Vec<Finding> {
    let own = chain.first().and_then(|first| standing(id, about, first, so));
    let first = certificate::first_to_end(chain);
    let beside = first.and_then(|it| certificate::standing(it, Clock::system().now()));
    let ends = match beside {
        Some(Standing::Over(date)) => Some(format!("ended on {date}")),
        Some(Standing::Soon(date, left)) => Some(format!("ends on {date}, in {left}")),
        _ => None,
    };
    let beside = ends.map(|ends| {
        let what = format!("one that is shown beside the certificate {ends}: who needs it, fails");
        Finding::warning(id, about, what, "put the CA's new ones in its place, or leave it out")
    });
    own.into_iter().chain(beside).collect()
}

/// What is to be said of how long a certificate holds; nothing where it does for long.
fn standing(
    id: &'static str,
    about: &str,
    certificate: &CertificateDer<'_>,
    so: &str,
) -> Option<Finding> {
    match certificate::standing(certificate, Clock::system().now())? {
        Standing::Good(_) => None,
        Standing::Soon(date, left) => {
            let what = format!("the certificate ends on {date}, in {left}");
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
