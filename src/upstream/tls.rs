//! What a server of `https` must prove, and what it is shown.

use std::sync::Arc;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The `tls` table of an upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The name that certificates must have, where it is not the host of the server's URL.
    pub server_name: Option<ServerName>,
    /// Who may have signed them, instead of those whom the system trusts; never an empty list.
    pub ca: Option<Arc<[CertificateDer<'static>]>>,
    /// What the gateway shows of itself.
    pub client: Option<Arc<ClientCertificate>>,
}

/// A name that a certificate is verified for. It is never empty: pingora takes an empty one as leave to
/// verify nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerName(String);

/// A certificate chain, the gateway's own first, and its private key.
pub struct ClientCertificate {
    /// Never empty.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the first certificate.
    pub key: PrivateKeyDer<'static>,
}

impl PartialEq for ClientCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.chain == other.chain && self.key.secret_der() == other.key.secret_der()
    }
}

impl Eq for ClientCertificate {}

impl ServerName {
    /// Reads a host name or an IP address.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = rustls_pki_types::ServerName::try_from(text);
        (parsed.is_ok() && !text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientCertificate").field("chain", &self.chain.len()).finish()
    }
}
