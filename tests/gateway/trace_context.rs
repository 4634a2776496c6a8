//! W3C Trace Context: whose trace reaches the upstream.

use crate::support::config::Config;
use crate::support::gateway::Gateway;
use crate::upstream::Seen;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn behind_a_proxy(traces: &str) -> Config {
    Config::default()
        .key("server", "trusted_proxies = [\"127.0.0.1\"]")
        .key("server", &format!("traceparent = \"{traces}\""))
}

async fn sent(gateway: &Gateway, fields: &[(&str, &str)]) -> Seen {
    let request = gateway.get("/public/x");
    let request = fields.iter().fold(request, |request, (name, value)| request.header(name, value));
    assert_eq!(request.await.status, 200);
    gateway.upstream.last()
}

#[tokio::test]
async fn a_trusted_proxys_trace_goes_on_as_it_came() {
    let gateway = Gateway::with(behind_a_proxy("trusted")).await;
    let seen =
        sent(&gateway, &[("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")])
            .await;
    assert_eq!((seen.all("traceparent"), seen.all("tracestate")), (vec![PARENT], vec!["a=1,b=2"]));
    let seen = sent(&gateway, &[]).await;
    assert_eq!(seen.header("traceparent"), None, "none is begun");
}

#[tokio::test]
async fn a_strangers_trace_reaches_nobody() {
    let gateway = Gateway::start().await;
    let seen = sent(&gateway, &[("traceparent", PARENT), ("tracestate", "a=1")]).await;
    assert_eq!((seen.header("traceparent"), seen.header("tracestate")), (None, None));
}

#[tokio::test]
async fn a_malformed_trace_does_not_go_on_nor_what_came_with_it() {
    let gateway = Gateway::with(behind_a_proxy("trusted")).await;
    for malformed in [
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "x",
    ] {
        let seen = sent(&gateway, &[("traceparent", malformed), ("tracestate", "a=1")]).await;
        let found = (seen.header("traceparent"), seen.header("tracestate"));
        assert_eq!(found, (None, None), "{malformed}");
    }
    let seen = sent(&gateway, &[("traceparent", PARENT), ("traceparent", PARENT)]).await;
    assert_eq!(seen.header("traceparent"), None, "of two nobody can say which is meant");
}

#[tokio::test]
async fn a_span_of_its_own_is_a_part_of_the_trusted_trace() {
    let gateway = Gateway::with(behind_a_proxy("own")).await;
    let seen = sent(&gateway, &[("traceparent", PARENT), ("tracestate", "a=1")]).await;
    let own = seen.header("traceparent").unwrap();
    let parts: Vec<_> = own.split('-').collect();
    assert_eq!((parts[0], parts[1], parts[3]), ("00", TRACE, "01"));
    assert!(parts[2] != SPAN && parts[2].len() == 16, "{own}");
    assert_eq!(seen.header("tracestate"), Some("a=1"));

    let begun = [sent(&gateway, &[]).await, sent(&gateway, &[("traceparent", "x")]).await];
    let [one, other] = begun.each_ref().map(|seen| seen.header("traceparent").unwrap());
    assert!(one.len() == 55 && one.ends_with("-01") && one[..35] != other[..35], "{one} {other}");
}

#[tokio::test]
async fn wechat_is_not_told_of_traces() {
    let wechat = crate::upstream::Upstream::start().await;
    let config = behind_a_proxy("own").variable("WECHAT", wechat.url());
    let gateway = Gateway::with(config).await;
    let _ = gateway.get("/wxLogin?code=0x").header("traceparent", PARENT).await;
    let head = wechat.last().head.to_ascii_lowercase();
    assert!(!head.contains("trace") && !head.contains(TRACE), "{head}");
}
