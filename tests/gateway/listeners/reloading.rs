//! A certificate that changes while the gateway runs.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustls_pki_types::CertificateDer;
use wxgate::lifecycle::reloads::Outcome;

use super::{Certificate, GET, NAME, assert_ok, connect, listening, on, table};
use crate::certificates::{Authority, Pair};
use crate::raw::Wire;
use crate::support::config::Config;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::process::Process;

/// The certificate that a listener shows to a new connection.
async fn shown(address: SocketAddr, authority: &Authority) -> CertificateDer<'static> {
    let stream = connect(address, authority.client(&[], None)).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

async fn until_shown(address: SocketAddr, authority: &Authority, pair: &Pair) {
    eventually("the new certificate is shown", async || {
        shown(address, authority).await == pair.certificate()
    })
    .await;
}

/// A process that shows this certificate, and needs neither a WeChat nor an upstream.
fn of_process(certificate: &Certificate) -> Config {
    Config::default()
        .key("server", &format!("tls = {}", certificate.table("")))
        .variable("WECHAT", "http://127.0.0.1:1")
        .variable("UPSTREAM", "http://127.0.0.1:1")
}

#[tokio::test]
async fn a_new_certificate_is_shown_and_open_connections_stay() {
    let certificate = Certificate::new();
    let gateway =
        Gateway::with(listening(&[on(&format!("tls = {}", certificate.table("")))])).await;
    let address = gateway.listener(1);
    let authority = &certificate.authority;
    assert_eq!(shown(address, authority).await, certificate.pair.certificate());
    let mut wire = Wire::over(connect(address, authority.client(&[], None)).await.unwrap());
    wire.send(GET).await;
    assert_ok(&wire.answer().await);

    let next = authority.sign(NAME);
    next.write(&certificate.path("tls.crt"), &certificate.path("tls.key"));
    until_shown(address, authority, &next).await;
    wire.send(GET).await;
    assert_ok(&wire.answer().await);
}

/// A Secret of Kubernetes: links through `..data`, which is renamed over.
fn swap(volume: &Path, version: &str, pair: &Pair) {
    let folder = volume.join(version);
    std::fs::create_dir(&folder).unwrap();
    pair.write(&folder.join("tls.crt"), &folder.join("tls.key"));
    symlink(version, volume.join("..data_tmp")).unwrap();
    std::fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
}

#[tokio::test]
async fn each_swap_of_a_kubernetes_secret_is_noticed() {
    let (authority, volume) = (Authority::new(), tempfile::tempdir().unwrap());
    let first = authority.sign(NAME);
    swap(volume.path(), "..1", &first);
    for name in ["tls.crt", "tls.key"] {
        symlink(Path::new("..data").join(name), volume.path().join(name)).unwrap();
    }
    let tls = format!("tls = {}", table(volume.path(), ""));
    let gateway = Gateway::with(listening(&[on(&tls)])).await;
    assert_eq!(shown(gateway.listener(1), &authority).await, first.certificate());
    for version in ["..2", "..3"] {
        let next = authority.sign(NAME);
        swap(volume.path(), version, &next);
        until_shown(gateway.listener(1), &authority, &next).await;
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_is_said_once_and_never_shown() {
    let certificate = Certificate::new();
    let config = of_process(&certificate);
    let mut process = Process::start(&config).await;
    let (authority, address) = (&certificate.authority, process.address);
    let old = certificate.pair.certificate();
    let next = authority.sign(NAME);
    let remedy = "put a certificate and its own key there";

    std::fs::write(certificate.path("tls.crt"), next.certificate_pem()).unwrap();
    process.until_logged(&format!("is not the key of the certificate in `cert`; {remedy}")).await;
    assert_eq!(shown(address, authority).await, old);
    let half = next.certificate_pem();
    std::fs::write(certificate.path("tls.crt"), &half[..half.len() / 2]).unwrap();
    process.until_logged("tls.crt is no PEM").await;
    assert_eq!(shown(address, authority).await, old);
    std::fs::remove_file(certificate.path("tls.crt")).unwrap();
    process.until_logged("tls.crt cannot be read").await;
    assert_eq!(shown(address, authority).await, old);

    next.write(&certificate.path("tls.crt"), &certificate.path("tls.key"));
    until_shown(address, authority, &next).await;
    assert_eq!(process.log().matches(remedy).count(), 3, "each once:\n{}", process.log());
    let key = next.key_pem();
    let line = key.lines().nth(1).unwrap();
    assert!(!process.log().contains(line));
}

/// What waits for a restart after this configuration was read again.
async fn waits_for_a_restart(gateway: &Gateway, config: &Config) -> Vec<String> {
    assert_eq!(gateway.reload(config).await, Outcome::Unchanged);
    gateway.app.configuration().reloads().record().last.unwrap().needs_restart
}

#[tokio::test]
async fn a_changed_certificate_waits_for_no_restart_and_another_path_does() {
    let certificate = Certificate::new();
    let config = listening(&[on(&format!("tls = {}", certificate.table("")))]);
    let gateway = Gateway::with(config.clone()).await;
    let next = certificate.authority.sign(NAME);
    next.write(&certificate.path("tls.crt"), &certificate.path("tls.key"));
    assert!(waits_for_a_restart(&gateway, &config).await.is_empty());
    until_shown(gateway.listener(1), &certificate.authority, &next).await;

    let elsewhere = Certificate::new();
    let config = listening(&[on(&format!("tls = {}", elsewhere.table("")))]);
    let waits = waits_for_a_restart(&gateway, &config).await;
    assert!(waits.len() == 1 && waits[0].contains("tls"), "{waits:?}");
    assert_eq!(shown(gateway.listener(1), &certificate.authority).await, next.certificate());
}

#[tokio::test]
async fn a_configuration_that_a_bad_certificate_keeps_out_is_read_again_when_it_is_mended() {
    let certificate = Certificate::new();
    let config = of_process(&certificate);
    let mut process = Process::start(&config).await;
    let (authority, address) = (&certificate.authority, process.address);
    let next = authority.sign(NAME);
    std::fs::write(certificate.path("tls.crt"), next.certificate_pem()).unwrap();
    let changed = config.key("limits", "body_size = \"1KiB\"");
    process.write("gateway.toml", &changed.text());
    process.until_logged("configuration not reloaded, generation 1 stays in effect").await;
    assert_eq!(shown(address, authority).await, certificate.pair.certificate());

    next.write(&certificate.path("tls.crt"), &certificate.path("tls.key"));
    process.until_logged("configuration reloaded, generation 2: [limits] changed").await;
    until_shown(address, authority, &next).await;
}
