//! How long certificates on the way to Redis are still good. Those that are over need no finding: no
//! connection comes about.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::super::finding::Finding;
use super::super::settings::{Address, Settings};
use super::connector::Node;
use crate::clock::Clock;

const ID: &str = "redis_certificate";
/// Time to renew one that is not renewed by a program.
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);
const DAY: u64 = 24 * 3600;

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
    let (ends, date) = chain.iter().filter_map(end).min()?;
    let left = ends.checked_sub(clock.now()).filter(|left| *left < SOON.as_secs())?;
    let text = format!("{whose} ends on {date}, in {} days; renew it", left / DAY);
    Some(Finding::warning(ID, text))
}

/// When a certificate ends, in seconds since 1970 and as a date. One that signed itself is believed for
/// other reasons.
fn end(certificate: &CertificateDer<'_>) -> Option<(u64, String)> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let is_root = certificate.is_ca() && certificate.issuer() == certificate.subject();
    let end = certificate.validity().not_after;
    let seconds = u64::try_from(end.timestamp()).ok()?;
    (!is_root).then(|| (seconds, end.to_datetime().date().to_string()))
}

async fn in_file(path: &Path) -> Vec<CertificateDer<'static>> {
    let content = tokio::fs::read(path).await.unwrap_or_default();
    CertificateDer::pem_slice_iter(&content).flatten().collect()
}

/// What a server shows of itself. The library keeps it to itself, so this begins a handshake of its own,
/// which ends where the certificate has been seen.
async fn shown_by(address: &Address) -> Option<Vec<CertificateDer<'static>>> {
    let seen = Arc::new(Look { provider: default_provider(), seen: Mutex::default() });
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(seen.clone())
        .with_no_client_auth();
    let name = ServerName::try_from(address.host.clone()).ok()?;
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await.ok()?;
    // It fails, as it must.
    let _ = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let mut chain = seen.seen.lock().unwrap_or_else(PoisonError::into_inner);
    Some(std::mem::take(&mut *chain))
}

/// Looks at certificates, and believes none: no connection is ever made with it.
#[derive(Debug)]
struct Look {
    provider: CryptoProvider,
    seen: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Look {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = chain.map(|certificate| certificate.clone().into_owned()).collect();
        Err(enough())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(enough())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(enough())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn enough() -> Error {
    Error::General("the certificate was only looked at".to_owned())
}
