//! Another key, without an assertion that cannot be verified: docs/identity.md says in which steps.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use wxgate::lifecycle::reloads::Outcome;

use crate::support::assertion::{HEADER, KeySet};
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::jwt;
use crate::support::process::Process;
use crate::support::{eventually, seconds};

/// How long a key set may be kept, by its Cache-Control, and an assertion lives.
const MAX_AGE: u64 = 300;
const TTL: u64 = 300;
const CLIENTS: usize = 6;

/// An upstream that keeps the key set for as long as it may, and does not look again for a key that it
/// does not know: nobody is stricter.
struct Verifier {
    kept: Mutex<(u64, KeySet)>,
}

impl Verifier {
    async fn of(gateway: &Gateway) -> Self {
        let kept = (gateway.clock.now(), gateway.key_set().await);
        Self { kept: Mutex::new(kept) }
    }

    async fn verify(&self, gateway: &Gateway, assertion: &str) -> Result<(), String> {
        let now = gateway.clock.now();
        let is_old = self.kept.lock().unwrap().0 + MAX_AGE <= now;
        if is_old {
            let fetched = (now, gateway.key_set().await);
            *self.kept.lock().unwrap() = fetched;
        }
        self.kept.lock().unwrap().1.verify(assertion).map(|_| ())
    }
}

/// Everybody asks again and again, and what the upstream got is verified as it gets it.
struct Load<'a> {
    gateway: &'a Gateway,
    verifier: Verifier,
    token: String,
    stop: AtomicBool,
    verified: AtomicUsize,
    failures: Mutex<Vec<String>>,
    assertions: Mutex<Vec<String>>,
}

impl<'a> Load<'a> {
    async fn on(gateway: &'a Gateway) -> Self {
        Self {
            gateway,
            verifier: Verifier::of(gateway).await,
            token: gateway.log_in("alice").await,
            stop: AtomicBool::new(false),
            verified: AtomicUsize::new(0),
            failures: Mutex::default(),
            assertions: Mutex::default(),
        }
    }

    async fn run(&self) {
        join_all((0..CLIENTS).map(|client| self.client(client))).await;
    }

    async fn client(&self, client: usize) {
        let mut number = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let path = format!("/api/{client}/{number}");
            assert_eq!(self.gateway.get(&path).token(&self.token).await.status, 200);
            let requests = self.gateway.upstream.requests();
            let seen = requests.iter().rev().find(|seen| seen.target() == path).unwrap();
            let assertion = seen.header(HEADER).expect("an assertion").to_owned();
            if let Err(why) = self.verifier.verify(self.gateway, &assertion).await {
                self.failures.lock().unwrap().push(why);
            }
            self.assertions.lock().unwrap().push(assertion);
            self.verified.fetch_add(1, Ordering::Relaxed);
            number += 1;
        }
    }

    /// Waits until every client has asked since.
    async fn goes_on(&self) {
        let before = self.verified.load(Ordering::Relaxed);
        let enough = async || self.verified.load(Ordering::Relaxed) >= before + 3 * CLIENTS;
        eventually("requests go on", enough).await;
    }

    /// That whoever fetches the keys only now verifies all that is good still.
    async fn assert_all_that_live_are_good(&self) {
        let (keys, now) = (self.gateway.key_set().await, self.gateway.clock.now());
        for assertion in self.assertions.lock().unwrap().iter() {
            if jwt::Jwt::read(assertion).claims["exp"].as_u64().unwrap() > now {
                keys.verify(assertion).unwrap();
            }
        }
    }

    fn failures(&self) -> usize {
        self.failures.lock().unwrap().len()
    }
}

async fn reload(gateway: &Gateway, keys: &[&str]) {
    let outcome = gateway.reload(&Config::default().assertion_keys(keys)).await;
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_rotation_under_load_fails_no_assertion() {
    let ((old, _), (new, _)) = (jwt::ed25519(), jwt::p256());
    let gateway = Gateway::with(Config::default().assertion_keys(&[&old])).await;
    let load = Load::on(&gateway).await;
    let rotate = async {
        load.goes_on().await;
        reload(&gateway, &[&old, &new]).await;
        load.goes_on().await;
        gateway.clock.advance(seconds(MAX_AGE));
        reload(&gateway, &[&new, &old]).await;
        load.goes_on().await;
        load.assert_all_that_live_are_good().await;
        gateway.clock.advance(seconds(TTL));
        reload(&gateway, &[&new]).await;
        load.goes_on().await;
        load.assert_all_that_live_are_good().await;
        load.stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(load.run(), rotate);
    assert_eq!(*load.failures.lock().unwrap(), [] as [&str; 0]);
    let assertions = load.assertions.lock().unwrap().clone();
    let algorithm = |assertion: &String| jwt::Jwt::read(assertion).header["alg"].clone();
    assert_eq!(algorithm(&assertions[0]), "EdDSA");
    assert_eq!(algorithm(&assertions[assertions.len() - 1]), "ES256");
    assert_eq!(gateway.key_set().await.ids().len(), 1);
}

/// The verifier above sees what the steps are for.
#[tokio::test]
async fn a_key_that_signs_before_it_could_be_known_is_noticed() {
    let ((old, _), (new, _)) = (jwt::ed25519(), jwt::ed25519());
    let gateway = Gateway::with(Config::default().assertion_keys(&[&old])).await;
    let load = Load::on(&gateway).await;
    let rotate = async {
        load.goes_on().await;
        reload(&gateway, &[&new, &old]).await;
        load.goes_on().await;
        load.stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(load.run(), rotate);
    assert!(load.failures() > 0);
}

#[tokio::test]
async fn keys_in_files_are_followed() {
    let ((old, _), (new, _)) = (jwt::ed25519(), jwt::ed25519());
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("first.pem", &old), ("second.pem", &new)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let files = "keys_file = [\"first.pem\", \"second.pem\"]";
    let config = Config::default()
        .table("identity.assertion", files)
        .variable("WECHAT", "http://127.0.0.1:1")
        .variable("UPSTREAM", "http://127.0.0.1:1");
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, config.text()).unwrap();
    let mut process = Process::start_in(folder, file, &config).await;
    let before = KeySet::of(process.admin).await;
    let [first, second] = before.ids()[..] else { panic!("two keys: {before:?}") };
    // What is half there changes nothing.
    process.write("second.pem", "-----BEGIN PRIVATE KEY-----\n");
    process.until_logged("configuration not reloaded").await;
    assert_eq!(KeySet::of(process.admin).await.ids(), [first, second]);
    process.write("second.pem", &jwt::p256().0);
    eventually("the new key is published", async || {
        KeySet::of(process.admin).await.ids()[1] != second
    })
    .await;
    assert_eq!(KeySet::of(process.admin).await.ids()[0], first);
    process.until_logged("generation 2: the keys of assertions changed").await;
}
