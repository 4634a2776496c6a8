//! Whatever clients send, the series stay the same (DOS-05, CVE-2022-21698).

use std::collections::BTreeSet;

use crate::support::gateway::Gateway;

const CLIENTS: usize = 8;
/// Of each client, before the series are counted, and after.
const BEFORE: u64 = 250;
const AFTER: u64 = 6_250;

const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW", "GET", "PROPFIND"];
const ROOTS: [&str; 6] = ["/", "/api/", "/public/", "/maybe/", "/session/", "/wxLogin/"];

/// Another number each time, the same in each run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[usize::try_from(self.next()).unwrap() % choices.len()]
    }
}

/// Requests over one connection after the other, each with a path, host and openid of its own.
async fn send(gateway: &Gateway, client: u64, requests: u64) {
    let mut random = Random(client);
    let mut wire = gateway.wire().await;
    for _ in 0..requests {
        let (method, root) = (random.of(&METHODS), random.of(&ROOTS));
        let (path, host, openid) = (random.next(), random.next(), random.next());
        let method =
            if method == "BREW" { format!("B{:X}", random.next()) } else { method.to_owned() };
        let request = format!(
            "{method} {root}{path:x}?openid=o{openid:x} HTTP/1.1\r\nHost: h{host:x}.example\r\n\
             X-WX-OPENID: o{openid:x}\r\nUser-Agent: a{host:x}\r\n\r\n"
        );
        wire.send(request).await;
        match wire.next_answer(method == "HEAD").await {
            Some(answer) if answer.header("connection") != Some("close") => {}
            _ => wire = gateway.wire().await,
        }
    }
}

async fn series(gateway: &Gateway) -> BTreeSet<String> {
    gateway.scrape().await.0.into_keys().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dos_05_fifty_thousand_random_requests_make_no_new_series() {
    let gateway = Gateway::start().await;
    for user in 0..20 {
        gateway.log_in(&format!("user{user}")).await;
    }
    let mut seen = Vec::new();
    for requests in [BEFORE, AFTER] {
        let clients = (0..CLIENTS).map(|client| send(&gateway, requests + client as u64, requests));
        futures_util::future::join_all(clients).await;
        for user in 0..20 {
            gateway.log_in(&format!("user{requests}-{user}")).await;
        }
        seen.push(series(&gateway).await);
    }
    let new: Vec<_> = seen[1].difference(&seen[0]).collect();
    assert!(new.is_empty(), "{new:#?}");
    assert_eq!(seen[0].len(), seen[1].len());
    // Nothing of what clients sent, and no more than the routes of the configuration can make.
    assert!(seen[1].iter().all(|series| !series.contains(".example")));
    let requests = |series: &&String| series.starts_with("wxgate_requests_total{");
    let routes = 8;
    assert_eq!(seen[1].iter().filter(requests).count(), routes * 8 * 6);
}
