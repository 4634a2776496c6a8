//! The listener itself: who may call, what is no check, how it begins and ends, what is in the log.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use tokio::net::TcpStream;
use wxgate::app::Ended;
use wxgate::lifecycle::reloads::Outcome;

use super::envoy::{Asked, call};
use super::{checks, config, get};
use crate::raw::Wire;
use crate::support::collector::{Collector, attributes, hex};
use crate::support::config::Config;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::process::Process;
use crate::upstream::Upstream;

#[tokio::test]
async fn without_the_table_there_is_no_listener() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.app.ext_authz_address, None);
}

#[tokio::test]
async fn a_call_has_to_show_the_token() {
    let config = config().key("ext_authz", "token = \"envoys-token\"");
    let gateway = Gateway::with(config).await;
    let at = checks(&gateway);
    let unauthenticated = Some("16".to_owned());
    for shown in ["", "Bearer", "Bearer other", "Basic envoys-token", "envoys-token"] {
        let asked = get("/public/x").showing("authorization", shown);
        assert_eq!(asked.failure(at).await, unauthenticated, "{shown:?}");
    }
    assert_eq!(get("/public/x").failure(at).await, unauthenticated);
    // The client's header is not the call's.
    assert_eq!(get("/public/x").token("envoys-token").failure(at).await, unauthenticated);
    let asked = get("/public/x").showing("authorization", "Bearer envoys-token");
    assert_eq!(asked.ask(at).await.status, 200);
}

#[tokio::test]
async fn another_token_holds_from_the_next_call_on() {
    let with = |token: &str| config().key("ext_authz", &format!("token = \"{token}\""));
    let gateway = Gateway::with(with("envoys-token")).await;
    let at = checks(&gateway);
    let shows = |token: &str| get("/public/x").showing("authorization", &format!("Bearer {token}"));
    assert_eq!(shows("envoys-token").ask(at).await.status, 200);
    let outcome = gateway.reload(&with("envoys-next")).await;
    assert_eq!(outcome, Outcome::Applied("the token of [ext_authz] changed".to_owned()));
    assert_eq!(shows("envoys-token").failure(at).await.as_deref(), Some("16"));
    assert_eq!(shows("envoys-next").ask(at).await.status, 200);
    // One for another address, or none there, leaves this one as it is.
    let elsewhere = config().table("ext_authz", "listen = \"127.0.0.1:1\"");
    assert_eq!(gateway.reload(&elsewhere).await, Outcome::Unchanged);
    assert_eq!(get("/public/x").failure(at).await.as_deref(), Some("16"));
}

#[tokio::test]
async fn what_is_no_check_is_refused() {
    let gateway = Gateway::with(config()).await;
    let at = checks(&gateway);
    let (unimplemented, _) = call(at, "Other", &[], &[]).await;
    assert_eq!(unimplemented.as_deref(), Some("12"));
    let (failed, _) = call(at, "Check", b"\xff\xff\xff", &[]).await;
    assert!(failed.is_some(), "no message of protobuf");
    let (failed, answer) = call(at, "Check", &vec![0; 2 << 20], &[]).await;
    assert!(failed.is_some() && answer.is_empty(), "more than a head can be");
    // A check of no HTTP request is denied.
    let (failed, answer) = call(at, "Check", &[], &[]).await;
    assert!(failed.is_none() && String::from_utf8_lossy(&answer).contains("bad_request"));
    assert_eq!(get("/public/x").ask(at).await.status, 200);
}

