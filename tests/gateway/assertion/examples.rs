//! The services in `examples/assertion`, each with a library that its language keeps: what they let in,
//! and what they do not.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::packages::{NPM_INSTALL, copy_of, installed, start_with};
use crate::raw::{Answer, PATIENCE, Wire};
use crate::support::assertion::{HEADER, JWKS};
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt::{self, Jwt};
use crate::support::wechat::APPID;
use crate::upstream::{Reply, Upstream};

/// It needs no more than the other tests do, but a Node of which jose finds the Web Crypto API: 20.
#[tokio::test]
async fn the_service_in_node_lets_in_what_the_gateway_vouches_for() {
    let look = ["-e", "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)"];
    let looked = Command::new("node").args(look).status().await;
    if looked.is_ok_and(|status| !status.success()) {
        eprintln!("\n!!!! NOT TESTED: the service in Node, whose library needs Node 20 or newer\n");
        return;
    }
    let folder = copy_of("examples/assertion/node");
    if installed(&folder, &NPM_INSTALL).await {
        lets_in_what_the_gateway_vouches_for(&folder, &["node", "service.js"]).await;
    }
}

#[tokio::test]
#[ignore = "needs pip"]
async fn the_service_in_python_lets_in_what_the_gateway_vouches_for() {
    let folder = copy_of("examples/assertion/python");
    if installed(&folder, &["python3", "-m", "venv", "venv"]).await
        && installed(&folder, &["venv/bin/pip", "install", "-q", "-r", "requirements.txt"]).await
    {
        lets_in_what_the_gateway_vouches_for(&folder, &["venv/bin/python", "service.py"]).await;
    }
}

#[tokio::test]
#[ignore = "needs Go"]
async fn the_service_in_go_lets_in_what_the_gateway_vouches_for() {
    let folder = copy_of("examples/assertion/go");
    if installed(&folder, &["go", "build", "-o", "service", "."]).await {
        lets_in_what_the_gateway_vouches_for(&folder, &["./service"]).await;
    }
}

#[tokio::test]
#[ignore = "needs a JDK and Maven"]
async fn the_service_in_java_lets_in_what_the_gateway_vouches_for() {
    let folder = copy_of("examples/assertion/java");
    let install =
        ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libraries"];
    if installed(&folder, &install).await {
        let script = ["java", "-cp", "libraries/*", "Service.java"];
        lets_in_what_the_gateway_vouches_for(&folder, &script).await;
    }
}

/// The service while it runs.
struct Service {
    address: SocketAddr,
    _process: Child,
}

impl Service {
    /// One with its key set at this URL.
    async fn start(folder: &TempDir, script: &[&str], url: &str, cooldown: &str) -> Option<Self> {
        let variables =
            [("JWKS_URL", url), ("AUDIENCE", "shop"), ("PORT", "0"), ("JWKS_COOLDOWN", cooldown)];
        let mut process = start_with(folder, script, &variables)?;
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        // A JVM on a machine that is busy compiles the source first.
        let line = tokio::time::timeout(3 * PATIENCE, lines.next_line()).await;
        let line = line.expect("it starts").unwrap().expect("it says where it listens");
        let address = line.strip_prefix("listening on ").expect(&line).parse().unwrap();
        Some(Self { address, _process: process })
    }

    async fn ask(&self, assertion: Option<&str>) -> Answer {
        let header = assertion.map(|text| format!("X-WX-Assertion: {text}\r\n"));
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", header.unwrap_or_default());
        Wire::ask(self.address, request).await
    }
}

async fn lets_in_what_the_gateway_vouches_for(folder: &TempDir, script: &[&str]) {
    let ((key, public), (next, _)) = (jwt::ed25519(), jwt::p256());
    let gateway = Gateway::with(Config::default().assertion_keys(&[&key])).await;
    gateway.wechat.set(|settings| settings.unionid = true);
    let token = gateway.log_in("alice").await;
    let vouched = async || {
        gateway.get("/api/x").token(&token).await;
        gateway.upstream.last().header(HEADER).expect("an assertion").to_owned()
    };
    let good = vouched().await;
    let url = format!("http://{}{JWKS}", gateway.app.admin_address);
    let Some(service) = Service::start(folder, script, &url, "0").await else { return };
    let alice = json!({
        "openid": gateway.wechat.openid("alice"),
        "appid": APPID,
        "unionid": gateway.wechat.world().unionid(APPID, "alice"),
    });
    let lets_in = async |assertion: &str, what: &str| {
        let answer = service.ask(Some(assertion)).await;
        assert_eq!((answer.status, answer.json()), (200, alice.clone()), "{what}");
    };
    lets_in(&good, "a good one").await;
    for (what, assertion) in bad_ones(&Jwt::read(&good), &key, &public, &token) {
        let answer = service.ask(assertion.as_deref()).await;
        assert_eq!(answer.status, 403, "{what}: {}", answer.text());
        assert_eq!(answer.json(), json!({ "error": "not from the gateway" }), "{what}");
    }
    lets_in(&good, "a good one after many bad ones").await;
    waits_for_no_forger(folder, script, &url, &good).await;
    says_that_it_has_no_keys(folder, script, &good).await;

    // The keys that it has kept do not have the new one.
    gateway.reload(&Config::default().assertion_keys(&[&next, &key])).await;
    let rotated = vouched().await;
    assert_eq!(Jwt::read(&rotated).header["alg"], "ES256");
    lets_in(&rotated, "by a key that it does not know").await;
    lets_in(&good, "by the key before").await;

    // And as it is meant to be: the gateway before the service.
    let through = Config::default()
        .variable("UPSTREAM", format!("http://{}", service.address))
        .assertion_keys(&[&next, &key]);
    gateway.reload(&through).await;
    let answer = gateway.get("/api/x").token(&token).header(HEADER, "forged").await;
    assert_eq!((answer.status, answer.json()), (200, alice.clone()));
    assert_eq!(gateway.get("/public/x").token(&token).header(HEADER, &good).await.status, 403);
}

