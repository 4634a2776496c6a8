//! Every fault as a client meets it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wxgate::simulator::{Cut, Effect, Fault, Garble};

use crate::support::{APPID, Reply, SECRET, Wechat};

async fn login(wechat: &Wechat) -> Reply {
    let code = wechat.world().login(APPID, "alice").unwrap();
    wechat.exchange(APPID, &code).await
}

/// The login after the answer has been garbled.
async fn garbled(garble: Garble) -> Reply {
    let wechat = Wechat::start().await;
    wechat.world().add_fault(Fault::new("jscode2session", Effect::Garble(garble))).unwrap();
    login(&wechat).await
}

/// All the bytes that the server sends for a login, until the end or until `at_least` came.
async fn raw_login(wechat: &Wechat, at_least: usize) -> Vec<u8> {
    let code = wechat.world().login(APPID, "alice").unwrap();
    let url = wechat.url(
        "/sns/jscode2session",
        &[
            ("appid", APPID),
            ("secret", SECRET),
            ("js_code", &code),
            ("grant_type", "authorization_code"),
        ],
    );
    let target = url.strip_prefix(&wechat.simulator.base_url()).unwrap();
    let mut stream = TcpStream::connect(wechat.simulator.address()).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nhost: wechat\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    while bytes.len() < at_least {
        // A reset is an end too.
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    bytes
}

#[tokio::test]
async fn an_errcode_comes_so_often_and_leaves_the_code_good() {
    let wechat = Wechat::start().await;
    let code = wechat.world().login(APPID, "alice").unwrap();
    wechat
        .world()
        .add_fault(Fault::new("jscode2session", Effect::Errcode(-1, None)).times(2))
        .unwrap();
    for _ in 0..2 {
        let reply = wechat.exchange(APPID, &code).await;
        assert_eq!(reply.errcode(), -1);
        assert!(reply.errmsg().starts_with("system error, rid: "));
    }
    assert_eq!(wechat.exchange(APPID, &code).await.errcode(), 0);
}

#[tokio::test]
async fn a_processed_errcode_uses_the_code_up() {
    let wechat = Wechat::start().await;
    let code = wechat.world().login(APPID, "alice").unwrap();
    let text = Some("my words".to_owned());
    let fault = Fault::new(None, Effect::Errcode(45011, text)).times(1).processed(true);
    wechat.world().add_fault(fault).unwrap();
    let reply = wechat.exchange(APPID, &code).await;
    assert!(reply.errcode() == 45011 && reply.errmsg().starts_with("my words, rid: "));
    assert_eq!(wechat.exchange(APPID, &code).await.errcode(), 40163);
}

#[tokio::test]
async fn other_apis_are_left_alone_and_faults_can_be_cleared() {
    let wechat = Wechat::start().await;
    let fault = Fault::new("/sns/jscode2session", Effect::HttpStatus(500));
    wechat.world().add_fault(fault).unwrap();
    assert_eq!(wechat.stable_token(false).await.errcode(), 0);
    assert_eq!(login(&wechat).await.status, 500);
    wechat.world().clear_faults();
    assert_eq!(login(&wechat).await.errcode(), 0);
}

#[tokio::test]
async fn an_answer_can_be_late() {
    let wechat = Wechat::start().await;
    let late = Fault::new(None, Effect::Nothing).delay(Duration::from_millis(80));
    wechat.world().add_fault(late.times(1)).unwrap();
    let start = Instant::now();
    assert_eq!(login(&wechat).await.errcode(), 0);
    assert!(start.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn a_connection_is_cut_before_the_answer() {
    let wechat = Wechat::start().await;
    wechat.world().add_fault(Fault::new(None, Effect::Cut(Cut::BeforeAnswer))).unwrap();
    assert_eq!(raw_login(&wechat, usize::MAX).await, b"");
    let calls = wechat.world().calls("jscode2session").unwrap();
    assert_eq!((calls[0].errcode, calls[0].fault), (None, Some("cut")));
}

#[tokio::test]
async fn a_connection_is_cut_in_the_body() {
    let wechat = Wechat::start().await;
    wechat.world().add_fault(Fault::new(None, Effect::Cut(Cut::InBody))).unwrap();
    let bytes = String::from_utf8(raw_login(&wechat, usize::MAX).await).unwrap();
    let (head, body) = bytes.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let length: usize = length.parse().unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && body.starts_with("{\"session_key\""));
    assert_eq!(body.len(), length / 2);
}

#[tokio::test]
async fn bodies_without_an_end() {
    let wechat = Wechat::start().await;
    let spoil = |garble| {
        wechat.world().clear_faults();
        wechat.world().add_fault(Fault::new(None, Effect::Garble(garble))).unwrap();
    };
    spoil(Garble::Gigabyte);
    let bytes = raw_login(&wechat, 4 << 20).await;
    assert!(bytes.len() >= 4 << 20);
    assert!(String::from_utf8_lossy(&bytes[..300]).contains("content-length: 1000000000\r\n"));
    spoil(Garble::Endless);
    let bytes = raw_login(&wechat, 200).await;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("transfer-encoding: chunked") && body.starts_with("1\r\n \r\n"));
}

#[tokio::test]
async fn answers_are_garbled() {
    assert_eq!(garbled(Garble::Empty).await.text, "");
    let html = garbled(Garble::Html).await;
    assert_eq!((html.status, html.content_type.as_str()), (200, "text/html"));
    let cut = garbled(Garble::Truncated).await.text;
    assert!(cut.starts_with("{\"session_key\"") && serde_json::from_str::<Value>(&cut).is_err());
    assert_eq!(garbled(Garble::WrongTypes).await.json()["openid"], 28);
    assert!(garbled(Garble::NoOpenid).await.json().get("openid").is_none());
    let openid = garbled(Garble::OpenidControl).await.json()["openid"].clone();
    assert!(openid.as_str().unwrap().contains("\r\n") && openid.as_str().unwrap().contains('\0'));
    let openid = garbled(Garble::OpenidHuge).await.json()["openid"].clone();
    assert_eq!(openid.as_str().unwrap().len(), 10_240);
    assert_eq!(garbled(Garble::SessionKeyShort).await.json()["session_key"], "A".repeat(20));
}

#[tokio::test]
async fn gzip_comes_unasked() {
    let wechat = Wechat::start().await;
    wechat.world().add_fault(Fault::new(None, Effect::Garble(Garble::Gzip))).unwrap();
    let bytes = raw_login(&wechat, usize::MAX).await;
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    assert!(String::from_utf8_lossy(&bytes[..head]).contains("content-encoding: gzip"));
    let member = &bytes[head + 4..];
    assert_eq!(&member[..3], [0x1f, 0x8b, 8]);
    // One stored block: five bytes of it, the text, and eight bytes of checksum and length.
    let text = &member[15..member.len() - 8];
    assert!(serde_json::from_slice::<Value>(text).unwrap().get("openid").is_some());
}

#[tokio::test]
async fn a_redirect_names_its_target() {
    let wechat = Wechat::start().await;
    let fault = json!({ "redirect": "http://127.0.0.1:1/", "times": 1 });
    assert_eq!(wechat.post("/simulator/faults", &[], fault).await.status, 200);
    let response = wechat.client.get(wechat.url("/sns/jscode2session", &[])).send().await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "http://127.0.0.1:1/");
    assert!(wechat.world().faults().is_empty());
}
