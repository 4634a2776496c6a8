//! A house of several gateways: one Redis, one WeChat, one service behind them.

#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../gateway/support/config.rs"]
pub(crate) mod config;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../gateway/support/jwt.rs"]
pub(crate) mod jwt;
pub(crate) mod load;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../gateway/support/metrics.rs"]
pub(crate) mod metrics;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../gateway/support/request.rs"]
pub(crate) mod request;
#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../gateway/support/wechat.rs"]
pub(crate) mod wechat;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use wxgate::app::{self, App};
use wxgate::clock::Clock;
use wxgate::config::{Problems, Settings};
use wxgate::lifecycle::reloads::Outcome;
use wxgate::listen::Address;
use wxgate::simulator::OpenData;

use self::config::Config;
use self::jwt::KEY;
use self::request::{Request, client};
use self::wechat::Wechat;
use crate::raw::Answer;
use crate::redis_server::{self, PATIENCE, Server};
use crate::upstream::Upstream;

pub(crate) const ENCRYPTION_KEY: &str = "dGVzdC1vbmx5IGVuY3J5cHRpb24ga2V5IDMyIGJ5dGU=";
pub(crate) const OTHER_ENCRYPTION_KEY: &str = "b3RoZXItdGVzdC1vbmx5IGVuY3J5cHRpb24ga2V5IDM=";
/// How soon what one replica did is true on all.
pub(crate) const SEEN: Duration = Duration::from_secs(1);

/// What the gateways have in common.
pub(crate) struct House {
    pub(crate) clock: Clock,
    pub(crate) wechat: Wechat,
    pub(crate) upstream: Upstream,
}

/// One gateway.
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) http: reqwest::Client,
    app: App,
    wechat: String,
    upstream: String,
}

/// The configuration of a replica, all of whose secrets are those of the others. The time limit is one
/// that a busy machine keeps.
pub(crate) fn on(url: &str) -> Config {
    on_within(url, "5s")
}

