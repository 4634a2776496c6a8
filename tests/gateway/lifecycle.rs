//! The process: how it comes up, says how it is, and goes down.

use std::time::Duration;

use crate::raw::{Answer, Wire};
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::process::{Process, run_to_end};
use crate::support::{eventually, timed};
use crate::upstream::{Gate, Reply, Upstream};

/// The real binary before a service that a test plays.
struct House {
    process: Process,
    upstream: Upstream,
}

impl House {
    async fn open(lame_duck: &str, drain: &str) -> Self {
        let upstream = Upstream::start().await;
        let times = format!("lame_duck = \"{lame_duck}\"\ndrain = \"{drain}\"");
        let config = Config::default()
            .table("server", &format!("listen = [\"127.0.0.1:0\"]\n{times}"))
            .variable("WECHAT", "http://127.0.0.1:1")
            .variable("UPSTREAM", upstream.url());
        Self { process: Process::start(&config).await, upstream }
    }

    async fn readiness(&self) -> Answer {
        Wire::ask(self.process.admin, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").await
    }

    async fn until_not_ready(&self) {
        eventually("/readyz says 503", async || self.readiness().await.status == 503).await;
    }

    /// Begins a request whose answer comes once the gate is open.
    async fn begin_slow_request(&self) -> (Wire, Gate) {
        let gate = Gate::closed();
        self.upstream.on("/public/slow", Reply::ok("at last").once(&gate));
        let mut wire = Wire::connect(self.process.address).await;
        wire.send("GET /public/slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
        self.upstream.until(|seen| seen.iter().any(|it| it.target() == "/public/slow")).await;
        (wire, gate)
    }
}

const GET: &str = "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn ses_07_health_is_on_the_admin_listener_only() {
    let gateway = Gateway::start().await;
    let ask = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        Wire::ask(gateway.app.admin_address, request).await
    };
    assert_eq!(ask("/livez").await.status, 200);
    let ready = ask("/readyz").await;
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &true.into()));
    for path in ["/livez", "/readyz", "/metrics", "/config", "/sessions"] {
        assert_eq!(gateway.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn rel_06_after_sigterm_it_is_not_ready_and_accepts_and_then_ends_in_order() {
    let mut house = House::open("2s", "20s").await;
    let mut idle = Wire::connect(house.process.address).await;
    idle.send(GET).await;
    assert_eq!(idle.answer().await.header("connection"), Some("keep-alive"));
    let (mut slow, gate) = house.begin_slow_request().await;

    house.process.signal("TERM");
    house.until_not_ready().await;
    let reason = house.readiness().await.json();
    assert_eq!(
        (&reason["ready"], &reason["blocked"]["gateway"]),
        (&false.into(), &"stopping".into())
    );
    let livez = Wire::ask(house.process.admin, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(livez.status, 200);
    // The lame-duck time: new connections are served, and told to go elsewhere next time.
    let answer = Wire::ask(house.process.address, GET).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    idle.send(GET).await;
    assert_eq!(idle.answer().await.header("connection"), Some("close"));

    // Then none are, while what is under way goes on.
    let address = house.process.address;
    eventually("connections are refused", async || {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
    assert!(house.process.is_running());
    gate.open();
    let answer = slow.answer().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "at last"));
    // Well before the 20 seconds of the drain are over.
    let (status, took) = timed(house.process.ended()).await;
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_request_that_outlasts_the_drain_is_cut_off_and_the_exit_code_is_0() {
    let mut house = House::open("0s", "500ms").await;
    let (mut slow, _gate) = house.begin_slow_request().await;
    house.process.signal("TERM");
    assert_eq!(house.process.ended().await.code(), Some(0));
    assert!(slow.next_answer(false).await.is_none_or(|answer| answer.status >= 500));
    assert!(house.process.log().contains("1 requests were cut off"), "{}", house.process.log());
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_process_up() {
    let mut house = House::open("0s", "20s").await;
    let mut idle = Wire::connect(house.process.address).await;
    idle.send(GET).await;
    assert_eq!(idle.answer().await.status, 200);
    let _fresh = Wire::connect(house.process.address).await;
    house.process.signal("TERM");
    let (status, took) = timed(house.process.ended()).await;
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(idle.is_closed().await);
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut house = House::open("60s", "60s").await;
    let (_slow, _gate) = house.begin_slow_request().await;
    house.process.signal("TERM");
    house.until_not_ready().await;
    house.process.signal("TERM");
    let (status, took) = timed(house.process.ended()).await;
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn sigint_waits_for_what_is_under_way_and_not_for_the_lame_duck_time() {
    let mut house = House::open("60s", "60s").await;
    let (mut slow, gate) = house.begin_slow_request().await;
    house.process.signal("INT");
    let address = house.process.address;
    eventually("connections are refused", async || {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
    gate.open();
    assert_eq!(slow.answer().await.text(), "at last");
    assert_eq!(house.process.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_port_in_use_is_a_69_and_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    let data = format!("listen = [\"{address}\"]");
    let admin = format!("listen = \"{address}\"");
    for (table, body) in [("server", data), ("admin", admin)] {
        let config = Config::default()
            .table(table, &body)
            .variable("WECHAT", "http://127.0.0.1:1")
            .variable("UPSTREAM", "http://127.0.0.1:1");
        std::fs::write(&path, config.text()).unwrap();
        let ended = run_to_end(&path, &config).await;
        assert_eq!(ended.exit_code, Some(69), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains(&address.to_string()), "{}", ended.stderr);
        assert!(ended.stderr.contains("in use"), "{}", ended.stderr);
    }
}
