//! No session key, phone number, code, nickname or access_token in any line of the log of the real
//! binary at its most talkative, while everything succeeds and fails (WX-01).

use serde_json::{Value, json};
use wxgate::clock::Clock;
use wxgate::simulator::{Cut, Effect, Fault, Garble, OpenData, Overrides, Payload};

use crate::raw::{Answer, Wire, position};
use crate::support::config::Config;
use crate::support::eventually;
use crate::support::open_data::{PHONE, TOKEN, encoded, percent, sealed_fields};
use crate::support::process::Process;
use crate::support::wechat::{APPID, OTHER_APPID, SECRET, Wechat};
use crate::upstream::{Reply, Upstream};

const NICK_NAME: &str = "NicknameOfAlice";

struct House {
    process: Process,
    wechat: Wechat,
    upstream: Upstream,
    token: String,
    secrets: Vec<(&'static str, String)>,
    statuses: Vec<u16>,
}

impl House {
    async fn open() -> Self {
        // The real binary's clock is the machine's.
        let wechat = Wechat::start(Clock::system()).await;
        let upstream = Upstream::start().await;
        let config = Config::with_open_data()
            .route(r#"path = "/enter", action = "login", upstream = "shop", token_at = "/t""#)
            .route(r#"path = "/profile", action = "profile", upstream = "shop""#)
            .key("wechat", "timeout = \"500ms\"")
            .key("upstreams.shop", "timeout = \"300ms\"")
            .variable("WECHAT", wechat.url())
            .variable("UPSTREAM", upstream.url());
        let process = Process::start(&config).await;
        let secrets =
            vec![("the AppSecret", SECRET.to_owned()), ("a nickname", NICK_NAME.to_owned())];
        let mut house =
            Self { process, wechat, upstream, token: String::new(), secrets, statuses: Vec::new() };
        house.log_in("/wxLogin").await;
        house
    }

    async fn log_in(&mut self, path: &str) {
        let code = self.wechat.world().login_with_new_key(APPID, "alice").unwrap();
        let answer = self.ask("GET", &format!("{path}?code={code}"), "", "").await;
        let token = answer.header("x-session-token").map(str::to_owned);
        let token = token.or_else(|| answer.json()["token"].as_str().map(str::to_owned));
        self.token = token.expect("a token");
        self.know("a session key", &self.wechat.session_key("alice"));
        self.know("a token", &self.token.clone());
        self.know("a login code", &code);
        self.know("a phone number", &self.wechat.phone_number("alice"));
    }

    fn know(&mut self, what: &'static str, secret: &str) {
        self.secrets.push((what, secret.to_owned()));
        self.secrets.push((what, percent(secret)));
        self.secrets.push((what, secret.replace('/', "\\/")));
    }

    async fn ask(&mut self, method: &str, target: &str, content_type: &str, body: &str) -> Answer {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
             Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        let answer = Wire::ask(self.process.address, request).await;
        let key = self.wechat.world().session_key(APPID, "alice").unwrap_or_default();
        let holds = |secret: &str| {
            !secret.is_empty() && position(&answer.body, secret.as_bytes()).is_some()
        };
        assert!(!holds(&key) && !holds(SECRET), "{target}: {}", answer.text());
        self.statuses.push(answer.status);
        answer
    }

    async fn send_sealed(&mut self, path: &str, data: &OpenData) {
        self.know("encrypted data", &data.encrypted_data);
        let fields = [("encryptedData", data.encrypted_data.as_str()), ("iv", data.iv.as_str())];
        self.ask("GET", &format!("{path}?{}", encoded(&fields)), "application/json", "").await;
        let body = sealed_fields(data).to_string();
        self.ask("POST", path, "application/json", &body).await;
        let spoilt = body.replace("\"iv\":\"", "\"iv\":\"!");
        self.ask("POST", path, "application/json", &spoilt).await;
    }

    async fn send_phone_codes(&mut self) {
        for user in ["alice", "bob"] {
            let code = self.wechat.phone_code(user);
            self.know("a phone code", &code);
            self.know("a phone number", &self.wechat.phone_number(user));
            for path in ["/phone", "/bindPhone"] {
                self.ask("GET", &format!("{path}?code={code}"), "", "").await;
                let body = json!({ "code": code }).to_string();
                self.ask("POST", path, "application/json", &body).await;
                self.ask("POST", path, "application/json", &body[..70]).await;
                self.ask("POST", path, "text/plain", &body).await;
            }
        }
    }

    async fn send_profiles(&mut self) {
        for body in [
            json!({ "nickName": NICK_NAME }).to_string(),
            json!({ "nickName": format!("{NICK_NAME} risky") }).to_string(),
            json!({ "nickName": format!("{NICK_NAME}\n") }).to_string(),
        ] {
            self.ask("POST", "/profile", "application/json", &body).await;
        }
    }

    /// Ends it and looks through the log.
    async fn close(mut self) {
        for call in self.wechat.calls(TOKEN) {
            let answer: Value =
                serde_json::from_str(&call.answer.unwrap_or_default()).unwrap_or_default();
            if let Some(token) = answer["access_token"].as_str() {
                self.know("an access_token", token);
            }
        }
        let known = |what: &str| self.secrets.iter().filter(|(kind, _)| *kind == what).count();
        assert!(known("an access_token") > 0 && known("a session key") > 3);
        self.process.signal("TERM");
        assert_eq!(self.process.ended().await.code(), Some(0));
        let log = self.process.log();
        for word in ["session_key_stale", "phone_code_refused", "wechat_unavailable", "bad_request"]
        {
            assert!(log.contains(word), "{word} is not in the log, which shows little:\n{log}");
        }
        assert!(log.contains("\"level\":\"DEBUG\""), "it is not talkative:\n{log}");
        for (what, secret) in &self.secrets {
            let line = log.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(line, None, "{what} is in the log: {secret}");
        }
        for status in [200, 400, 409, 415, 422, 502, 503] {
            assert!(self.statuses.contains(&status), "{status} never came: {:?}", self.statuses);
        }
    }
}

#[tokio::test]
async fn wx_01_nothing_secret_is_logged_while_phone_numbers_and_open_data_succeed_and_fail() {
    let mut house = House::open().await;
    house.upstream.on(
        "/enter",
        Reply::with_head("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", "{}"),
    );
    let lie = Overrides { appid: Some(OTHER_APPID.to_owned()), ..Overrides::default() };
    house.send_phone_codes().await;
    house.send_profiles().await;
    for overrides in [&Overrides::default(), &lie] {
        for payload in [Payload::Phone, Payload::UserInfo] {
            for path in ["/phone", "/openData", "/bindPhone", "/import"] {
                let data = house.wechat.sealed_but("alice", &payload, overrides);
                house.send_sealed(path, &data).await;
            }
        }
        // The key is burnt by now.
        house.log_in("/enter").await;
    }
    let effects = [
        Effect::Errcode(-1, None),
        Effect::Errcode(40001, None),
        Effect::Errcode(40029, Some("invalid code 13800000000".to_owned())),
        Effect::Errcode(45011, None),
        Effect::Cut(Cut::InBody),
        Effect::HttpStatus(502),
        Effect::Garble(Garble::Truncated),
        Effect::Garble(Garble::WrongTypes),
        Effect::Garble(Garble::Html),
    ];
    for effect in effects {
        house.wechat.plays_fault(Fault::new(PHONE, effect.clone()));
        house.send_phone_codes().await;
        house.wechat.plays_fault(Fault::new("msg_sec_check", effect));
        house.send_profiles().await;
    }
    house.wechat.recovers();
    house.upstream.on("/bindPhone", Reply::hang_up());
    house.upstream.on("/enter", Reply::bytes("nonsense\r\n\r\n").then_close());
    house.send_phone_codes().await;
    let code = house.wechat.code("alice");
    house.know("a login code", &code);
    house.ask("GET", &format!("/enter?code={code}"), "", "").await;
    eventually("the log has the last of it", async || {
        house.process.log().contains("upstream_error")
    })
    .await;
    house.close().await;
}