/// The same with this time limit for calls to Redis.
pub(crate) fn on_within(url: &str, timeout: &str) -> Config {
    let store = format!("url = \"{url}\"\ntimeout = \"{timeout}\"");
    Config::default()
        .table("store", &store)
        .encryption_keys(&[ENCRYPTION_KEY])
        .signing_keys(&[KEY])
        .key("identity", "claims = { user_id = \"X-User-Id\" }")
        // One address stands for all the phones of a test.
        .table("limits", "login_rate = { per_ip = \"10000/s\" , burst = 10000 }")
        .route(r#"path = "/bizLogin", action = "login", upstream = "shop""#)
        .route(r#"path = "/phone", action = "phone""#)
        .route(r#"path = "/open", action = "open-data""#)
}

impl Config {
    /// Seals what is stored with the first of these keys, and opens it with all.
    pub(crate) fn encryption_keys(mut self, keys: &[&str]) -> Self {
        let names: Vec<_> = (0..keys.len()).map(|index| format!("\"${{SEAL_{index}}}\"")).collect();
        for (index, key) in keys.iter().enumerate() {
            self = self.variable(&format!("SEAL_{index}"), *key);
        }
        self.key("store", &format!("encryption_keys = [{}]", names.join(", ")))
    }
}

impl House {
    pub(crate) async fn open() -> Self {
        let clock = Clock::movable();
        let wechat = Wechat::start(clock.clone()).await;
        Self { clock, wechat, upstream: Upstream::start().await }
    }

    /// A replica that knows its store.
    pub(crate) async fn replica(&self, config: Config) -> Replica {
        let replica = self.start(config).await;
        replica.knows_its_store().await;
        replica
    }

    /// A replica, whatever its store does.
    pub(crate) async fn start(&self, config: Config) -> Replica {
        let (wechat, upstream) = (self.wechat.url(), self.upstream.url());
        Replica::build(config, wechat, upstream, self.clock.clone()).await
    }

    /// So many users, logged in here and there.
    pub(crate) async fn users(&self, replicas: &[&Replica], count: usize) -> Vec<User> {
        let mut users = Vec::new();
        for number in 0..count {
            let name = format!("user-{number}");
            let token = replicas[number % replicas.len()].log_in(self, &name).await;
            users.push(User { openid: self.wechat.openid(&name), name, token });
        }
        users
    }
}

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) openid: String,
    pub(crate) token: String,
}

impl Replica {
    pub(crate) async fn build(
        config: Config,
        wechat: String,
        upstream: String,
        clock: Clock,
    ) -> Self {
        let settings = read(&config, &wechat, &upstream)
            .unwrap_or_else(|problems| panic!("{problems}\n{}", config.text()));
        let app = app::build(settings, clock).await.unwrap();
        let Some(Address::Tcp(address)) = app.addresses.first().cloned() else {
            panic!("a TCP address")
        };
        let (admin, http) = (app.admin_address, client(false));
        Self { address, admin, http, app, wechat, upstream }
    }

    /// Puts another configuration in effect; what changed.
    pub(crate) async fn reload(&self, config: &Config) -> String {
        let read = read(config, &self.wechat, &self.upstream);
        match self.app.configuration().reload(read, true).await {
            Outcome::Applied(changes) => changes,
            outcome => panic!("{outcome:?}"),
        }
    }

    /// Waits until a token of no session is refused, which only the store can say.
    pub(crate) async fn knows_its_store(&self) -> Duration {
        redis_server::eventually("the store is known", PATIENCE, async || {
            let code = "0".repeat(32);
            self.get(&format!("/wxLogin?code={code}")).await.status == 401
        })
        .await
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    fn request(&self, method: Method, path: &str) -> Request {
        Request(self.http.request(method, format!("http://{}{path}", self.address)))
    }

    pub(crate) async fn login(&self, code: &str) -> Answer {
        self.get(&format!("/wxLogin?code={code}")).await
    }

    /// The token of a user who has just logged in.
    pub(crate) async fn log_in(&self, house: &House, user: &str) -> String {
        token_in(&self.login(&house.wechat.code(user)).await)
    }

    /// What a request with this token is answered.
    pub(crate) async fn status(&self, token: &str) -> u16 {
        self.get("/api/x").token(token).await.status
    }

    /// Waits until a token opens nothing here any more.
    pub(crate) async fn turns_away(&self, token: &str) -> Duration {
        redis_server::eventually("the token is turned away", SEEN, async || {
            self.status(token).await == 401
        })
        .await
    }

    pub(crate) async fn log_out(&self, token: &str) {
        assert_eq!(self.post("/logout").token(token).await.status, 204);
    }

    /// What the admin listener says.
    pub(crate) async fn admin(&self, path: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        crate::raw::Wire::ask(self.admin, request).await.status
    }
}

fn read(config: &Config, wechat: &str, upstream: &str) -> Result<Settings, Problems> {
    let variable = |name: &str| match name {
        _ if config.variables.contains_key(name) => config.variables.get(name).cloned(),
        "WECHAT" => Some(wechat.to_owned()),
        "UPSTREAM" => Some(upstream.to_owned()),
        _ => None,
    };
    wxgate::config::parse("gateway.toml", &config.text(), Path::new(""), &variable)
}

/// The answer to data that WeChat has sealed, or somebody else.
pub(crate) async fn open(replica: &Replica, token: &str, data: &OpenData) -> Answer {
    let body = json!({ "encryptedData": data.encrypted_data, "iv": data.iv });
    replica.post("/open").json(&body).token(token).await
}

/// Data that no key opens.
pub(crate) fn forged(number: u8) -> OpenData {
    use base64::Engine;
    let text = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let (encrypted_data, iv) = (text(&[number; 48]), text(&[9; 16]));
    OpenData { encrypted_data, iv, raw_data: None, signature: None }
}

pub(crate) fn token_in(answer: &Answer) -> String {
    token_of(&answer.json()).unwrap_or_else(|| panic!("a token: {answer:?}"))
}

fn token_of(body: &Value) -> Option<String> {
    body["token"].as_str().map(str::to_owned)
}

/// Waits until requests of a session cost no question to Redis.
pub(crate) async fn answers_from_memory(servers: &[&Server], replica: &Replica, token: &str) {
    eventually("requests are answered from memory", async || {
        let before = questions(servers).await;
        for _ in 0..10 {
            assert_eq!(replica.status(token).await, 200);
        }
        questions(servers).await == before
    })
    .await;
}

/// How many values Redis was asked for so far.
async fn questions(servers: &[&Server]) -> u64 {
    let mut sum = 0;
    for server in servers {
        sum += calls(server, "get").await;
    }
    sum
}

/// How many sessions Redis was asked for so far: with the time each has left.
pub(crate) async fn sessions_asked_for(server: &Server) -> u64 {
    calls(server, "pttl").await
}

/// How often Redis was given this command so far.
async fn calls(server: &Server, command: &str) -> u64 {
    let stats: String = server.command(&["INFO", "commandstats"]).await;
    let start = format!("cmdstat_{command}:calls=");
    let calls = stats.lines().find_map(|line| line.strip_prefix(&start));
    calls.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or_default()
}

/// Asks again and again until the answer is yes.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFnMut() -> bool) {
    redis_server::eventually(what, PATIENCE, holds).await;
}
