//! Certificates for a server and its clients, made for one test.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use tempfile::TempDir;
use wxgate::clock::Clock;

pub(crate) struct Certificates {
    directory: TempDir,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        Self::with_ends([None, None])
    }

    /// The server's and the client's end so long from now.
    pub(crate) fn with_ends(ends: [Option<Duration>; 2]) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "An authority for tests");
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(authority, key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        // A node of a cluster is also a client of the others.
        let both = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let usages = [("server", both), ("client", vec![ExtendedKeyUsagePurpose::ClientAuth])];
        for ((name, usages), end) in usages.into_iter().zip(ends) {
            let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
            let mut params = CertificateParams::new(names).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            params.extended_key_usages = usages;
            if let Some(end) = end {
                let now = Duration::from_secs(Clock::system().now());
                params.not_after = (SystemTime::UNIX_EPOCH + now + end).into();
            }
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &authority).unwrap();
            let path = |kind| directory.path().join(format!("{name}.{kind}"));
            std::fs::write(path("pem"), certificate.pem()).unwrap();
            std::fs::write(path("key"), key.serialize_pem()).unwrap();
        }
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The arguments of redis-cli.
    pub(crate) fn client_args(&self) -> Vec<String> {
        let file = |name| self.path(name).display().to_string();
        let pairs = [("--cacert", "ca.pem"), ("--cert", "client.pem"), ("--key", "client.key")];
        let files = pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), file(value)]);
        std::iter::once("--tls".to_owned()).chain(files).collect()
    }

    /// The arguments of redis-server.
    pub(crate) fn redis_args(&self) -> Vec<String> {
        let file = |name| self.path(name).display().to_string();
        let pairs = [
            ("--tls-cert-file", file("server.pem")),
            ("--tls-key-file", file("server.key")),
            ("--tls-ca-cert-file", file("ca.pem")),
        ];
        pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}
