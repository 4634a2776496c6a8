//! Certificates that clients, or the gateway, will not believe, or not for long.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use wxgate::clock::Clock;

use super::{World, finding};
use crate::Ended;
use crate::certificates::{Authority, Pair};

const NAME: &str = "localhost";

/// So many days from now, and an hour.
fn in_days(days: i64) -> SystemTime {
    let now = i64::try_from(Clock::system().now()).unwrap();
    let then = u64::try_from(now + days * 24 * 3600 + 3600).unwrap();
    SystemTime::UNIX_EPOCH + Duration::from_secs(then)
}

/// A certificate that holds from this day to that, counted from now.
fn holding(authority: &Authority, begin: i64, end: i64) -> Pair {
    authority.sign_but(NAME, |params| {
        (params.not_before, params.not_after) = (in_days(begin).into(), in_days(end).into());
    })
}

fn write(pair: &Pair, folder: &Path) {
    let key = folder.join("tls.key");
    pair.write(&folder.join("tls.crt"), &key);
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The table of a listener, or of what the gateway shows an upstream.
fn table(folder: &Path, more: &str) -> String {
    let path = |name| folder.join(name).display().to_string();
    format!("{{ cert = \"{}\", key = \"{}\"{more} }}", path("tls.crt"), path("tls.key"))
}

impl World {
    /// What is said where the gateway listens so.
    async fn doctor_of_listeners(&self, listen: &str) -> Ended {
        self.doctor_of(format!("[server]\nlisten = [{listen}]\n{}", self.text()), &[]).await
    }

    async fn doctor_of_listener(&self, pair: &Pair) -> Ended {
        let folder = tempfile::tempdir().unwrap();
        write(pair, folder.path());
        let tls = table(folder.path(), "");
        self.doctor_of_listeners(&format!("{{ address = \"127.0.0.1:0\", tls = {tls} }}")).await
    }
}

fn is_well(ended: &Ended) -> bool {
    let said = ended.json();
    said["findings"].as_array().unwrap().iter().all(|it| it["severity"] == "ok")
}

/// How long certificates hold, and what is said of it.
const TIMES: [(i64, i64, &str, &str); 4] = [
    (-90, 9, "warning", ", in 9 days"),
    (-80, 1, "warning", ", in 25 hours"),
    (-9, -2, "error", "the certificate ended on "),
    (2, 90, "error", "the certificate holds from "),
];

/// One of a year or of ninety days, and ones that a program renews after two thirds of their life.
const GOOD: [(i64, i64); 4] = [(-330, 31), (-9, 81), (-3, 3), (-1, 1)];

#[tokio::test(flavor = "multi_thread")]
async fn a_listeners_certificate_that_does_not_hold_or_not_for_long_is_found() {
    let (world, authority) = (World::new().await, Authority::new());
    for (begin, end, severity, words) in TIMES {
        let ended = world.doctor_of_listener(&holding(&authority, begin, end)).await;
        let found = finding(&ended, "listener_certificate");
        assert_eq!(found["severity"], severity);
        assert!(found["what"].as_str().unwrap().contains(words), "{found}");
        assert!(found["about"].as_str().unwrap().ends_with("tls.crt"), "{found}");
    }
    for (begin, end) in GOOD {
        assert!(is_well(&world.doctor_of_listener(&holding(&authority, begin, end)).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listeners_certificate_for_no_host_is_found() {
    let (world, authority) = (World::new().await, Authority::new());
    let pair = authority.sign_but(NAME, |params| params.subject_alt_names.clear());
    let found = finding(&world.doctor_of_listener(&pair).await, "listener_certificate_name");
    assert!(found["what"].as_str().unwrap().contains("no subjectAltName"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_a_route_that_no_listener_has_a_certificate_for_is_found() {
    let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
    write(&Authority::new().sign("*.shop.example"), folder.path());
    let tls = table(folder.path(), "");
    let secure = format!("{{ address = \"127.0.0.1:0\", tls = {tls} }}");
    let text = |listen: &str, host: &str| {
        let route = format!("path = \"/api/**\"\nhost = \"{host}\"");
        let text = world.text().replace("path = \"/api/**\"", &route);
        format!("[server]\nlisten = [{listen}]\n{text}")
    };
    let ended = world.doctor_of(text(&secure, "api.other.example"), &[]).await;
    let found = finding(&ended, "listener_certificate_name");
    let what = found["what"].as_str().unwrap();
    assert!(what.contains("for api.other.example, ") && what.contains("*.shop.example"), "{found}");
    // Where TLS may end before the gateway, nobody can tell from here.
    let both = format!("{secure}, \"127.0.0.2:0\"");
    for (listen, host) in [(&secure, "api.shop.example"), (&both, "api.other.example")] {
        let ended = world.doctor_of(text(listen, host), &[]).await;
        assert!(is_well(&ended), "{ended:?}");
    }
}

/// The gateway would not start: it is the configuration that has the problem.
#[tokio::test(flavor = "multi_thread")]
async fn a_listeners_certificate_that_cannot_be_used_is_found() {
    let (world, authority) = (World::new().await, Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let (mine, other) = (authority.sign(NAME), authority.sign(NAME));
    let listen = format!("{{ address = \"127.0.0.1:0\", tls = {} }}", table(folder.path(), ""));
    let certificate = folder.path().join("tls.crt");
    for (content, words) in [
        (Some(other.certificate_pem()), "is not the key of the"),
        (Some("no certificate".to_owned()), "holds no certificate in PEM"),
        (None, "cannot be read: No such file"),
    ] {
        write(&mine, folder.path());
        match content {
            Some(content) => std::fs::write(&certificate, content).unwrap(),
            None => std::fs::remove_file(&certificate).unwrap(),
        }
        let ended = world.doctor_of_listeners(&listen).await;
        assert_eq!(ended.code, 78, "{ended:?}");
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    }
}

/// A server that begins TLS with whoever comes.
async fn serve(config: rustls::ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move { acceptor.accept(stream).await.map(drop) });
        }
    });
    address
}

/// An upstream over TLS, with its authority's certificate in `ca.crt`.
struct Secure {
    world: World,
    authority: Authority,
    folder: TempDir,
}

impl Secure {
    async fn new() -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        authority.write(&folder.path().join("ca.crt"));
        Self { world: World::new().await, authority, folder }
    }

    fn ca(&self) -> String {
        format!("tls = {{ ca = \"{}\" }}", self.folder.path().join("ca.crt").display())
    }

    /// What is said of this server under these keys.
    async fn doctor(&self, url: &str, keys: &str) -> Ended {
        let plain = format!("[\"http://{}\"]", self.world.upstream.local_addr().unwrap());
        let text = self.world.text().replace(&plain, &format!("[\"{url}\"]\n{keys}"));
        self.world.doctor_of(text, &[]).await
    }

    async fn doctor_of(&self, pair: &Pair, keys: &str) -> Ended {
        let address = serve(pair.server()).await;
        self.doctor(&format!("https://{NAME}:{}", address.port()), keys).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_certificate_that_does_not_hold_or_not_for_long_is_found() {
    let secure = Secure::new().await;
    for (begin, end, severity, words) in TIMES {
        let pair = holding(&secure.authority, begin, end);
        let found = finding(&secure.doctor_of(&pair, &secure.ca()).await, "upstream_certificate");
        assert_eq!(found["severity"], severity);
        assert!(found["what"].as_str().unwrap().contains(words), "{found}");
    }
    for (begin, end) in GOOD {
        let good = secure.doctor_of(&holding(&secure.authority, begin, end), &secure.ca()).await;
        let words = "shows a certificate for localhost";
        assert!(is_well(&good) && good.stdout.contains(words), "{good:?}");
    }
}

/// A CA's second certificate by another CA, which old clients wanted, outlives its use in many chains.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_shows_besides_and_nobody_needs_is_no_fault() {
    let secure = Secure::new().await;
    let ended = |params: &mut rcgen::CertificateParams| {
        (params.not_before, params.not_after) = (in_days(-90).into(), in_days(-9).into());
    };
    let crossed = Authority::new().below(ended);
    let address = serve(secure.authority.sign(NAME).server_beside(&[&crossed])).await;
    let ended = secure.doctor(&format!("https://{NAME}:{}", address.port()), &secure.ca()).await;
    assert!(ended.code == 0 && is_well(&ended), "{ended:?}");
    assert!(ended.stdout.contains("and is not needed"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_shows_besides_and_is_believed_by_is_judged() {
    let secure = Secure::new().await;
    for (begin, end, severity, words) in [
        (-90, 9, "warning", "will not be believed"),
        (-90, -9, "error", "the certificate ended on"),
    ] {
        let between = secure.authority.below(|params| {
            (params.not_before, params.not_after) = (in_days(begin).into(), in_days(end).into());
        });
        let address = serve(between.sign(NAME).server_beside(&[&between])).await;
        let url = format!("https://{NAME}:{}", address.port());
        let found = finding(&secure.doctor(&url, &secure.ca()).await, "upstream_certificate");
        assert_eq!(found["severity"], severity, "{found}");
        assert!(found["what"].as_str().unwrap().contains(words), "{found}");
    }
}

/// Whether clients need it nobody knows here.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_listener_shows_besides_and_has_ended_is_warned_of() {
    let (world, folder, authority) =
        (World::new().await, tempfile::tempdir().unwrap(), Authority::new());
    let pair = authority.sign(NAME);
    write(&pair, folder.path());
    let between = authority.below(|params| {
        (params.not_before, params.not_after) = (in_days(-90).into(), in_days(-9).into());
    });
    let chain = pair.certificate_pem() + &between.pem();
    std::fs::write(folder.path().join("tls.crt"), chain).unwrap();
    let tls = table(folder.path(), "");
    let listen = format!("{{ address = \"127.0.0.1:0\", tls = {tls} }}");
    let found = finding(&world.doctor_of_listeners(&listen).await, "listener_certificate");
    assert_eq!(found["severity"], "warning", "{found}");
    assert!(found["what"].as_str().unwrap().contains("beside the certificate ended on"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_certificate_for_another_name_is_found() {
    let secure = Secure::new().await;
    let ended = secure.doctor_of(&secure.authority.sign("other.test"), &secure.ca()).await;
    let found = finding(&ended, "upstream_certificate");
    let what = "shows a certificate that is not for localhost but for other.test";
    assert_eq!(found["what"], what);
    assert!(found["help"].as_str().unwrap().contains("tls.server_name"), "{found}");
    let named = secure.ca().replace(" }", ", server_name = \"other.test\" }");
    let ended = secure.doctor_of(&secure.authority.sign("other.test"), &named).await;
    assert!(is_well(&ended), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_certificate_that_nobody_trusted_has_signed_is_found() {
    let secure = Secure::new().await;
    let forged = Authority::new().sign(NAME);
    for (keys, whom) in [(secure.ca(), "nobody in tls.ca"), (String::new(), "this system trusts")] {
        let found = finding(&secure.doctor_of(&forged, &keys).await, "upstream_certificate");
        assert!(found["what"].as_str().unwrap().contains(whom), "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_https_without_tls_is_found() {
    let secure = Secure::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            // What it says is no TLS; what is left unread would break the connection.
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    let ended = secure.doctor(&format!("https://{address}"), &secure.ca()).await;
    let found = finding(&ended, "upstream_tls");
    assert!(found["help"].as_str().unwrap().contains("http://"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_gateways_own_that_does_not_hold_is_found() {
    let secure = Secure::new().await;
    write(&holding(&secure.authority, -9, -2), secure.folder.path());
    let ca = format!(", ca = \"{}\"", secure.folder.path().join("ca.crt").display());
    let keys = format!("tls = {}", table(secure.folder.path(), &ca));
    let found = finding(
        &secure.doctor_of(&secure.authority.sign(NAME), &keys).await,
        "upstream_certificate",
    );
    assert_eq!(found["about"], "[upstreams.shop] tls.cert");
    assert!(found["what"].as_str().unwrap().contains("ended on"), "{found}");
}
