//! A collector that is slow, dead or full: no request notices.

use super::*;

/// More than the queue holds, while the first batch waits for its answer.
const MANY: usize = 1_600;

#[tokio::test]
async fn nobody_waits_for_a_slow_collector_and_what_does_not_fit_is_dropped() {
    let (collector, gate) = (Collector::start().await, Gate::closed());
    collector.0.on("/v1/traces", Reply::ok("").once(&gate));
    let gateway = Gateway::with(collector.config().key("traces", "timeout = \"60s\"")).await;
    let tracer = gateway.app.tracer().unwrap();
    for _ in 0..MANY {
        assert_eq!(gateway.get("/public/x").await.status, 200);
    }
    assert_eq!(tracer.sent(), 0, "the collector has answered nothing yet");
    assert!(tracer.dropped() > 0, "{}", tracer.dropped());
    gate.open();
    eventually("it is sent after all", async || tracer.sent() > 0).await;
}

#[tokio::test]
async fn a_dead_collector_fails_no_request_and_its_spans_are_counted() {
    let config = Config::default().table("traces", "endpoint = \"http://127.0.0.1:1\"");
    let gateway = Gateway::with(config).await;
    assert_eq!(gateway.get("/public/x").await.status, 200);
    gateway.log_in("alice").await;
    let tracer = gateway.app.tracer().unwrap().clone();
    let (_, took) = timed(gateway.app.stop(false)).await;
    assert!(tracer.dropped() > 3 && tracer.sent() == 0, "{tracer:?}");
    assert!(took < seconds(10), "{took:?}");
}

#[tokio::test]
async fn a_silent_collector_does_not_hold_up_the_end() {
    let collector = Collector::start().await;
    collector.0.on("/v1/traces", Reply::silence());
    let gateway = Gateway::with(collector.config().key("traces", "timeout = \"5m\"")).await;
    assert_eq!(gateway.get("/public/x").await.status, 200);
    let (_, took) = timed(gateway.app.stop(false)).await;
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test]
async fn a_busy_collector_is_asked_again() {
    let collector = Collector::start().await;
    let busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\n";
    collector.0.on("/v1/traces", Reply::with_head(busy, ""));
    let gateway = Gateway::with(collector.config()).await;
    assert_eq!(gateway.get("/public/x").await.status, 200);
    collector.0.until(|seen| !seen.is_empty()).await;
    collector.0.on("/v1/traces", Reply::ok(""));
    let tracer = gateway.app.tracer().unwrap();
    eventually("the same batch is taken", async || tracer.sent() == 2).await;
    assert_eq!(tracer.dropped(), 0);
}
