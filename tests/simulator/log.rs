//! One line a call, and nothing in it that must not be seen.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use crate::support::{APPID, SECRET, Wechat};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_call_is_one_line_without_secrets() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // The simulator runs on this thread too.
    let _guard = tracing::subscriber::set_default(subscriber);

    let wechat = Wechat::start().await;
    let code = wechat.world().login(APPID, "alice").unwrap();
    wechat.exchange(APPID, &code).await;
    let token = wechat.token().await;
    let phone_code = wechat.world().phone_code(APPID, "alice").unwrap();
    let body = serde_json::json!({ "code": phone_code }).to_string();
    let query = [("access_token", token.as_str())];
    wechat.post("/wxa/business/getuserphonenumber", &query, body).await;

    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let calls: Vec<_> = log.lines().filter(|line| line.contains("wxgate::simulator")).collect();
    assert_eq!(calls.len(), 3, "{log}");
    assert!(calls[0].contains("api=\"/sns/jscode2session\"") && calls[0].contains("errcode=0"));
    let key = wechat.world().session_key(APPID, "alice").unwrap();
    let number = wechat.world().user("alice").phone_number;
    for secret in [SECRET, &code, &token, &phone_code, &key, &number] {
        assert!(!calls.concat().contains(secret), "{secret} in {log}");
    }
}
