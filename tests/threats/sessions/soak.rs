//! The users, their few connections, and what they count.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tempfile::TempDir;

use super::echo::{self, Clock};
use crate::support::config::Config;
use crate::support::request::client;
use crate::support::wechat::Wechat;

/// Connections of HTTP/1.1, each for one request at a time.
const HTTP1: usize = 8;
/// Connections of HTTP/2, and how many requests each has at a time.
const HTTP2: usize = 3;
const STREAMS: usize = 10;

/// A gateway with people who are logged in.
pub(super) struct Soak {
    gateway: Process,
    people: Arc<Vec<Person>>,
    clock: Clock,
    _wechat: Wechat,
}

struct Person {
    token: String,
    openid: String,
}

/// When it has been enough.
#[derive(Clone, Copy)]
pub(super) enum Until {
    Elapsed(Duration),
    Requests(u64),
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) answered: u64,
    /// 502, 503 or 504, and answers that broke off.
    pub(super) breaks: u64,
    /// Somebody else's openid, target or body, or any other answer.
    pub(super) mismatches: u64,
    pub(super) deaths: u64,
    /// Resident memory of the gateway in KiB, after the first tenth and at the end.
    memory: (u64, u64),
}

#[derive(Default)]
struct Counters {
    answered: AtomicU64,
    breaks: AtomicU64,
    mismatches: AtomicU64,
    requests: AtomicU64,
    memory: AtomicU64,
}

enum Met {
    Right,
    Broken,
    /// What was wrong with it.
    Wrong(String),
}

