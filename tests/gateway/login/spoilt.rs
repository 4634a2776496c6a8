//! What a login comes to when WeChat's answer is none: refused in time, with no session behind it.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::time::timeout;
use wxgate::simulator::{Cut, Effect, Fault, Garble};

use crate::raw::Answer;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::{seconds, timed};
use crate::upstream::{Reply, Upstream};

const LOGIN: &str = "/sns/jscode2session";

/// A login while WeChat plays this; the same code again gives the same, and WeChat is asked once.
async fn log_in_while(fault: Fault, gateway: &Gateway) -> Answer {
    gateway.wechat.plays_fault(fault);
    let code = gateway.wechat.code("alice");
    let path = format!("/wxLogin?code={code}");
    let (answer, took) = timed(async { gateway.get(&path).await }).await;
    assert!(took < Duration::from_millis(3500), "it took {took:?}");
    gateway.wechat.recovers();
    let again = gateway.get(&path).await;
    for answer in [&answer, &again] {
        assert_eq!(answer.header("set-cookie"), None);
        assert!(answer.json().get("token").is_none(), "a session was begun: {answer:?}");
    }
    assert_eq!(gateway.wechat.asked_about(&code), 1, "the code was sent twice");
    assert!(answer.json().get("wechat_errcode").is_none());
    answer
}

#[tokio::test]
async fn rel_01_an_answer_that_is_none_is_a_502_and_no_session() {
    let gateway = Gateway::start().await;
    for effect in [
        Effect::Garble(Garble::Empty),
        Effect::Garble(Garble::Html),
        Effect::Garble(Garble::Truncated),
        Effect::Garble(Garble::WrongTypes),
        Effect::Garble(Garble::NoOpenid),
        Effect::Garble(Garble::OpenidControl),
        Effect::Garble(Garble::OpenidHuge),
        Effect::Garble(Garble::SessionKeyShort),
        Effect::Garble(Garble::Gzip),
        Effect::Garble(Garble::Gigabyte),
        Effect::HttpStatus(500),
        Effect::HttpStatus(204),
    ] {
        let answer = log_in_while(Fault::new(LOGIN, effect.clone()), &gateway).await;
        let refused = (answer.status, answer.code());
        assert_eq!(refused, (502, "wechat_bad_answer".to_owned()), "{effect:?}");
    }
    gateway.log_in("alice").await;
}

#[tokio::test]
async fn rel_01_a_connection_that_breaks_is_a_503_and_no_session() {
    let gateway = Gateway::start().await;
    for warm in [false, true] {
        for cut in [Cut::BeforeAnswer, Cut::InBody] {
            if warm {
                gateway.log_in("alice").await;
            }
            let answer = log_in_while(Fault::new(LOGIN, Effect::Cut(cut)), &gateway).await;
            let refused = (answer.status, answer.code());
            assert_eq!(refused, (503, "wechat_unavailable".to_owned()), "{cut:?}");
            assert!(answer.header("retry-after").is_some());
        }
    }
}

#[tokio::test]
async fn rel_01_an_answer_that_does_not_come_or_does_not_end_is_a_503_after_three_seconds() {
    let faults = [
        Fault::new(LOGIN, Effect::Nothing).delay(Duration::from_secs(30)),
        Fault::new(LOGIN, Effect::Garble(Garble::Endless)),
    ];
    // At the same time, on gateways of their own, with the timeout that is the default.
    join_all(faults.map(async |fault| {
        let gateway = Gateway::start().await;
        let (answer, took) = timed(log_in_while(fault, &gateway)).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "wechat_unavailable"));
        assert!(took > Duration::from_millis(2900), "it gave up after {took:?}");
    }))
    .await;
}

#[tokio::test]
async fn wx_07_a_redirect_is_not_followed() {
    let elsewhere = Upstream::start().await;
    let gateway = Gateway::start().await;
    let redirect = Effect::Redirect(format!("{}/stolen", elsewhere.url()));
    let answer = log_in_while(Fault::new(LOGIN, redirect), &gateway).await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "wechat_bad_answer"));
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_large_answer_is_not_read_beyond_64_kib() {
    let wechat = Upstream::start().await;
    let session = r#"{"session_key":"tiihtNczf5v6AKRyjwEUhQ==","openid":"oABC"}"#;
    let padded = |length: usize| " ".repeat(length - session.len()) + session;
    let config = Config::default().variable("WECHAT", wechat.url());
    let gateway = Gateway::with(config).await;
    wechat.on(LOGIN, Reply::ok(&padded(64 << 10)));
    assert_eq!(gateway.get("/wxLogin?code=0just").await.status, 200);
    wechat.on(LOGIN, Reply::ok(&padded((64 << 10) + 1)));
    assert_eq!(gateway.get("/wxLogin?code=0over").await.code(), "wechat_bad_answer");
}

