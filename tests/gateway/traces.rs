//! Spans for a collector of OpenTelemetry.

use std::time::Duration;

use wxgate::lifecycle::reloads::Outcome;

use crate::raw::position;
use crate::support::collector::{Collector, attributes, hex};
use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::support::{eventually, seconds, timed};
use crate::upstream::{Gate, Reply};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

mod failing;
mod parents;
mod secrecy;

#[tokio::test]
async fn a_proxied_request_is_a_span_and_its_try_the_parent_of_the_upstreams() {
    let collector = Collector::start().await;
    let gateway = Gateway::with(collector.config()).await;
    let answer = gateway.get("/public/%61?q=1").await;
    assert_eq!(answer.status, 200);

    let request = collector.span("GET /public/**").await;
    let tried = collector.span("GET shop").await;
    assert_eq!((request.kind, tried.kind), (2, 3), "server and client");
    assert_eq!(hex(&request.parent_span_id), "");
    assert_eq!(tried.parent_span_id, request.span_id);
    assert_eq!(tried.trace_id, request.trace_id);
    let told = gateway.upstream.last().header("traceparent").unwrap().to_owned();
    assert_eq!(told, format!("00-{}-{}-01", hex(&tried.trace_id), hex(&tried.span_id)));

    let said = attributes(&request);
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/public/**"),
        ("http.response.status_code", "200"),
        ("url.path", "/public/a"),
        ("server.address", "127.0.0.1"),
    ] {
        assert_eq!(said.get(name).map(String::as_str), Some(value), "{name} in {said:?}");
    }
    assert_eq!(said["wxgate.request_id"], answer.header("x-request-id").unwrap());
    let said = attributes(&tried);
    assert_eq!(said["wxgate.upstream"], "shop");
    assert_eq!(said["server.port"], gateway.upstream.address.port().to_string());
    assert!(request.start_time_unix_nano <= tried.start_time_unix_nano);
    assert!(tried.end_time_unix_nano <= request.end_time_unix_nano);
}

#[tokio::test]
async fn a_login_has_spans_for_the_exchange_the_store_and_wechat() {
    let collector = Collector::start().await;
    let gateway = Gateway::with(collector.config()).await;
    gateway.log_in("alice").await;

    let request = collector.span("GET /wxLogin").await;
    let exchange = collector.span("login exchange").await;
    let wechat = collector.span("/sns/jscode2session").await;
    let store = collector.span("store create").await;
    assert_eq!(exchange.parent_span_id, request.span_id);
    assert_eq!(wechat.parent_span_id, exchange.span_id);
    assert_eq!(store.parent_span_id, exchange.span_id);
    assert!(collector.spans().iter().all(|span| span.trace_id == request.trace_id));
    assert_eq!(attributes(&exchange)["wxgate.app"], "shop");
    assert_eq!(attributes(&store)["db.operation.name"], "create");
    assert_eq!(attributes(&wechat)["server.address"], "127.0.0.1");
}

#[tokio::test]
async fn a_refusal_and_an_errcode_are_named() {
    let collector = Collector::start().await;
    let gateway = Gateway::with(collector.config()).await;
    assert_eq!(gateway.get("/api/x").await.status, 401);
    let refused = collector.span("GET /api/**").await;
    assert_eq!(attributes(&refused)["wxgate.refusal"], "token_missing");
    assert_eq!(refused.status.map(|status| status.code), None, "a 401 is no failure of the server");

    let code = "0b1aBcDeFgHiJkLmNoPqRsTuVwXyZ012";
    assert_eq!(gateway.get(&format!("/wxLogin?code={code}")).await.status, 401);
    let wechat = collector.span("/sns/jscode2session").await;
    assert_eq!(attributes(&wechat)["wxgate.wechat.errcode"], "40029");
    assert_eq!(wechat.status.unwrap().code, 2);
}

/// A try that failed is a span of its own, and the next one says how many came before.
#[tokio::test]
async fn each_try_with_an_upstream_is_a_span() {
    let collector = Collector::start().await;
    let dead = crate::upstream::Upstream::start().await;
    let config = collector
        .config()
        .variable("DEAD", "http://127.0.0.1:1")
        .table("upstreams.shop", "servers = [\"${DEAD}\", \"${UPSTREAM}\"]\nretries = 1");
    drop(dead);
    let gateway = Gateway::with(config).await;
    for _ in 0..2 {
        assert_eq!(gateway.get("/public/x").await.status, 200);
    }
    let failed = |span: &opentelemetry_proto::tonic::trace::v1::Span| {
        attributes(span).get("error.type").is_some_and(|what| what == "ConnectRefused")
    };
    let again = |span: &opentelemetry_proto::tonic::trace::v1::Span| {
        attributes(span).get("http.request.resend_count").is_some_and(|count| count == "1")
    };
    eventually("both tries", async || {
        let spans = collector.spans();
        spans.iter().any(failed) && spans.iter().any(again)
    })
    .await;
    let spans = collector.spans();
    let (failed, again) =
        (spans.iter().find(|span| failed(span)), spans.iter().find(|span| again(span)));
    assert_eq!(failed.unwrap().parent_span_id, again.unwrap().parent_span_id);
}

#[tokio::test]
async fn a_trusted_parents_word_on_sampling_is_followed() {
    let collector = Collector::start().await;
    let config = collector
        .config()
        .key("server", "trusted_proxies = [\"127.0.0.1\"]")
        .key("traces", "sample = 0.0");
    let gateway = Gateway::with(config).await;
    let sent = async |flags: &str| {
        let parent = format!("{PARENT}-{flags}");
        let answer = gateway.get("/public/x").header("traceparent", &parent).await;
        assert_eq!(answer.status, 200);
        gateway.upstream.last().header("traceparent").unwrap().to_owned()
    };
    assert!(sent("00").await.ends_with("-00"));
    let _ = gateway.get("/public/x").await;
    assert!(gateway.upstream.last().header("traceparent").unwrap().ends_with("-00"));
    assert!(sent("01").await.ends_with("-01"));

    let request = collector.span("GET /public/**").await;
    assert_eq!(hex(&request.trace_id), TRACE);
    assert_eq!(hex(&request.parent_span_id), "00f067aa0ba902b7");
    gateway.app.stop(false).await;
    assert_eq!(collector.spans().len(), 2, "the request and its try, of the sampled one alone");
}

#[tokio::test]
async fn a_strangers_trace_is_not_joined() {
    let collector = Collector::start().await;
    let gateway = Gateway::with(collector.config()).await;
    let _ = gateway.get("/public/x").header("traceparent", &format!("{PARENT}-00")).await;
    let request = collector.span("GET /public/**").await;
    assert!(hex(&request.trace_id) != TRACE && request.parent_span_id.is_empty());
}

#[tokio::test]
async fn without_an_endpoint_there_are_no_spans_and_no_headers() {
    let gateway = Gateway::with(Config::default().table("traces", "sample = 1.0")).await;
    assert_eq!(gateway.get("/public/x").await.status, 200);
    assert_eq!(gateway.upstream.last().header("traceparent"), None);
    assert_eq!(gateway.app.configuration().settings().traces, None);
}

#[tokio::test]
async fn what_is_left_is_sent_when_the_gateway_stops() {
    let collector = Collector::start().await;
    let gateway = Gateway::with(collector.config()).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/public/x").await.status, 200);
    }
    gateway.app.stop(false).await;
    assert_eq!(collector.spans().len(), 40);
}

#[tokio::test]
async fn a_reload_says_that_another_collector_needs_a_restart() {
    let collector = Collector::start().await;
    let gateway = Gateway::start().await;
    let _ = gateway.reload(&collector.config()).await;
    let last = gateway.app.configuration().reloads().record().last.unwrap();
    assert!(last.needs_restart.iter().any(|line| line.starts_with("[traces]")), "{last:?}");
    assert_eq!(gateway.get("/public/x").await.status, 200);
    assert_eq!(gateway.upstream.last().header("traceparent"), None);
}

/// A token that is rotated. Another collector is for a restart, and with it what only that one is to see.
#[tokio::test]
async fn other_headers_for_the_collector_hold_from_the_next_batch_on() {
    let (collector, file) = (Collector::start().await, tempfile::NamedTempFile::new().unwrap());
    let path = file.path().display().to_string();
    let with = |config: Config| {
        config.key("traces", &format!("headers_file = {{ X-Token = \"{path}\" }}"))
    };
    std::fs::write(&path, "one").unwrap();
    let gateway = Gateway::with(with(collector.config())).await;
    let token_of_next_batch = async || {
        let before = collector.batches().len();
        assert_eq!(gateway.get("/public/x").await.status, 200);
        eventually("a batch", async || collector.batches().len() > before).await;
        collector.batches()[before].header("x-token").unwrap().to_owned()
    };
    assert_eq!(token_of_next_batch().await, "one");
    std::fs::write(&path, "two").unwrap();
    let outcome = gateway.reload(&with(collector.config())).await;
    assert_eq!(outcome, Outcome::Applied("the headers of [traces] changed".to_owned()));
    assert_eq!(token_of_next_batch().await, "two");

    std::fs::write(&path, "of-another-collector").unwrap();
    let other = collector.config().variable("COLLECTOR", "http://127.0.0.1:1");
    assert_eq!(gateway.reload(&with(other)).await, Outcome::Unchanged);
    assert_eq!(token_of_next_batch().await, "two");
}
