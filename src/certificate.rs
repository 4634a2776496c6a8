//! What certificates say: until when they hold and for whom; and which ones a server shows.
//!
//! It is for telling people. Whom the gateway believes is decided where it connects.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

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
/// Time to renew one that is not renewed by a program.
const SOON: u64 = 30 * DAY;

/// How a certificate stands at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds from this date on.
    Early(String),
    /// It holds, until this date.
    Good(String),
    /// It holds for so many days more, until this date: for fewer than thirty.
    Soon(String, u64),
    /// It has ended on this date.
    Over(String),
}

/// How long those of a chain hold together, in seconds since 1970; none where none can be read. A root
/// that signed itself is believed for other reasons, unless it is all there is.
pub fn standing(chain: &[CertificateDer<'_>], now: u64) -> Option<Standing> {
    let parsed = chain.iter().enumerate().filter_map(|(index, certificate)| {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let is_root = certificate.is_ca() && certificate.issuer() == certificate.subject();
        let validity = certificate.validity();
        (index == 0 || !is_root).then_some((validity.not_before, validity.not_after))
    });
    let parsed: Vec<_> = parsed.collect();
    let begins = parsed.iter().map(|(begin, _)| *begin).max_by_key(ASN1Time::timestamp)?;
    let ends = parsed.iter().map(|(_, end)| *end).min_by_key(ASN1Time::timestamp)?;
    let seconds = |time: ASN1Time| u64::try_from(time.timestamp()).unwrap_or_default();
    let date = |time: ASN1Time| time.to_datetime().date().to_string();
    Some(match seconds(ends).checked_sub(now) {
        None => Standing::Over(date(ends)),
        Some(_) if now < seconds(begins) => Standing::Early(date(begins)),
        Some(left) if left < SOON => Standing::Soon(date(ends), left / DAY),
        Some(_) => Standing::Good(date(ends)),
    })
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

/// Whether a client that trusts these roots would believe a chain to be this host's now.
pub fn verify(
    chain: &[CertificateDer<'_>],
    host: &ServerName<'_>,
    roots: RootCertStore,
) -> Result<(), Error> {
    let (first, rest) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
    let provider = Arc::new(default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    verifier.verify_server_cert(first, rest, host, &[], UnixTime::now()).map(drop)
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
