//! How long certificates on the way to Redis are still good. Those that are over need no finding: no
//! connection comes about.

use std::collections::BTreeSet;
use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::finding::Finding;
use super::super::settings::{Address, Settings};
use super::connector::Node;
use crate::certificate::{self, Standing};
use crate::clock::Clock;

const ID: &str = "redis_certificate";

/// The certificates of these servers, and our own, that end soon.
pub(super) async fn findings(
    settings: &Settings,
    nodes: &BTreeSet<Node>,
    clock: &Clock,
) -> Vec<Finding> {
    let Some(tls) = &settings.tls else { return Vec::new() };
    let mut findings = Vec::new();
    for node in nodes {
        let Node::Tcp(address) = node else { continue };
        let shown = timeout(settings.connect_timeout, shown_by(address)).await;
        let whose = format!("{node}: its certificate");
        findings.extend(soon(&whose, &shown.ok().flatten().unwrap_or_default(), clock));
    }
    if let Some(client) = &tls.client {
        let whose = format!("the certificate in {}", client.cert.display());
        findings.extend(soon(&whose, &in_file(&client.cert).await, clock));
    }
    findings
}

fn soon(whose: &str, chain: &[CertificateDer<'_>], clock: &Clock) -> Option<Finding> {
    // What is shown beside it may have ended long ago: the connection shows that nobody needs that.
    match certificate::standing(chain.first()?, clock.now())? {
        Standing::Soon(date, left) => {
            let text = format!("{whose} ends on {date}, in {left}; renew it");
            Some(Finding::warning(ID, text))
        }
        Standing::Early(_) | Standing::Good(_) | Standing::Over(_) => None,
    }
}

async fn in_file(path: &Path) -> Vec<CertificateDer<'static>> {
    let content = tokio::fs::read(path).await.unwrap_or_default();
    CertificateDer::pem_slice_iter(&content).flatten().collect()
}

async fn shown_by(address: &Address) -> Option<Vec<CertificateDer<'static>>> {
    let name = ServerName::try_from(address.host.clone()).ok()?;
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await.ok()?;
    certificate::shown_by(stream, name).await.ok()
}
