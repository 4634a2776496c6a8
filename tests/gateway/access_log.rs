//! The line that each request has in the log, from the real binary.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use wxgate::simulator::Effect;

use crate::raw::Wire;
use crate::support::config::Config;
use crate::support::eventually;
use crate::support::metrics::Scrape;
use crate::support::process::Process;
use crate::support::wechat::Wechat;
use crate::upstream::{Reply, Upstream};

/// The real binary, with what is around it.
struct House {
    process: Process,
    wechat: Wechat,
    upstream: Upstream,
}

impl House {
    async fn open(config: Config) -> Self {
        Self::writing_to(config, Stdio::piped()).await
    }

    async fn writing_to(config: Config, stdout: Stdio) -> Self {
        let wechat = Wechat::start(wxgate::clock::Clock::movable()).await;
        let upstream = Upstream::start().await;
        let config = config
            .key("store", "encryption_keys = [\"dGVzdC1vbmx5IGVuY3J5cHRpb24ga2V5IDMyIGJ5dGU=\"]")
            .key("admin", "token = \"admin\"")
            .variable("WECHAT", wechat.url())
            .variable("UPSTREAM", upstream.url());
        let process = Process::writing_to(&config, stdout).await;
        Self { process, wechat, upstream }
    }

    async fn ask(&self, request: &str) -> u16 {
        let request = format!("{request}\r\nHost: a\r\n\r\n");
        Wire::ask(self.process.address, request).await.status
    }

    /// What the admin listener says that a user is called in the log.
    async fn openid_in_log(&self, user: &str) -> String {
        let openid = self.wechat.openid(user);
        let request = format!(
            "GET /sessions?openid={openid} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin\r\n\r\n"
        );
        let answer = Wire::ask(self.process.admin, request).await;
        answer.json()["openid_in_log"].as_str().unwrap().to_owned()
    }

    async fn log_in(&self, user: &str) -> String {
        let code = self.wechat.code(user);
        let request = format!("GET /wxLogin?code={code} HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = Wire::ask(self.process.address, request).await;
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// The lines of requests so far.
    fn lines(&self) -> Vec<Value> {
        let log = self.process.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == "request").collect()
    }

    /// So many lines of requests, once they are there.
    async fn until_lines(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} lines"), async || self.lines().len() >= count).await;
        self.lines()
    }
}

#[tokio::test]
async fn each_request_has_one_line_with_who_what_and_how_long() {
    let trusting = Config::default().key("server", "trusted_proxies = [\"127.0.0.0/8\"]");
    let house = House::open(trusting).await;
    let token = house.log_in("alice").await;
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let body = "12345";
    let request = format!(
        "POST /api/orders/7?secret=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
         traceparent: 00-{trace_id}-00f067aa0ba902b7-01\r\nContent-Length: 5\r\n\r\n{body}"
    );
    let answer = Wire::ask(house.process.address, request).await;
    assert_eq!(answer.status, 200);
    let lines = house.until_lines(2).await;
    let (login, line) = (&lines[0], &lines[1]);
    assert_eq!((&login["route"], &login["method"]), (&"/wxLogin".into(), &"GET".into()));
    assert!(login["action_ms"].as_f64().unwrap() > 0.0, "{login}");
    let server = house.upstream.url();
    for (field, value) in [
        ("level", "INFO"),
        ("request_id", answer.header("x-request-id").unwrap()),
        ("trace_id", trace_id),
        ("client", "127.0.0.1"),
        ("protocol", "HTTP/1.1"),
        ("method", "POST"),
        ("route", "/api/**"),
        ("path", "/api/orders/7"),
        ("app", "shop"),
        ("upstream", "shop"),
        ("server", server.trim_start_matches("http://")),
    ] {
        assert_eq!(line[field], value, "{field}");
    }
    assert_eq!(
        (&line["status"], &line["attempts"], &line["bytes_in"]),
        (&200.into(), &1.into(), &5.into())
    );
    assert_eq!(line["bytes_out"], answer.body.len());
    let of = |field: &str| line[field].as_f64().unwrap_or_else(|| panic!("{field}: {line}"));
    assert!(of("duration_ms") >= of("upstream_ms") && of("upstream_ms") > 0.0);
    assert!(of("duration_ms") >= of("auth_ms"));
    // A hash that tells users apart, and not who they are.
    let in_log = house.openid_in_log("alice").await;
    assert_eq!(line["openid"], in_log);
    let openid = line["openid"].as_str().unwrap();
    assert_eq!(openid.len(), 16);
    assert!(!house.process.log().contains(&house.wechat.openid("alice")));
    let known = wxgate::telemetry::log::access::FIELDS;
    for field in line.as_object().unwrap().keys() {
        assert!(known.contains(&field.as_str()), "{field}");
    }
}

