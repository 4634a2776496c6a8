//! `wxgate doctor`: each finding with its fault made real.

mod certificates;

use std::net::{IpAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wxgate::clock::Clock;
use wxgate::simulator::{Options, Simulator};

use crate::redis_server::Server;
use crate::redis_server::certificates::Certificates;
use crate::{Ended, Folder};

const APPID: &str = "wx0123456789abcdef";
const SECRET: &str = "5c1e0a7f3b9d2846e07f1a3c5b7d9e2f";
const KEYS: [(&str, &str); 2] = [
    ("SIGNING", "m0CNWGH0yxfD6lTD9cvSuyVmFA8zDxZzg2sgSvKWkiE="),
    ("STORE", "3CXtmeJ6ZSE5vVXrnAy0jzqz0l6tkJlu7OE60zTkBg4="),
];

/// A world in which all is well, of which a test breaks one part.
struct World {
    simulator: Simulator,
    upstream: TcpListener,
    store: String,
}

impl World {
    async fn new() -> Self {
        let apps = [(APPID.to_owned(), SECRET.to_owned())].into_iter().collect();
        let options = Options { clock: Clock::system(), apps };
        let simulator = Simulator::start(([127, 0, 0, 1], 0).into(), options).await.unwrap();
        let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { simulator, upstream, store: "memory:".to_owned() }
    }

    fn text(&self) -> String {
        let (wechat, upstream) = (self.simulator.base_url(), self.upstream.local_addr().unwrap());
        let store = &self.store;
        format!(
            r#"
[apps.shop]
appid = "{APPID}"
secret = "${{WX_SECRET}}"
[wechat]
base_url = "{wechat}"
[store]
url = "{store}"
encryption_keys = ["${{STORE}}"]
[session]
signing_keys = ["${{SIGNING}}"]
[upstreams.shop]
servers = ["http://{upstream}"]
[[routes]]
path = "/wxLogin"
action = "login"
[[routes]]
path = "/api/**"
upstream = "shop"
"#
        )
    }

    async fn doctor(&self) -> Ended {
        self.doctor_of(self.text(), &[]).await
    }

    async fn doctor_of(&self, text: String, variables: &[(&str, &str)]) -> Ended {
        let secret = [("WX_SECRET", SECRET)];
        let all = [&secret[..], &KEYS, variables].concat();
        let all: Vec<_> =
            all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        // The simulator answers on this thread.
        tokio::task::spawn_blocking(move || {
            let all: Vec<_> =
                all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            Folder::with("gateway.toml", &text).run_with(&["doctor", "--json"], &all, "")
        })
        .await
        .unwrap()
    }
}

/// The one finding that is not good.
#[track_caller]
fn finding(ended: &Ended, id: &str) -> Value {
    let said = ended.json();
    let findings = said["findings"].as_array().unwrap();
    let bad: Vec<_> = findings.iter().filter(|it| it["severity"] != "ok").collect();
    assert_eq!(bad.iter().map(|it| &it["id"]).collect::<Vec<_>>(), [id], "{said:#}");
    let is_error = bad[0]["severity"] == "error";
    assert_eq!(
        (ended.code, &said["well"]),
        if is_error { (65, &json!(false)) } else { (0, &json!(true)) }
    );
    bad[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_it_says_so() {
    let mut world = World::new().await;
    let redis = Server::start().await;
    world.store = format!("redis://{}", redis.address());
    let ended = world.doctor().await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let said = ended.json();
    let ids: Vec<_> = said["findings"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, ["secrets", "redis", "wechat_clock", "wechat", "upstream"], "{said:#}");
    assert!(!ended.stdout.contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_found() {
    let world = World::new().await;
    let wrong = [("WX_SECRET", "5c1e0a7f3b9d2846e07f1a3c5b7d9e2e")];
    let ended = world.doctor_of(world.text(), &wrong).await;
    let found = finding(&ended, "wechat_secret");
    assert_eq!(found["about"], "[apps.shop]");
    assert!(found["what"].as_str().unwrap().contains("AppSecret"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_in_the_whitelist_is_found() {
    let world = World::new().await;
    let settings = format!("{}/simulator/settings", world.simulator.base_url());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer =
        client.post(settings).body(r#"{"ip_whitelist":["10.9.9.9"]}"#).send().await.unwrap();
    assert!(answer.status().is_success());
    let found = finding(&world.doctor().await, "wechat_whitelist");
    let what = found["what"].as_str().unwrap();
    assert!(what.contains("IP whitelist") && what.contains("(WeChat saw 127.0.0.1)"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_is_found() {
    let world = World::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let body = r#"{"access_token":"a","expires_in":7200}"#;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nDate: Sun, 09 Sep 2001 01:46:40 GMT\r\nConnection: close\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            // What is left unread would break the connection.
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let text = world.text().replace(&world.simulator.base_url(), &format!("http://{address}"));
    let found = finding(&world.doctor_of(text, &[]).await, "wechat_clock");
    assert!(found["what"].as_str().unwrap().contains("s apart"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wechat_that_cannot_be_reached_is_found() {
    let world = World::new().await;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = world.text().replace(&world.simulator.base_url(), &format!("http://{closed}"));
    finding(&world.doctor_of(text, &[]).await, "wechat_unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_evicts_sessions_is_found() {
    let mut world = World::new().await;
    let redis = Server::with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]).await;
    world.store = format!("redis://{}", redis.address());
    let found = finding(&world.doctor().await, "redis_eviction");
    assert!(found["what"].as_str().unwrap().contains("allkeys-lru"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_wants_a_login_or_is_not_there_is_found() {
    let mut world = World::new().await;
    let redis = Server::with_password("secret").await;
    world.store = format!("redis://{}", redis.address());
    let found = finding(&world.doctor().await, "redis_unavailable");
    assert!(found["what"].as_str().unwrap().starts_with("NOAUTH"), "{found}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.store = format!("redis://{closed}");
    let found = finding(&world.doctor().await, "redis_unavailable");
    assert!(found["what"].as_str().unwrap().starts_with("connection refused"), "{found}");
}

/// The rules of the operations guide for a user that is to do without one of them.
fn rules_without(rule: &str) -> Vec<&'static str> {
    let guide = include_str!("../../docs/operations.md");
    let line = guide.lines().find_map(|line| line.strip_prefix("ACL SETUSER wxgate on >PASSWORD "));
    let rules: Vec<_> = line.unwrap().split(' ').collect();
    assert!(rules.contains(&rule), "{rule}");
    rules.into_iter().filter(|it| *it != rule).collect()
}

impl World {
    /// What is said of a user with these rules.
    async fn doctor_of_user(&mut self, redis: &Server, rules: &[&str]) -> Ended {
        let user = ["ACL", "SETUSER", "gate", "reset", "on", ">s3cret"];
        redis.command::<()>(&[&user[..], rules].concat()).await;
        self.store = format!("redis://gate:${{PASSWORD}}@{}", redis.address());
        self.doctor_of(self.text(), &[("PASSWORD", "s3cret")]).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_that_the_acl_user_lacks_is_found() {
    let mut world = World::new().await;
    let redis = Server::start().await;
    for rule in [
        "+get",
        "+mget",
        "+set",
        "+psetex",
        "+setrange",
        "+del",
        "+pttl",
        "+pexpire",
        "+eval",
        "+evalsha",
        "+time",
        "+info",
    ] {
        let ended = world.doctor_of_user(&redis, &rules_without(rule)).await;
        let found = finding(&ended, "redis_acl");
        let what = found["what"].as_str().unwrap();
        assert!(what.contains(&format!("add {rule} to its rules")), "{found}");
        assert_eq!(found["severity"], if rule == "+info" { "warning" } else { "error" });
    }
    for (rule, id) in [("+ping", "redis_unavailable"), ("+client|tracking", "redis_feed")] {
        let ended = world.doctor_of_user(&redis, &rules_without(rule)).await;
        assert!(finding(&ended, id)["what"].as_str().unwrap().contains("NOPERM"), "{rule}");
    }
    assert_eq!(redis.command::<u64>(&["DBSIZE"]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_the_acl_user_may_not_use_are_found() {
    let mut world = World::new().await;
    let redis = Server::start().await;
    let rules = [&rules_without("~wxgate:*")[..], &["~other:*"]].concat();
    let found = finding(&world.doctor_of_user(&redis, &rules).await, "redis_acl");
    assert!(found["what"].as_str().unwrap().contains("add ~wxgate:* to its rules"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_redis_that_end_soon_are_found() {
    let days = |days: u64| Some(Duration::from_secs(days * 24 * 3600 + 3600));
    for (ends, soon) in [
        ([days(9), days(31)], Some("its certificate ends on ")),
        ([days(31), days(9)], Some("client.pem ends on ")),
        ([days(31), days(31)], None),
    ] {
        let world = World::new().await;
        let certificates = Arc::new(Certificates::with_ends(ends));
        let redis = Server::with_certificates(&[], certificates.clone()).await;
        let path = |name| certificates.path(name).display().to_string();
        let (ca, cert, key) = (path("ca.pem"), path("client.pem"), path("client.key"));
        let store = format!(
            "url = \"{}\"\ntls = {{ ca = \"{ca}\", cert = \"{cert}\", key = \"{key}\" }}",
            redis.url()
        );
        let text = world.text().replace("url = \"memory:\"", &store);
        let ended = world.doctor_of(text, &[]).await;
        match soon {
            Some(words) => {
                let found = finding(&ended, "redis_certificate");
                assert_eq!(found["severity"], "warning");
                let what = found["what"].as_str().unwrap();
                assert!(what.contains(words) && what.contains(", in 9 days"), "{found}");
            }
            None => {
                assert!(ended.json()["well"] == true && !ended.stdout.contains("redis_certificate"))
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_not_there_is_found() {
    let world = World::new().await;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let there = world.upstream.local_addr().unwrap().to_string();
    let text = world.text().replace(&there, &closed.to_string());
    finding(&world.doctor_of(text, &[]).await, "upstream_unreachable");
}

/// The address by which this machine reaches others, where it has one. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().unwrap().ip()).filter(|ip| !ip.is_loopback())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_others_reach_past_the_gateway_is_found() {
    let Some(own) = own_address() else {
        eprintln!("\n!!!! NOT TESTED: this machine has no address but loopback\n");
        return;
    };
    let mut world = World::new().await;
    world.upstream = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = world.upstream.local_addr().unwrap().port();
    let text = world.text().replace("http://0.0.0.0", "http://127.0.0.1");
    let said = world.doctor_of(text, &[]).await;
    let said_json = said.json();
    let findings = said_json["findings"].as_array().unwrap();
    let bypass = findings.iter().find(|it| {
        it["id"] == "upstream_bypass"
            && it["what"].as_str().unwrap().contains(&format!("{own}:{port}"))
    });
    assert!(bypass.is_some() && said.code == 65, "{said_json:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_file_that_all_can_read_is_found() {
    let world = World::new().await;
    let folder = Folder::with("secret", SECRET);
    let path = folder.path().join("secret");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let text = world
        .text()
        .replace("secret = \"${WX_SECRET}\"", &format!("secret_file = \"{}\"", path.display()));
    let found = finding(&world.doctor_of(text, &[]).await, "configuration");
    assert!(found["what"].as_str().unwrap().contains("every user of this machine"), "{found}");
    assert!(found["help"].as_str().unwrap().contains("chmod o-r"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_can_be_guessed_are_found() {
    let world = World::new().await;
    let example = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    // The text "correct horse battery staple, in base64".
    let words = "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZSwgaW4gYmFzZTY0";
    let typed = "ourverylongsecretsigningkeyfortheshopoftoday";
    for (name, key) in
        [("SIGNING", example), ("STORE", example), ("SIGNING", words), ("SIGNING", typed)]
    {
        let ended = world.doctor_of(world.text(), &[(name, key)]).await;
        let found = finding(&ended, "weak_key");
        assert!(found["help"].as_str().unwrap().contains("wxgate keys generate"), "{found}");
    }
}
