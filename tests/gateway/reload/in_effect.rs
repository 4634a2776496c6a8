//! What a reload changes, and what goes on over it.

use std::future::IntoFuture;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use wxgate::lifecycle::reloads::Outcome;
use wxgate::simulator::{Effect, Fault};

use crate::raw::Wire;
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::wechat::{APPID, OTHER_APPID, SECRET};
use crate::upstream::{Gate, Reply, Upstream};

async fn applied(gateway: &Gateway, config: &Config) -> String {
    match gateway.reload(config).await {
        Outcome::Applied(changes) => changes,
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn rel_07_a_request_under_way_ends_with_the_configuration_that_it_began_with() {
    let (gateway, gate) = (Gateway::start().await, Gate::closed());
    gateway.upstream.on("/public/slow", Reply::ok("at last").once(&gate));
    let (other, mut slow) = (Upstream::start().await, gateway.wire().await);
    slow.send("GET /public/slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    gateway.upstream.until(|seen| seen.iter().any(|it| it.target() == "/public/slow")).await;
    // Its route goes, and with it its upstream.
    let config = Config::default()
        .routes(&[r#"path = "/only/**", upstream = "shop", auth = "none""#])
        .table("upstreams.shop", &format!("servers = [\"{}\"]", other.url()));
    let changes = applied(&gateway, &config).await;
    assert_eq!(changes, "1 route new, 7 routes gone, upstream shop changed");
    assert_eq!(gateway.get("/public/slow").await.status, 404);
    assert_eq!(gateway.get("/only/x").await.status, 200);
    assert_eq!(other.last().target(), "/only/x");
    gate.open();
    let answer = slow.answer().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "at last"));
    // The next one on its connection begins with what is in effect now.
    slow.send("GET /public/slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(slow.answer().await.status, 404);
}

#[tokio::test]
async fn sessions_connections_and_access_tokens_outlive_a_reload() {
    let config = Config::default().route(r#"path = "/phone", action = "phone""#);
    let gateway = Gateway::with(config.clone()).await;
    let token = gateway.log_in("alice").await;
    let phone = async || {
        let code = gateway.wechat.phone_code("alice");
        let body = serde_json::json!({ "code": code });
        gateway.post("/phone").token(&token).json(&body).await.status
    };
    assert_eq!((phone().await, gateway.get("/api/x").token(&token).await.status), (200, 200));
    for size in 1..4 {
        let config = config.clone().table("limits", &format!("body_size = \"{size}KiB\""));
        assert_eq!(applied(&gateway, &config).await, "[limits] changed");
        assert_eq!((phone().await, gateway.get("/api/x").token(&token).await.status), (200, 200));
    }
    assert_eq!(gateway.upstream.connections(), 1, "the connection to an upstream that stays");
    let fetched = gateway.wechat.world().calls("/cgi-bin/stable_token").unwrap();
    assert_eq!(fetched.len(), 1, "one access_token");
}

#[tokio::test]
async fn a_mended_secret_is_used_at_once() {
    let config = Config::default().route(r#"path = "/phone", action = "phone""#);
    let gateway = Gateway::with(config.clone()).await;
    let token = gateway.log_in("alice").await;
    let phone = async || {
        let code = gateway.wechat.phone_code("alice");
        gateway.post("/phone").token(&token).json(&serde_json::json!({ "code": code })).await
    };
    let wrong = config.clone().variable("SECRET", SECRET.replace('0', "f"));
    assert_eq!(applied(&gateway, &wrong).await, "app shop changed");
    // That none can be had is remembered for 30 seconds, but not for another secret.
    assert_eq!(phone().await.code(), "wechat_misconfigured");
    applied(&gateway, &config).await;
    assert_eq!(phone().await.status, 200);
}

#[tokio::test]
async fn apps_in_another_order_keep_their_users() {
    let gateway = Gateway::with(Config::with_two_apps()).await;
    let alice = gateway.log_in("alice").await;
    let code = gateway.wechat.code_of_other_app("bob");
    let bob = gateway.get(&format!("/wxLogin?code={code}&appid={OTHER_APPID}")).await;
    let bob = bob.json()["token"].as_str().unwrap().to_owned();
    let appid_of = async |token: &str| {
        assert_eq!(gateway.get("/api/x").token(token).await.status, 200);
        gateway.upstream.last().header("x-wx-appid").map(str::to_owned)
    };
    assert_eq!(appid_of(&bob).await.as_deref(), Some(OTHER_APPID));
    // By their names they come in another order now.
    let app = |appid: &str| format!("appid = \"{appid}\"\nsecret = \"${{SECRET}}\"");
    let swapped = Config::with_two_apps().table("apps.other", &app(APPID));
    applied(&gateway, &swapped.table("apps.shop", &app(OTHER_APPID))).await;
    assert_eq!(appid_of(&bob).await.as_deref(), Some(OTHER_APPID));
    assert_eq!(appid_of(&alice).await.as_deref(), Some(APPID));
    // One is not served any more, the other is.
    applied(&gateway, &Config::default()).await;
    assert_eq!(gateway.get("/api/x").token(&bob).await.code(), "token_invalid");
    assert_eq!(appid_of(&alice).await.as_deref(), Some(APPID));
}

#[tokio::test]
async fn limits_hold_from_the_next_request_on_also_on_an_open_connection() {
    let gateway = Gateway::start().await;
    let mut wire = gateway.wire().await;
    let long = format!("GET /public/x HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n", "x".repeat(3000));
    wire.send(&long).await;
    assert_eq!(wire.answer().await.status, 200);
    let limits = "header_size = \"2KiB\"\nuri_length = \"1KiB\"\nconnections = 1";
    applied(&gateway, &Config::default().table("limits", limits)).await;
    let mut second = gateway.wire().await;
    assert!(second.is_closed().await, "one connection is enough now");
    wire.send(&long).await;
    assert_eq!(wire.answer().await.status, 431);
}

#[tokio::test]
async fn a_code_is_exchanged_once_over_a_reload() {
    let gateway = Gateway::start().await;
    let code = gateway.wechat.code("alice");
    let slow = Fault::new("jscode2session", Effect::Nothing).delay(Duration::from_millis(500));
    gateway.wechat.plays_fault(slow);
    let path = format!("/wxLogin?code={code}");
    let first = tokio::spawn(gateway.get(&path).into_future());
    gateway.wechat.until_asked_about(&code).await;
    applied(&gateway, &Config::default().table("limits", "body_size = \"1KiB\"")).await;
    let second = gateway.get(&path).await;
    assert_eq!(second.json()["token"], first.await.unwrap().json()["token"]);
    assert_eq!(gateway.wechat.asked_about(&code), 1);
}

#[tokio::test]
async fn a_tunnel_outlives_the_reload_that_removes_its_route() {
    let gateway = Gateway::start().await;
    gateway.upstream.on("/public/ws", Reply::echo_messages());
    let url = format!("ws://{}/public/ws", gateway.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    applied(&gateway, &Config::default().routes(&[r#"path = "/none", action = "session""#])).await;
    socket.send("hello".into()).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().to_text().unwrap(), "hello");
}

#[tokio::test]
async fn nothing_is_asked_of_an_upstream_that_is_gone() {
    let checked =
        "servers = [\"${UPSTREAM}\"]\nhealth = { path = \"/healthz\", interval = \"50ms\" }";
    let checked = Config::default().table("upstreams.shop", checked);
    let gateway = Gateway::with(checked).await;
    gateway.upstream.until(|seen| seen.len() > 2).await;
    let other = Upstream::start().await;
    let servers = format!(
        "servers = [\"{}\"]\nhealth = {{ path = \"/healthz\", interval = \"50ms\" }}",
        other.url()
    );
    applied(&gateway, &Config::default().table("upstreams.shop", &servers)).await;
    let asked = gateway.upstream.requests().len();
    // So many questions to the one that is there that the other would have had some.
    other.until(|seen| seen.len() > 10).await;
    assert!(gateway.upstream.requests().len() <= asked + 1);
    let answer = Wire::ask(gateway.address, "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = tokio::time::timeout(Duration::from_secs(5), answer).await.unwrap();
    assert_eq!(answer.status, 200);
}
