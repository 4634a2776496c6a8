//! The certificate that a listener shows, from the files that the configuration names.

mod watch;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

pub(super) use watch::Served;

/// As large as the bundle of everybody whom a system trusts, and more.
const LARGEST: u64 = 4 << 20;

/// The `tls` table of a listener. TLS 1.2 at least; HTTP/2 and HTTP/1.1 by ALPN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain, PEM, the listener's own certificate first.
    pub cert: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Who signs the certificates that clients must show; without it they need none.
    pub client_ca: Option<PathBuf>,
}

/// One of the files of a [`Tls`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are named as their keys are")]
pub enum Part {
    Cert,
    Key,
    ClientCa,
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{} {what}", .path.display())]
pub struct Unusable {
    /// Which file it is the fault of.
    pub part: Part,
    /// What is wrong with it, as in "holds no certificate in PEM".
    pub what: String,
    path: PathBuf,
}

/// The files as they were at one time.
struct Contents {
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
}

/// Tells contents apart without holding a key.
type Fingerprint = [u8; digest::SHA256_OUTPUT_LEN];

impl Tls {
    /// Whether the files can be used as they are now.
    pub fn check(&self) -> Result<(), Unusable> {
        self.server_config(&self.contents()?).map(drop)
    }

    fn contents(&self) -> Result<Contents, Unusable> {
        let read = |part, path: &Path| {
            read(path).map_err(|error| self.unusable(part, format!("cannot be read: {error}")))
        };
        Ok(Contents {
            cert: read(Part::Cert, &self.cert)?,
            key: Zeroizing::new(read(Part::Key, &self.key)?),
            client_ca: match &self.client_ca {
                Some(path) => Some(read(Part::ClientCa, path)?),
                None => None,
            },
        })
    }

    /// What is served with these contents. Sessions resume by tickets whose keys are made here, so that
    /// none outlives the `client_ca` that its client was verified with.
    fn server_config(&self, contents: &Contents) -> Result<ServerConfig, Unusable> {
        let chain = self.certificates(Part::Cert, &contents.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|_| self.unusable(Part::Key, "holds no private key in PEM"))?;
        let provider = Arc::new(default_provider());
        // It looks whether the two belong together.
        CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider).map_err(|error| {
            match error {
                rustls::Error::InconsistentKeys(_) => {
                    self.unusable(Part::Key, "is not the key of the certificate in `cert`")
                }
                rustls::Error::InvalidCertificate(_) => {
                    self.unusable(Part::Cert, "holds a certificate that cannot be used here")
                }
                _ => self.unusable(Part::Key, "holds a private key that cannot be used here"),
            }
        })?;
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)
            .map_err(|error| self.unusable(Part::Cert, error.to_string()))?;
        let builder = match &contents.client_ca {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let unusable = |_| {
                    self.unusable(Part::ClientCa, "holds a certificate that cannot be used here")
                };
                let mut roots = RootCertStore::empty();
                for certificate in self.certificates(Part::ClientCa, ca)? {
                    roots.add(certificate).map_err(unusable)?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| self.unusable(Part::ClientCa, error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| self.unusable(Part::Cert, error.to_string()))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = Ticketer::new()
            .map_err(|error| self.unusable(Part::Key, format!("has no tickets: {error}")))?;
        Ok(config)
    }

    fn certificates(
        &self,
        part: Part,
        content: &[u8],
    ) -> Result<Vec<CertificateDer<'static>>, Unusable> {
        match CertificateDer::pem_slice_iter(content).collect::<Result<Vec<_>, _>>() {
            Ok(found) if found.is_empty() => {
                Err(self.unusable(part, "holds no certificate in PEM"))
            }
            Ok(found) => Ok(found),
            Err(_) => Err(self.unusable(part, "is no PEM")),
        }
    }

    fn unusable(&self, part: Part, what: impl Into<String>) -> Unusable {
        let path = match part {
            Part::Cert => &self.cert,
            Part::Key => &self.key,
            Part::ClientCa => self.client_ca.as_ref().unwrap_or(&self.cert),
        };
        Unusable { part, what: what.into(), path: path.clone() }
    }
}

impl Contents {
    fn fingerprint(&self) -> Fingerprint {
        let mut context = digest::Context::new(&digest::SHA256);
        let none = Vec::new();
        for part in [&self.cert, &*self.key, self.client_ca.as_ref().unwrap_or(&none)] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut fingerprint = Fingerprint::default();
        fingerprint.copy_from_slice(context.finish().as_ref());
        fingerprint
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut content = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut content)?;
    match content.len() as u64 > LARGEST {
        true => Err(io::Error::other("it is too large")),
        false => Ok(content),
    }
}
