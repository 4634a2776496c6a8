//! TLS with a server of an upstream.

use std::io;
use std::sync::Arc;

use pingora_core::tls::load_platform_certs_incl_env_into_store;
use pingora_error::{Error, ErrorType, Result};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName as VerifiedName;
use tokio_rustls::TlsConnector;
use tracing::warn;

use super::stream::Stream;
use crate::upstream::{ServerName, Tls};

/// What speaks TLS with an upstream's servers.
pub(super) fn connector(tls: &Tls) -> Result<TlsConnector> {
    let configuration = configuration(tls).map_err(|error| {
        warn!("an upstream's TLS cannot be set up: {error}");
        Error::explain(ErrorType::TLSHandshakeFailure, "unusable certificates or key")
    })?;
    Ok(Arc::new(configuration).into())
}

fn configuration(tls: &Tls) -> anyhow::Result<ClientConfig> {
    let mut trusted = RootCertStore::empty();
    match &tls.ca {
        Some(ca) => {
            for certificate in ca.iter() {
                trusted.add(certificate.clone())?;
            }
        }
        None => load_platform_certs_incl_env_into_store(&mut trusted)
            .map_err(|error| anyhow::anyhow!("{error}"))?,
    }
    let configuration = ClientConfig::builder().with_root_certificates(trusted);
    let mut configuration = match &tls.client {
        Some(client) => {
            configuration.with_client_auth_cert(client.chain.clone(), client.key.clone_key())?
        }
        None => configuration.with_no_client_auth(),
    };
    configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(configuration)
}

/// The handshake: the server proves that it has this name.
pub(super) async fn secure(
    connector: &TlsConnector,
    stream: Stream,
    name: &ServerName,
) -> Result<Stream> {
    let failed = |error| Error::because(ErrorType::TLSHandshakeFailure, "with an upstream", error);
    let name = VerifiedName::try_from(name.as_str().to_owned())
        .map_err(|error| failed(io::Error::other(error)))?;
    match connector.connect(name, stream).await {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
        Err(error) if is_of_the_certificate(&error) => {
            Err(Error::because(ErrorType::InvalidCert, "of an upstream", error))
        }
        Err(error) => Err(failed(error)),
    }
}

fn is_of_the_certificate(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}
