//! What certificates say: until when they hold and for whom; and which ones a server shows.
//!
//! It is for telling people. Whom the gateway believes is decided where it connects.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

const DAY: u64 = 24 * 3600;
/// Time to renew one that is not renewed by a program. Those that hold for days are: they have the last
/// third of their life.
pub const SOON: u64 = 30 * DAY;

/// How a certificate stands at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds from this date on.
    Early(String),
    /// It holds, until this date.
    Good(String),
    /// It holds until this date, for so long: it is time to renew it.
    Soon(String, String),
    /// It has ended on this date.
    Over(String),
}

/// How a certificate stands at a time, in seconds since 1970; none where it cannot be read.
pub fn standing(certificate: &CertificateDer<'_>, now: u64) -> Option<Standing> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let validity = certificate.validity();
    let (begins, ends) = (seconds(validity.not_before), seconds(validity.not_after));
    let soon = (ends.saturating_sub(begins) / 3).min(SOON);
    Some(match ends.checked_sub(now) {
        None => Standing::Over(date(validity.not_after)),
        Some(_) if now < begins => Standing::Early(date(validity.not_before)),
        Some(left) if left < soon => Standing::Soon(date(validity.not_after), in_words(left)),
        Some(_) => Standing::Good(date(validity.not_after)),
    })
}

/// The certificate among those beside the first of a chain that ends first. A root that signed itself is
/// believed for other reasons.
pub fn first_to_end<'a, 'b>(chain: &'a [CertificateDer<'b>]) -> Option<&'a CertificateDer<'b>> {
    let ends = chain.iter().skip(1).filter_map(|certificate| {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let is_root = parsed.is_ca() && parsed.issuer() == parsed.subject();
        (!is_root).then(|| (parsed.validity().not_after.timestamp(), certificate))
    });
    ends.min_by_key(|(end, _)| *end).map(|(_, certificate)| certificate)
}

/// The last second of a certificate, since 1970.
pub fn end_of(certificate: &CertificateDer<'_>) -> Option<u64> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(seconds(certificate.validity().not_after))
}

fn seconds(time: ASN1Time) -> u64 {
    u64::try_from(time.timestamp()).unwrap_or_default()
}

fn date(time: ASN1Time) -> String {
    time.to_datetime().date().to_string()
}

fn in_words(left: u64) -> String {
    match left / DAY {
        0 | 1 => format!("{} hours", left / 3600),
        days => format!("{days} days"),
    }
}

/// The hosts that a certificate is for. Only its subjectAltName counts (RFC 9525).
pub fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// Whether a certificate is for this host, as clients see it.
pub fn is_for(certificate: &CertificateDer<'_>, host: &ServerName<'_>) -> bool {
    let parsed = ParsedCertificate::try_from(certificate);
    parsed.is_ok_and(|parsed| verify_server_name(&parsed, host).is_ok())
}

/// Whether a client that trusts these roots would believe a chain to be this host's at a time, in seconds
/// since 1970.
pub fn verify(
    chain: &[CertificateDer<'_>],
    host: &ServerName<'_>,
    roots: RootCertStore,
    at: u64,
) -> Result<(), Error> {
    let (first, rest) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
    let provider = Arc::new(default_provider());
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at));
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    verifier.verify_server_cert(first, rest, host, &[], at).map(drop)
}

/// What a server shows of itself to who asks for this host. Libraries keep it to themselves where they do
/// not believe it, so this begins a handshake that ends where the certificate has been seen.
///
/// # Errors
///
/// How the handshake failed before that.
pub async fn shown_by(
    stream: TcpStream,
    host: ServerName<'static>,
) -> io::Result<Vec<CertificateDer<'static>>> {
    let look = Arc::new(Look { provider: default_provider(), seen: Mutex::default() });
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(look.clone())
        .with_no_client_auth();
    let ended = TlsConnector::from(Arc::new(config)).connect(host, stream).await;
    let seen = std::mem::take(&mut *look.seen.lock().unwrap_or_else(PoisonError::into_inner));
    match ended {
        Err(error) if seen.is_empty() => Err(error),
        _ => Ok(seen),
    }
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