/// Who names keys that there are not is turned away at once, however many he names.
async fn waits_for_no_forger(folder: &TempDir, script: &[&str], url: &str, good: &str) {
    let service = Service::start(folder, script, url, "200").await.expect("it did before");
    assert_eq!(service.ask(Some(good)).await.status, 200);
    let (read, (stranger, _)) = (Jwt::read(good), jwt::ed25519());
    for number in 0..20 {
        let mut header = read.header.clone();
        header["kid"] = format!("stranger-{number}").into();
        let forged = jwt::sign_ed25519(&stranger, &header.to_string(), &read.claims.to_string());
        let answer = service.ask(Some(&forged)).await;
        assert_eq!(answer.status, 403, "{number}: {}", answer.text());
    }
    assert_eq!(service.ask(Some(good)).await.status, 200, "and others are let in as before");
}

/// That is no reason to say that somebody is not let in.
async fn says_that_it_has_no_keys(folder: &TempDir, script: &[&str], good: &str) {
    let failing = Upstream::start().await;
    failing.on("/keys", Reply::with_head("HTTP/1.1 500 Internal Server Error\r\n", ""));
    for url in ["http://127.0.0.1:1/keys".to_owned(), format!("{}/keys", failing.url())] {
        let service = Service::start(folder, script, &url, "0").await.expect("it did before");
        let answer = service.ask(Some(good)).await;
        assert_eq!(answer.status, 503, "{url}: {}", answer.text());
    }
}

/// What has to be turned away; each is good but for what it says.
fn bad_ones(
    good: &Jwt,
    key: &str,
    public: &[u8],
    token: &str,
) -> Vec<(&'static str, Option<String>)> {
    let now = good.claims["iat"].as_u64().unwrap();
    let changed = |of: &Value, name: &str, value: Value| {
        let mut changed = of.clone();
        changed[name] = value;
        changed.to_string()
    };
    let without = |name: &str| {
        let mut claims = good.claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims.to_string()
    };
    let (header, claims) = (good.header.to_string(), good.claims.to_string());
    let claiming = |name: &str, value: Value| {
        jwt::sign_ed25519(key, &header, &changed(&good.claims, name, value))
    };
    let of_type = |typ: Value| jwt::sign_ed25519(key, &changed(&good.header, "typ", typ), &claims);
    let none = changed(&good.header, "alg", "none".into());
    let (stranger, _) = jwt::ed25519();
    let strange = changed(&good.header, "kid", "stranger".into());
    let hs256 = changed(&good.header, "alg", "HS256".into());
    let (_, of_another) = claiming("sub", "oMallory".into())
        .rsplit_once('.')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let texts = [
        ("it has expired", claiming("exp", (now - 3600).into())),
        ("it has no end", jwt::sign_ed25519(key, &header, &without("exp"))),
        ("it is of nobody", jwt::sign_ed25519(key, &header, &without("sub"))),
        ("it is of no app", jwt::sign_ed25519(key, &header, &without("appid"))),
        ("it is for another", claiming("aud", "other".into())),
        ("it is for nobody", jwt::sign_ed25519(key, &header, &without("aud"))),
        ("it is by another", claiming("iss", "somebody".into())),
        ("it is a token of a session", token.to_owned()),
        ("it is of another type", of_type("JWT".into())),
        ("it has no type", of_type(Value::Null)),
        ("it is not signed", format!("{}.", jwt::unsigned(&none, &claims))),
        ("its signature is left out", format!("{}.", good.signed)),
        ("its signature is another's", format!("{}.{of_another}", good.signed)),
        ("a stranger has signed it", jwt::sign_ed25519(&stranger, &header, &claims)),
        ("it names a stranger's key", jwt::sign_ed25519(&stranger, &strange, &claims)),
        ("the public key is no secret", jwt::sign_with(public, &hs256, &claims)),
        ("it is empty", String::new()),
        ("it is nonsense", "a.b.c".to_owned()),
    ];
    let texts = texts.into_iter().map(|(what, text)| (what, Some(text)));
    texts.chain([("there is none", None)]).collect()
}