#[tokio::test]
async fn no_login_is_ever_sent_twice_on_the_wire() {
    let wechat = Upstream::start().await;
    let session = r#"{"session_key":"tiihtNczf5v6AKRyjwEUhQ==","openid":"oABC"}"#;
    let config = Config::default().variable("WECHAT", wechat.url());
    let gateway = Gateway::with(config).await;
    let bytes_then_end = Reply::bytes("HTTP/1.1 200 OK\r\nContent-Le").then_close();
    for spoilt in [Reply::hang_up(), Reply::reset(), bytes_then_end] {
        // The connection is one that has worked before: there libraries send again.
        wechat.on(LOGIN, Reply::ok(session));
        let before = wechat.requests().len();
        assert_eq!(gateway.get(&format!("/wxLogin?code=0good{before}")).await.status, 200);
        wechat.on(LOGIN, spoilt);
        let answer = gateway.get(&format!("/wxLogin?code=0bad{before}")).await;
        assert_eq!(answer.code(), "wechat_unavailable");
        let seen = wechat.requests();
        assert_eq!(seen.len(), before + 2, "{seen:#?}");
        assert_eq!(seen[before].connection, seen[before + 1].connection, "it was not reused");
    }
}

#[tokio::test]
async fn where_wechat_cannot_be_connected_to_the_fallback_is_asked_once() {
    // Bound and not listening: connections are refused, and nobody else gets the port.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let base = format!("base_url = \"http://{}\"", closed.local_addr().unwrap());
    let config =
        Config::default().table("wechat", &base).key("wechat", "fallback_url = \"${WECHAT}\"");
    let gateway = Gateway::with(config).await;
    let code = gateway.wechat.code("alice");
    assert_eq!(gateway.get(&format!("/wxLogin?code={code}")).await.status, 200);
    assert_eq!(gateway.wechat.asked_about(&code), 1);

    let gateway = Gateway::with(Config::default().table("wechat", &base)).await;
    let answer = gateway.get(&format!("/wxLogin?code={}", gateway.wechat.code("alice"))).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "wechat_unavailable"));
}

/// REL-01: the time of a call is one for both addresses.
#[tokio::test]
async fn a_call_that_turns_to_the_fallback_ends_in_its_time_all_the_same() {
    // A backlog that is full: whoever else connects waits.
    let full = tokio::net::TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = full.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(Ok(stream)) = timeout(seconds(1), TcpStream::connect(address)).await {
        held.push(stream);
    }
    let silent = Upstream::start().await;
    silent.on(LOGIN, Reply::silence());
    let wechat = format!(
        "base_url = \"http://{address}\"\nfallback_url = \"{}\"\nconnect_timeout = \"2s\"\ntimeout = \"3s\"",
        silent.url()
    );
    let gateway = Gateway::with(Config::default().table("wechat", &wechat)).await;
    let (answer, took) = timed(async { gateway.get("/wxLogin?code=0x").await }).await;
    assert_eq!(answer.code(), "wechat_unavailable");
    assert_eq!(silent.connections(), 1, "the fallback was asked");
    assert!(took >= seconds(3) && took < seconds(4), "{took:?}");
}

#[tokio::test]
async fn where_wechat_breaks_after_bytes_left_the_fallback_is_not_asked() {
    let fallback = Upstream::start().await;
    let config = Config::default().key("wechat", &format!("fallback_url = \"{}\"", fallback.url()));
    let gateway = Gateway::with(config).await;
    let cut = Fault::new(LOGIN, Effect::Cut(Cut::BeforeAnswer));
    let answer = log_in_while(cut, &gateway).await;
    assert_eq!(answer.code(), "wechat_unavailable");
    assert_eq!(fallback.connections(), 0);
}

#[tokio::test]
async fn rel_01_live_sessions_do_not_notice_that_wechat_is_down() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    gateway.wechat.plays(Effect::Cut(Cut::BeforeAnswer));
    assert_eq!(gateway.get("/wxLogin?code=0x").await.status, 503);
    assert_eq!(gateway.get("/api/x").token(&token).await.status, 200);
}
