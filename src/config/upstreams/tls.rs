//! The `tls` of an upstream, with the certificates in the files that it names.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::key::Read;
use crate::config::problem::Complaint;
use crate::config::secret;
use crate::config::section::Section;
use crate::config::value::{Form, Item};
use crate::upstream::{ClientCertificate, ServerName, Tls};

const NAME: Form = Form { noun: "host name", help: r#"write "shop.internal""# };
/// As large as the bundle of everybody whom a system trusts, and more.
const LARGEST: u64 = 4 << 20;

pub(super) fn tls(tls: &mut Section<'_>) -> Option<Tls> {
    let server_name = tls.key("server_name").parsed(&NAME, server_name);
    let ca = tls.key("ca").read(|item| certificates(item, check_ca));
    let cert = tls.key("cert").read(|item| certificates(item, check_readable));
    let key = tls.key("key").read(private_key);
    if cert.is_given() != key.is_given() {
        let missing = if cert.is_given() { "key" } else { "cert" };
        let alone = Complaint::new(format!("\"{missing}\" of the client certificate is missing"));
        tls.reader().problem(tls.place(), alone.help("give both `cert` and `key`, or neither"));
        return None;
    }
    let is_wrong = server_name.is_wrong() || ca.is_wrong() || cert.is_wrong() || key.is_wrong();
    let client = client(cert, key);
    (!is_wrong).then(|| Tls {
        server_name: server_name.optional(),
        ca: ca.optional().map(Arc::from),
        client: client.map(Arc::new),
    })
}

/// An address would have to be the server's own, and then it stands in its URL.
fn server_name(text: &str) -> Result<ServerName, Complaint> {
    let is_address = text.parse::<IpAddr>().is_ok();
    ServerName::parse(text).filter(|_| !is_address).ok_or_else(|| NAME.missed())
}

fn certificates(
    item: &Item<'_>,
    check: fn(&CertificateDer<'_>) -> bool,
) -> Option<Vec<CertificateDer<'static>>> {
    let (_, content) = secret::read_file(item, LARGEST)?;
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(content.as_bytes()).collect();
    let complaint = match parsed {
        Ok(found) if found.is_empty() => Complaint::new("holds no certificate in PEM"),
        Ok(found) if found.iter().all(check) => return Some(found),
        Ok(_) => Complaint::new("holds a certificate that cannot be used here"),
        Err(_) => Complaint::new("is no PEM"),
    };
    item.label().of_content().complain(complaint);
    None
}

fn check_ca(certificate: &CertificateDer<'_>) -> bool {
    let mut store = RootCertStore::empty();
    check_readable(certificate) && store.add(certificate.clone().into_owned()).is_ok()
}

/// pingora reads certificates a second time by this parser, and panics at what it cannot read.
fn check_readable(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok()
}

fn private_key(item: &Item<'_>) -> Option<PrivateKeyDer<'static>> {
    let (path, content) = secret::read_file(item, LARGEST)?;
    secret::warn_where_all_can_read(item, &path);
    let key = PrivateKeyDer::from_pem_slice(content.as_bytes());
    // pingora tells its kind from the bytes alone, and panics where it cannot.
    let usable = key.ok().filter(|key| {
        PrivateKeyDer::try_from(key.secret_der()).is_ok() && any_supported_type(key).is_ok()
    });
    if usable.is_none() {
        item.label().of_content().complain(Complaint::new("holds no private key in PEM"));
    }
    usable
}

fn client(
    cert: Read<'_, Vec<CertificateDer<'static>>>,
    key: Read<'_, PrivateKeyDer<'static>>,
) -> Option<ClientCertificate> {
    let chain = cert.optional()?;
    let key = key.check(|key| match belongs_to(key, &chain) {
        true => Ok(()),
        false => Err(Complaint::new("is not the key of the certificate in `cert`")),
    });
    Some(ClientCertificate { key: key.optional()?, chain })
}

fn belongs_to(key: &PrivateKeyDer<'_>, chain: &[CertificateDer<'static>]) -> bool {
    let Ok(signing) = any_supported_type(key) else { return false };
    let certified = CertifiedKey::new(chain.to_vec(), signing);
    !matches!(certified.keys_match(), Err(rustls::Error::InconsistentKeys(reason))
        if reason == rustls::InconsistentKeys::KeyMismatch)
}
