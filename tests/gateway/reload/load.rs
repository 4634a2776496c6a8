//! REL-07: reloads under load.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use tokio::task::JoinHandle;

use super::House;
use crate::support::config::Config;
use crate::support::eventually;
use crate::support::jwt::KEY;
use crate::support::request::client;
use crate::support::wechat::{APPID, SECRET};
use crate::upstream::Upstream;

/// Who asks at one time, half of them over HTTP/2.
const CLIENTS: usize = 8;

struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<BTreeMap<String, usize>>>,
}

impl Load {
    /// Everybody asks for a path with a token and one without, again and again.
    fn start(house: &House, token: &str) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let tasks = (0..CLIENTS).map(|number| {
            let (stop, http) = (stop.clone(), client(number % 2 == 0));
            let base = format!("http://{}", house.process.address);
            let token = token.to_owned();
            tokio::spawn(async move {
                let mut outcomes = BTreeMap::new();
                while !stop.load(Ordering::Relaxed) {
                    for path in ["/api/x", "/public/x"] {
                        let request = http.get(format!("{base}{path}")).bearer_auth(&token);
                        let outcome = match request.send().await {
                            Ok(answer) => answer.status().as_u16().to_string(),
                            Err(error) => format!("{error:?}"),
                        };
                        *outcomes.entry(outcome).or_default() += 1;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                outcomes
            })
        });
        Self { tasks: tasks.collect(), stop }
    }

    async fn end(self) -> BTreeMap<String, usize> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = BTreeMap::new();
        for task in self.tasks {
            for (outcome, count) in task.await.unwrap() {
                *all.entry(outcome).or_default() += count;
            }
        }
        all
    }
}

/// One after the other, as fast as they take effect: routes, upstreams and secrets change each time, and
/// each tenth does not work.
async fn reloads(count: u64) {
    let keys = "signing_keys_file = [\"new.key\", \"old.key\"]";
    let app = format!("appid = \"{APPID}\"\nsecret_file = \"wx.secret\"");
    let config = Config::default().table("session", keys).table("apps.shop", &app);
    let files = [("new.key", KEY), ("old.key", KEY), ("wx.secret", SECRET)];
    let house = House::open_with(config, &files).await;
    let others = [Upstream::start().await, Upstream::start().await];
    let token = house.token("alice").await;
    let load = Load::start(&house, &token);
    let (begun, mut memory) = (Instant::now(), Vec::new());
    let (mut good, mut bad) = (0, 0);
    for number in 1..=count {
        if number % 10 == 0 {
            house.process.write("gateway.toml", &house.config.text().replace("/maybe", "/api"));
            house.process.signal("HUP");
            bad += 1;
            // By what changed and by the signal, which may be two reloads.
            eventually("it is kept out", async || {
                house.record().await["last"]["outcome"] == "failed"
            })
            .await;
        } else {
            let key = base64::engine::general_purpose::STANDARD.encode(format!("{number:032}"));
            house.process.write("new.key", &key);
            let route = format!(r#"path = "/new-{number}/**", upstream = "other""#);
            let servers = match number % 3 {
                0 => format!("\"{}\"", others[0].url()),
                1 => format!("\"{}\"", others[1].url()),
                _ => format!("\"{}\", \"{}\"", others[0].url(), others[1].url()),
            };
            let shop = format!(
                "servers = [{servers}]\ntimeout = \"{}s\"\nhealth = {{ path = \"/\", interval = \"1s\" }}",
                10 + number % 5
            );
            let other = format!("servers = [\"http://localhost:{}\"]", others[0].address.port());
            let config = house.config.clone().route(&route).table("upstreams.shop", &shop);
            house.write(&config.table("upstreams.other", &other));
            house.process.signal("HUP");
            good += 1;
            let path = format!("/new-{number}/x");
            eventually("it is in effect", async || house.get(&path).await.status == 401).await;
        }
        if number % 20 == 0 {
            memory.push(house.process.memory());
        }
    }
    let took = begun.elapsed();
    let outcomes = load.end().await;
    let requests: usize = outcomes.values().sum();
    eprintln!("{count} reloads in {took:.1?} under {requests} requests; memory in KiB: {memory:?}");
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["200"], "{outcomes:?}");
    assert!(requests as u64 > count, "there was no load: {outcomes:?}");
    let record = house.record().await;
    let counted = |name: &str| record[name].as_u64().unwrap();
    assert!(counted("generation") > good && counted("failed") >= bad, "{record}");
    // Flat: the second half adds next to nothing to the first.
    let (middle, end) = (memory[memory.len() / 2], memory[memory.len() - 1]);
    assert!(end < middle + middle / 5, "it grows: {memory:?}");
}

#[tokio::test]
async fn rel_07_a_hundred_reloads_under_load_fail_no_request() {
    reloads(100).await;
}

#[tokio::test]
#[ignore = "takes minutes; .ci/run runs it"]
async fn rel_07_a_thousand_reloads_under_load_fail_no_request() {
    reloads(1_000).await;
}
