//! One question to a server: `GET` on a connection of its own, as requests would reach it.

use std::time::Duration;

use http::header::HOST;
use http::{HeaderValue, StatusCode};
use reqwest::{Certificate, Client, Identity, Request, redirect};
use rustls_pki_types::PrivateKeyDer;

use super::Health;
use crate::upstream::{Address, ClientCertificate, Protocol, Settings, Target};

/// A question that can be asked again and again.
pub(super) struct Probe {
    client: Client,
    request: Request,
}

impl Probe {
    /// The question to this target, over TLS where requests go over it.
    pub(super) fn new(
        settings: &Settings,
        health: &Health,
        target: &Target,
    ) -> Result<Self, reqwest::Error> {
        let mut builder = Client::builder()
            .user_agent("wxgate-health")
            // Where a redirect leads is not what was asked about.
            .redirect(redirect::Policy::none())
            .no_proxy()
            // That it accepts connections is a part of the question.
            .pool_max_idle_per_host(0)
            .connect_timeout(settings.connect_timeout)
            .timeout(health.interval.max(Duration::from_millis(100)));
        builder = match target.protocol {
            Protocol::H2c => builder.http2_prior_knowledge(),
            Protocol::Https if settings.http2 => builder,
            Protocol::Http | Protocol::Https => builder.http1_only(),
        };
        if let Some(ca) = &settings.tls.ca {
            let ca: Result<Vec<_>, _> = ca.iter().map(|ca| Certificate::from_der(ca)).collect();
            builder = builder.tls_certs_only(ca?);
        }
        if let Some(client) = &settings.tls.client {
            builder = builder.identity(Identity::from_pem(pem(client).as_bytes())?);
        }
        let host = host(target);
        let url = match &target.address {
            Address::Unix(path) => {
                builder = builder.unix_socket(path.clone());
                format!("http://localhost{}", health.path)
            }
            Address::Tcp(address) => {
                builder = builder.resolve(&host, *address);
                let scheme = if target.tls_name.is_some() { "https" } else { "http" };
                format!("{scheme}://{host}:{}{}", address.port(), health.path)
            }
        };
        let client = builder.build()?;
        let mut request = client.get(url).build()?;
        if let Some(authority) = &target.authority {
            request.headers_mut().insert(HOST, authority.clone());
        }
        Ok(Self { client, request })
    }

    /// Asks once. A redirect is a good answer too: the server is there and knows what to say.
    pub(super) async fn ask(&self) -> Result<(), String> {
        let Some(request) = self.request.try_clone() else { return Ok(()) };
        match self.client.execute(request).await {
            Ok(answer) if is_good(answer.status()) => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status().as_u16())),
            Err(error) if error.is_timeout() => Err("no answer in time".to_owned()),
            Err(error) if error.is_connect() => Err("no connection".to_owned()),
            Err(_) => Err("the connection broke, or the answer is no HTTP".to_owned()),
        }
    }
}

fn is_good(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection()
}

/// The name that its certificate must have, or else the host of the server's URL.
fn host(target: &Target) -> String {
    if let Some(name) = &target.tls_name {
        let is_ipv6 = name.as_str().contains(':');
        return if is_ipv6 { format!("[{}]", name.as_str()) } else { name.as_str().to_owned() };
    }
    let authority = target.authority.as_ref().map(HeaderValue::to_str);
    let uri = authority.and_then(Result::ok).and_then(|text| text.parse::<http::Uri>().ok());
    uri.as_ref().and_then(http::Uri::host).unwrap_or("localhost").to_owned()
}

/// reqwest takes them in this form only.
fn pem(client: &ClientCertificate) -> String {
    use base64::Engine as _;
    let block = |kind: &str, der: &[u8]| {
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n")
    };
    let chain: String = client.chain.iter().map(|der| block("CERTIFICATE", der)).collect();
    let kind = match &client.key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    chain + &block(kind, client.key.secret_der())
}