#[tokio::test]
async fn a_reload_holds_for_the_next_check_and_the_address_waits_for_a_restart() {
    let gateway = Gateway::with(config()).await;
    let at = checks(&gateway);
    assert_eq!(get("/later").ask(at).await.status, 404);
    let next = config().route(r#"path = "/later", upstream = "shop", auth = "none""#);
    let next = next.table("ext_authz", "listen = \"127.0.0.1:1\"");
    assert!(matches!(gateway.reload(&next).await, Outcome::Applied(_)));
    assert_eq!(get("/later").ask(at).await.status, 200);
    let waits = gateway.app.configuration().reloads().record().last.unwrap().needs_restart;
    assert!(
        waits.iter().any(|line| line.starts_with("[ext_authz] listen has changed")),
        "{waits:?}"
    );
}

#[tokio::test]
async fn rel_06_a_gateway_that_stops_takes_no_more_checks() {
    let gateway = Gateway::with(config()).await;
    let at = checks(&gateway);
    let mut idle = Wire::connect(at).await;
    idle.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    assert_eq!(get("/public/x").ask(at).await.status, 200);
    assert_eq!(gateway.app.stop(false).await, Ended::Idle, "who only waits holds nobody up");
    assert!(TcpStream::connect(at).await.is_err());
    let goaway = b"\x07\0\0\0\0\0";
    let mut told = Vec::new();
    while !told.ends_with(goaway) {
        told.extend(idle.bytes(1).await);
    }
}

#[tokio::test]
async fn it_listens_on_a_unix_socket_too_and_takes_it_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checks.sock");
    let listen = format!("listen = \"unix:{}\"", path.display());
    let gateway = Gateway::with(Config::default().table("ext_authz", &listen)).await;
    assert!(tokio::net::UnixStream::connect(&path).await.is_ok());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660, "for the user and the group of the gateway");
    gateway.app.stop(false).await;
    assert!(!path.exists());
}

/// The line of each check, in the log of the real binary.
#[tokio::test]
async fn each_check_has_its_line_without_the_token() {
    let upstream = Upstream::start().await;
    let config =
        config().variable("WECHAT", "http://127.0.0.1:1").variable("UPSTREAM", upstream.url());
    let process = Process::quiet(&config).await;
    let at = process.ext_authz();
    let asked = Asked::of("POST", "/api/x?code=SECRET").token("a.SECRET.c");
    assert_eq!(asked.header("x-request-id", "id-1").ask(at).await.status, 401);
    assert_eq!(get("/public/13812345678").ask(at).await.status, 200);
    let lines = || -> Vec<Value> {
        let log = process.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["protocol"] == "ext_authz").collect()
    };
    eventually("both are in the log", async || lines().len() == 2).await;
    let lines = lines();
    let line = &lines[0];
    let expected = [
        ("request_id", "id-1"),
        ("client", "192.0.2.7"),
        ("method", "POST"),
        ("route", "/api/**"),
        ("path", "/api/x"),
        ("code", "token_invalid"),
    ];
    for (field, value) in expected {
        assert_eq!(line[field], value, "{field}: {line}");
    }
    assert_eq!(line["status"], 401);
    assert!(line["duration_ms"].is_number() && line["auth_ms"].is_number(), "{line}");
    assert_eq!((&lines[1]["status"], &lines[1]["route"]), (&200.into(), &"/public/**".into()));
    assert!(!process.log().contains("SECRET") && !process.log().contains("13812345678"));
}

#[tokio::test]
async fn a_check_is_a_span_in_envoys_trace() {
    let collector = Collector::start().await;
    let config = collector.config().table("ext_authz", "listen = \"127.0.0.1:0\"");
    let gateway = Gateway::with(config).await;
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let asked = get("/api/x?code=SECRET").token("a.b.c").header("traceparent", "the client's own");
    let asked = asked.showing("traceparent", &format!("00-{trace}-{parent}-01"));
    assert_eq!(asked.ask(checks(&gateway)).await.status, 401);
    let span = collector.span("check /api/**").await;
    assert_eq!((hex(&span.trace_id).as_str(), hex(&span.parent_span_id).as_str()), (trace, parent));
    let said = attributes(&span);
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/api/**"),
        ("http.response.status_code", "401"),
        ("wxgate.refusal", "token_invalid"),
    ] {
        assert_eq!(said.get(name).map(String::as_str), Some(value), "{name} in {said:?}");
    }
    assert!(!said.values().any(|value| value.contains("SECRET")), "{said:?}");
}
