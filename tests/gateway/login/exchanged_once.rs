//! A code is exchanged once, however often and by how many it is brought.

use std::time::Duration;

use futures_util::future::join_all;
use wxgate::simulator::{Cut, Effect, Fault};

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::seconds;

fn slow() -> Fault {
    Fault::new("jscode2session", Effect::Nothing).delay(Duration::from_millis(200))
}

#[tokio::test]
async fn wx_03_fifty_at_once_share_one_exchange_and_one_answer() {
    let gateway = Gateway::start().await;
    gateway.wechat.plays_fault(slow());
    let code = gateway.wechat.code("alice");
    let path = format!("/wxLogin?code={code}");
    let answers = join_all((0..50).map(|_| async { gateway.get(&path).await })).await;
    let tokens: Vec<_> = answers.iter().map(|answer| answer.json()["token"].clone()).collect();
    assert!(tokens[0].is_string());
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(gateway.wechat.asked_about(&code), 1);
}

#[tokio::test]
async fn fifty_at_once_share_one_refusal() {
    let gateway = Gateway::start().await;
    gateway.wechat.plays_fault(Fault::new("jscode2session", Effect::Errcode(40226, None)));
    let code = gateway.wechat.code("alice");
    let path = format!("/wxLogin?code={code}");
    let answers = join_all((0..50).map(|_| async { gateway.get(&path).await })).await;
    assert!(answers.iter().all(|answer| answer.code() == "user_blocked"));
    assert_eq!(gateway.wechat.asked_about(&code), 1);
}

#[tokio::test]
async fn a_code_that_comes_again_within_a_minute_gets_the_same_answer() {
    let gateway = Gateway::start().await;
    let code = gateway.wechat.code("alice");
    let path = format!("/wxLogin?code={code}");
    let first = gateway.get(&path).await.json();
    gateway.clock.advance(seconds(58));
    let second = gateway.get(&path).await.json();
    assert_eq!(first["token"], second["token"]);
    assert_eq!(gateway.wechat.asked_about(&code), 1);
    gateway.clock.advance(seconds(3));
    let third = gateway.get(&path).await;
    assert_eq!((third.status, third.code().as_str()), (401, "login_code_used"));
}

#[tokio::test]
async fn a_code_whose_session_has_ended_is_used() {
    let gateway = Gateway::start().await;
    let code = gateway.wechat.code("alice");
    let path = format!("/wxLogin?code={code}");
    let token = gateway.get(&path).await.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(gateway.post("/logout").token(&token).await.status, 204);
    let answer = gateway.get(&path).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "login_code_used"));
    assert_eq!(gateway.wechat.asked_about(&code), 1);
}

/// Nobody knows whether the code is spent. With a new one the client gets on.
#[tokio::test]
async fn a_code_that_wechat_gave_no_answer_about_is_not_sent_again() {
    let gateway = Gateway::start().await;
    let lost = Fault::new("jscode2session", Effect::Cut(Cut::BeforeAnswer)).times(1);
    gateway.wechat.world().add_fault(lost).unwrap();
    let code = gateway.wechat.code("alice");
    let path = format!("/wxLogin?code={code}");
    assert_eq!(gateway.get(&path).await.code(), "wechat_unavailable");
    for _ in 0..2 {
        let again = gateway.get(&path).await;
        assert_eq!((again.status, again.code().as_str()), (401, "login_code_used"));
        assert!(again.header("retry-after").is_none());
    }
    assert_eq!(gateway.wechat.asked_about(&code), 1);
    gateway.log_in("alice").await;
}

#[tokio::test]
async fn an_exchange_goes_on_when_its_client_hangs_up() {
    let gateway = Gateway::with(Config::default().key("wechat", "timeout = \"400ms\"")).await;
    let answer_after = |delay: u64| {
        let fault = Fault::new("jscode2session", Effect::Nothing).times(1);
        fault.delay(Duration::from_millis(delay))
    };
    gateway.wechat.world().add_fault(answer_after(200)).unwrap();
    gateway.wechat.world().add_fault(answer_after(20_000)).unwrap();
    let code = gateway.wechat.code("alice");
    let path = format!("/wxLogin?code={code}");
    let mut wire = gateway.wire().await;
    wire.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    gateway.wechat.until_asked_about(&code).await;
    wire.hang_up();
    // Once another exchange has run out of time, so would this one have, had nobody gone on with it.
    let other = gateway.wechat.code("bob");
    assert_eq!(gateway.get(&format!("/wxLogin?code={other}")).await.code(), "wechat_unavailable");
    let answer = gateway.get(&path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(gateway.wechat.asked_about(&code), 1);
}