impl Soak {
    pub(super) async fn begin(users: usize) -> Self {
        let clock = Clock::default();
        let servers = [echo::start(0, clock.clone()).await, echo::start(1, clock.clone()).await];
        let wechat = Wechat::start(wxgate::clock::Clock::movable()).await;
        let servers = servers.map(|server| format!("http://{server}"));
        let config = Config::default()
            .variable("WECHAT", wechat.url())
            .table("limits", r#"login_rate = { per_ip = "10000/s", burst = 10000 }"#)
            .table("upstreams.shop", &format!("servers = {servers:?}"));
        let gateway = Process::start(&config);
        let http = client(false);
        let mut people = Vec::new();
        for number in 0..users {
            let name = format!("user {number}");
            let url = format!("http://{}/wxLogin?code={}", gateway.address, wechat.code(&name));
            let answer = http.get(url).send().await.expect("an answer").bytes().await;
            let answer: serde_json::Value =
                serde_json::from_slice(&answer.expect("a body")).expect("JSON");
            let token = answer["token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
            people.push(Person { token, openid: wechat.openid(&name) });
        }
        Self { gateway, people: Arc::new(people), clock, _wechat: wechat }
    }

    pub(super) async fn run(&self, until: Until) -> Counts {
        let counters = Arc::<Counters>::default();
        let begun = Instant::now();
        let mut clients = Vec::new();
        for _ in 0..HTTP1 {
            clients.push((client(false), "HTTP/1.1"));
        }
        for _ in 0..HTTP2 {
            let shared = client(true);
            clients.extend((0..STREAMS).map(|_| (shared.clone(), "HTTP/2")));
        }
        let tasks = clients.into_iter().enumerate().map(|(number, (http, protocol))| {
            let asker = Asker {
                http,
                address: self.gateway.address,
                process: self.gateway.child.id(),
                people: self.people.clone(),
                clock: self.clock.clone(),
                counters: counters.clone(),
                random: number as u64 + 1,
            };
            tokio::spawn(asker.run(until, begun, protocol))
        });
        for task in join_all(tasks).await {
            task.expect("no client panics");
        }
        Counts {
            requests: counters.requests.load(Relaxed),
            answered: counters.answered.load(Relaxed),
            breaks: counters.breaks.load(Relaxed),
            mismatches: counters.mismatches.load(Relaxed),
            deaths: self.clock.deaths(),
            memory: (counters.memory.load(Relaxed), resident(self.gateway.child.id())),
        }
    }
}

/// One who asks, one request after the other, each time as somebody else.
struct Asker {
    http: reqwest::Client,
    address: SocketAddr,
    process: u32,
    people: Arc<Vec<Person>>,
    clock: Clock,
    counters: Arc<Counters>,
    random: u64,
}

impl Asker {
    async fn run(mut self, until: Until, begun: Instant, protocol: &str) {
        loop {
            let number = self.counters.requests.fetch_add(1, Relaxed);
            let (is_over, is_warm) = match until {
                Until::Elapsed(time) => (begun.elapsed() >= time, begun.elapsed() >= time / 10),
                Until::Requests(count) => (number >= count, number >= count / 10),
            };
            if is_over {
                self.counters.requests.fetch_sub(1, Relaxed);
                return;
            }
            if is_warm && self.counters.memory.load(Relaxed) == 0 {
                self.counters.memory.store(resident(self.process), Relaxed);
            }
            self.clock.tick();
            let counter = match self.ask(number).await {
                Met::Right => &self.counters.answered,
                Met::Broken => &self.counters.breaks,
                Met::Wrong(what) => {
                    println!("{protocol}: {what}");
                    &self.counters.mismatches
                }
            };
            counter.fetch_add(1, Relaxed);
        }
    }

    /// One of ten is nobody who would like to be somebody; one of three has a body.
    async fn ask(&mut self, number: u64) -> Met {
        let people = self.people.clone();
        let [other, person] = [(); 2].map(|()| {
            let at = self.next_random() as usize % people.len();
            &people[at]
        });
        let is_nobody = self.next_random().is_multiple_of(10);
        let path = format!("/{}/{number}", if is_nobody { "public" } else { "api" });
        let body = if self.next_random().is_multiple_of(3) {
            format!("body {number}")
        } else {
            String::new()
        };
        let url = format!("http://{}{path}", self.address);
        let request = if body.is_empty() { self.http.get(url) } else { self.http.post(url) };
        let request = request
            .header("authorization", format!("Bearer {}", person.token))
            .header("x-wx-openid", &other.openid)
            .body(body.clone());
        let Ok(answer) = request.send().await else { return Met::Broken };
        let status = answer.status().as_u16();
        let Ok(text) = answer.text().await else { return Met::Broken };
        let openid = if is_nobody { "" } else { &person.openid };
        match status {
            200 if text == format!("{openid}\n{path}\n{body}") => Met::Right,
            502..=504 => Met::Broken,
            _ => Met::Wrong(format!("{openid:?} asked for {path} and got {status}: {text:?}")),
        }
    }

    /// Xorshift: who is next need not be a secret.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, answered, breaks, mismatches, deaths, memory } = self;
        let (warm, end) = (memory.0 as f64 / 1024.0, memory.1 as f64 / 1024.0);
        write!(
            f,
            "{requests} requests: {answered} answered, {breaks} broken, {mismatches} mismatches; \
             {deaths} deaths of a service; the gateway had {warm:.1} MiB after a tenth, {end:.1} \
             at the end"
        )
    }
}

/// `wxgate run`, in a process of its own so that its memory is its own; killed when this is dropped.
struct Process {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Process {
    fn start(config: &Config) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gateway.toml");
        std::fs::write(&path, config.text()).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_wxgate"))
            .args(["run", "--config"])
            .arg(&path)
            .env_clear()
            .envs(&config.variables)
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let line = lines.by_ref().map_while(Result::ok).find(|line| line.contains("listening on "));
        let line = line.expect("it says where it listens");
        let (_, rest) = line.split_once("listening on ").expect("an address");
        let is_address = |c: &char| c.is_ascii_digit() || matches!(c, '.' | ':');
        let address: String = rest.chars().take_while(is_address).collect();
        // What it writes on is read, so that it never waits for room.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, address: address.parse().expect("an address"), _folder: folder }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Resident memory in KiB (proc(5)).
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or_default()
}
