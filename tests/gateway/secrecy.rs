//! No secret in any answer or any line of the log, whatever goes wrong (WX-01).

use std::time::Duration;

use wxgate::clock::Clock;
use wxgate::simulator::{Cut, Effect, Fault, Garble};

use crate::raw::{Answer, Wire, position};
use crate::support::config::Config;
use crate::support::eventually;
use crate::support::process::Process;
use crate::support::wechat::{SECRET, Wechat};
use crate::upstream::{Reply, Upstream};

const ENCRYPTION_KEY: &str = "dGVzdC1vbmx5IGVuY3J5cHRpb24ga2V5IDMyIGJ5dGU=";
const SIGNING_KEY: &str = crate::support::jwt::KEY;

/// The real binary at its most talkative, and everything that must not come out of it.
struct House {
    process: Process,
    wechat: Wechat,
    upstream: Upstream,
    secrets: Vec<(&'static str, String)>,
    /// All that came back, tokens apart.
    answers: Vec<Answer>,
}

impl House {
    async fn open() -> Self {
        let wechat = Wechat::start(Clock::movable()).await;
        let upstream = Upstream::start().await;
        let config = Config::default()
            .key("wechat", "timeout = \"300ms\"")
            .key("upstreams.shop", "timeout = \"300ms\"")
            .table("store", "encryption_keys = [\"${ENCRYPTION_KEY}\"]")
            .key("session", r#"token_from = ["authorization", "x-wx-skey", "cookie:t", "query:t"]"#)
            .key("session", r#"cookie = { name = "t" }"#)
            .signing_keys(&[SIGNING_KEY])
            .variable("ENCRYPTION_KEY", ENCRYPTION_KEY)
            .variable("WECHAT", wechat.url())
            .variable("UPSTREAM", upstream.url());
        let process = Process::start(&config).await;
        let secrets = vec![
            ("the AppSecret", SECRET.to_owned()),
            ("a signing key", SIGNING_KEY.to_owned()),
            ("an encryption key", ENCRYPTION_KEY.to_owned()),
        ];
        Self { process, wechat, upstream, secrets, answers: Vec::new() }
    }

    /// Sends a request and keeps what comes back.
    async fn ask(&mut self, request: String) -> u16 {
        let mut wire = Wire::connect(self.process.address).await;
        wire.send(request).await;
        let answer = wire.next_answer(false).await;
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        self.answers.extend(answer);
        status
    }

    fn new_code(&mut self, user: &str) -> String {
        let code = self.wechat.world().login_with_new_key(None, user).unwrap();
        self.secrets.push(("a login code", code.clone()));
        let key = self.wechat.session_key(user);
        self.secrets.push(("a session key", key.clone()));
        self.secrets.push(("a session key, escaped", key.replace('/', "\\/")));
        code
    }

    /// Logs in by every way that a code can come.
    async fn try_to_log_in(&mut self) {
        for user in ["alice", "bob", "carol"] {
            let code = self.new_code(user);
            let request = match user {
                "alice" => format!("GET /wxLogin?code={code} HTTP/1.1\r\nHost: a\r\n\r\n"),
                "bob" => {
                    let body = format!(r#"{{"code":"{code}"}}"#);
                    format!(
                        "POST /wxLogin HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                         Content-Length: {}\r\n\r\n{body}",
                        body.len()
                    )
                }
                _ => format!("GET /wxLogin HTTP/1.1\r\nHost: a\r\nX-WX-Code: {code}\r\n\r\n"),
            };
            self.ask(request).await;
        }
    }

    /// The token of a login that goes well; its answer is the one place where it belongs.
    async fn log_in(&mut self) -> String {
        let code = self.new_code("alice");
        let request = format!("GET /wxLogin?code={code} HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = Wire::ask(self.process.address, request).await;
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        self.secrets.push(("a token", token.clone()));
        let signature = token.rsplit('.').next().unwrap();
        self.secrets.push(("the signature of a token", signature.to_owned()));
        let key = self.wechat.session_key("alice");
        assert!(!answer.text().contains(&key), "a session key in the answer to a login");
        assert!(!answer.headers.iter().any(|(_, value)| value.contains(&key)));
        token
    }

    /// Ends it and looks through everything that came out.
    async fn close(mut self) {
        eventually("the log has the last of it", async || {
            self.process.log().contains("upstream_error")
        })
        .await;
        self.process.signal("TERM");
        assert_eq!(self.process.ended().await.code(), Some(0));
        let log = self.process.log();
        for word in ["wechat_unavailable", "wechat_bad_answer", "upstream_timeout"] {
            assert!(log.contains(word), "{word} is not in the log, which shows little:\n{log}");
        }
        assert!(log.contains("\"level\":\"DEBUG\""), "it is not talkative:\n{log}");
        for (what, secret) in &self.secrets {
            let line = log.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(line, None, "{what} is in the log");
            for answer in &self.answers {
                let in_headers = answer.headers.iter().any(|(_, value)| value.contains(secret));
                let in_body = position(&answer.body, secret.as_bytes()).is_some();
                assert!(!in_headers && !in_body, "{what} is in {answer:?} {}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn wx_01_nothing_secret_comes_out_while_wechat_and_the_upstream_fail() {
    let mut house = House::open().await;
    let token = house.log_in().await;
    let mut effects: Vec<_> = [-1, 40029, 40163, 40226, 45011, 40013, 40125, 40164, 99999]
        .map(|errcode| Effect::Errcode(errcode, None))
        .to_vec();
    // WeChat quotes what it was asked.
    let quoting = format!("invalid secret {SECRET}, rid: 6129ee10-272863a4-64d75414");
    effects.push(Effect::Errcode(40125, Some(quoting)));
    effects.extend([
        Effect::Cut(Cut::BeforeAnswer),
        Effect::Cut(Cut::InBody),
        Effect::HttpStatus(500),
        Effect::Redirect("/elsewhere".to_owned()),
        Effect::Garble(Garble::Html),
        Effect::Garble(Garble::Truncated),
        Effect::Garble(Garble::WrongTypes),
        Effect::Garble(Garble::NoOpenid),
        Effect::Garble(Garble::OpenidControl),
        Effect::Garble(Garble::SessionKeyShort),
        Effect::Garble(Garble::Gzip),
    ]);
    for effect in effects {
        house.wechat.plays(effect);
        house.try_to_log_in().await;
    }
    let slow = Fault::new("jscode2session", Effect::Nothing).delay(Duration::from_secs(20));
    house.wechat.plays_fault(slow);
    house.try_to_log_in().await;
    house.wechat.recovers();

    house.upstream.on("/api/reset", Reply::reset());
    house.upstream.on("/api/nonsense", Reply::bytes("nonsense\r\n\r\n").then_close());
    house.upstream.on("/api/silent", Reply::silence());
    for path in ["/api/silent", "/api/reset", "/api/nonsense", "/api/sound", "/session", "/unknown"]
    {
        let head = format!("{path} HTTP/1.1\r\nHost: a\r\n");
        house.ask(format!("GET {head}Authorization: Bearer {token}\r\n\r\n")).await;
        house.ask(format!("POST {head}X-WX-Skey: {token}\r\nContent-Length: 0\r\n\r\n")).await;
        house.ask(format!("GET {head}Cookie: t={token}\r\n\r\n")).await;
        house.ask(format!("GET {path}?t={token} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        house
            .ask(format!("GET {head}Authorization: Bearer {token}\r\nX-WX-Skey: {token}\r\n\r\n"))
            .await;
        house.ask(format!("GET {head}Bad Line {token}\r\n\r\n")).await;
        house.ask(format!("GET {path}/%zz{token} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        house.ask(format!("GET {head}Authorization: Bearer {token}x\r\n\r\n")).await;
    }
    let code = house.new_code("alice");
    house.ask(format!("GET /wxlogin/?code={code} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    house.ask(format!("GET /wxLogin?code={code}&code={code} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    house.ask(format!("GET /wxLogin#{code} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    house.close().await;
}