#[tokio::test]
async fn a_refusal_has_its_code_and_wechats() {
    let house = House::open(Config::default()).await;
    house.wechat.plays(Effect::Errcode(40164, None));
    let half = Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").then_close();
    house.upstream.on("/public/half", half);
    let code = house.wechat.code("alice");
    let login = format!("GET /wxLogin?code={code} HTTP/1.1");
    for (count, (request, status)) in (1..).zip([
        (login.as_str(), 503),
        ("GET /api/x HTTP/1.1", 401),
        ("GET /nowhere HTTP/1.1", 404),
        ("BREW /x HTTP/1.1", 405),
        ("GET / HTTP/1.1\r\nBad Line", 400),
        ("GET /public/half HTTP/1.1", 200),
    ]) {
        assert_eq!(house.ask(request).await, status, "{request}");
        // A line is written behind its answer, and so perhaps behind the next one's.
        house.until_lines(count).await;
    }
    let lines = house.lines();
    let shown: Vec<_> = lines
        .iter()
        .map(|line| (line["status"].as_u64().unwrap(), line["code"].as_str().unwrap()))
        .collect();
    let expected = [
        (503, "wechat_misconfigured"),
        (401, "token_missing"),
        (404, "no_route"),
        (405, "method_not_allowed"),
        (400, "bad_request"),
        // The client was told 200, and then nothing.
        (200, "upstream_error"),
    ];
    assert_eq!(shown, expected);
    assert_eq!(lines[0]["wechat_errcode"], 40164);
    assert_eq!((&lines[2]["route"], &lines[2]["path"]), (&"-".into(), &"/nowhere".into()));
    assert_eq!(lines[3]["method"], "other");
    assert_eq!(lines[4].get("path"), None);
    for line in &lines {
        assert!(!line.to_string().contains(&code));
    }
}

#[tokio::test]
async fn ses_06_no_path_breaks_a_line_or_tells_a_secret() {
    let house = House::open(Config::default()).await;
    let token = house.log_in("alice").await;
    let openid = house.wechat.openid("alice");
    for path in [
        format!("/public/{token}"),
        format!("/public/users/{openid}"),
        "/public/13800138000".to_owned(),
        "/public/%31%33800138000".to_owned(),
        "/public/a%0a%7b%22level%22%3a%22ERROR%22%7d%1b[31m".to_owned(),
        "/public/\u{202e}x".to_owned(),
    ] {
        let status = house.ask(&format!("GET {path} HTTP/1.1")).await;
        assert!(status == 200 || !path.is_ascii() || path.contains("%0a"), "{status}: {path}");
    }
    house.ask("GET /public/x HTTP/1.1\r\nUser-Agent: \u{1b}[2Jx").await;
    let lines = house.until_lines(8).await;
    let masked =
        lines.iter().filter(|line| line["path"].as_str().is_some_and(|it| it.contains("***")));
    assert_eq!(masked.count(), 4);
    let log = house.process.log();
    for secret in [&token, &openid, "13800138000"] {
        assert!(!log.contains(secret), "{secret}");
    }
    assert!(!log.contains('\u{1b}') && !log.contains('\u{202e}'));
    // Before it runs it speaks to whoever started it, of the file.
    let mut lines = log.lines().skip_while(|line| line.contains("gateway.toml:"));
    assert!(lines.all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
}

#[tokio::test]
async fn the_log_is_as_it_is_configured() {
    let none = House::open(Config::default().table("log", "access = false")).await;
    assert_eq!(none.ask("GET /public/x HTTP/1.1").await, 200);
    let text = "format = \"text\"\nopenid = \"plain\"\nlevel = \"warn\"";
    let mut plain = House::open(Config::default().table("log", text)).await;
    let token = plain.log_in("alice").await;
    plain.ask(&format!("GET /api/x HTTP/1.1\r\nAuthorization: Bearer {token}")).await;
    let openid = format!("openid={}", plain.wechat.openid("alice"));
    plain.process.until_logged(&openid).await;
    let log = plain.process.log();
    assert!(log.contains(" GET     /api/x  route=/api/**") && !log.contains('\u{1b}'), "{log}");
    let sampled = House::open(Config::default().table("log", "sample = 0.0")).await;
    assert_eq!(sampled.ask("GET /public/x HTTP/1.1").await, 200);
    assert_eq!(sampled.ask("GET /nowhere HTTP/1.1").await, 404);
    let lines = sampled.until_lines(1).await;
    assert_eq!((lines.len(), &lines[0]["status"]), (1, &404.into()));
    let mut none = none.process;
    none.signal("TERM");
    none.ended().await;
    assert!(!none.log().contains("\"message\":\"request\""), "{}", none.log());
}

/// Requests until lines are dropped for this reason; each of them is answered.
async fn until_dropped(house: &House, reason: &str) {
    let series = format!("wxgate_log_lines_dropped_total{{log=\"access\",reason=\"{reason}\"}}");
    let ask = async || {
        let mut wire = Wire::connect(house.process.address).await;
        for _ in 0..200 {
            wire.send("GET /session HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(wire.answer().await.status, 401);
        }
    };
    eventually("lines are dropped", async || {
        futures_util::future::join_all((0..4).map(|_| ask())).await;
        Scrape::of(house.process.admin).await.get(&series) > 0.0
    })
    .await;
}

#[tokio::test]
async fn rel_08_with_a_full_disk_lines_are_lost_and_requests_are_not() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let house = House::writing_to(Config::default(), full.into()).await;
    until_dropped(&house, "write_error").await;
}

#[tokio::test]
async fn a_reader_that_is_gone_ends_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut house = House::writing_to(Config::default(), writer.into()).await;
    drop(reader);
    until_dropped(&house, "write_error").await;
    assert!(house.process.is_running());
}

#[tokio::test]
async fn a_reader_that_does_not_read_costs_lines_and_no_time() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut house = House::writing_to(Config::default(), writer.into()).await;
    until_dropped(&house, "full").await;
    // Nor does it keep the process from ending.
    house.process.signal("TERM");
    let (status, took) = crate::support::timed(house.process.ended()).await;
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop(reader);
}
