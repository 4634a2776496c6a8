//! Each call stands below the request that it was made for.

use std::collections::HashMap;

use opentelemetry_proto::tonic::trace::v1::Span;
use wxgate::simulator::Payload;

use super::*;
use crate::support::open_data::sealed_fields;

/// What is below each request: the name of a span, and of the one that it is right below.
const BELOW: [(&str, &[(&str, &str)]); 8] = [
    (
        "GET /wxLogin",
        &[
            ("login exchange", "GET /wxLogin"),
            ("/sns/jscode2session", "login exchange"),
            ("store take", "login exchange"),
            ("store create", "login exchange"),
        ],
    ),
    ("GET /api/**", &[("store find", "GET /api/**"), ("GET shop", "GET /api/**")]),
    (
        "POST /phone",
        &[
            ("/cgi-bin/stable_token", "POST /phone"),
            ("store remove", "POST /phone"),
            ("/wxa/business/getuserphonenumber", "POST /phone"),
        ],
    ),
    ("POST /open", &[("store begin_try", "POST /open"), ("store end_try", "POST /open")]),
    ("GET /maybe/**", &[("store renew", "GET /maybe/**"), ("GET shop", "GET /maybe/**")]),
    (
        "GET /enter",
        &[
            ("/sns/jscode2session", "login exchange"),
            ("POST shop", "GET /enter"),
            ("store note_known", "GET /enter"),
        ],
    ),
    ("POST /refresh", &[("store update", "POST /refresh")]),
    ("POST /logout", &[("store end", "POST /logout")]),
];

#[tokio::test]
async fn every_call_is_below_the_request_that_it_is_made_for() {
    let collector = Collector::start().await;
    let config = collector
        .config()
        .route(r#"path = "/phone", action = "phone""#)
        .route(r#"path = "/open", action = "open-data""#)
        .route(r#"path = "/enter", action = "login", upstream = "shop""#);
    let gateway = Gateway::with(config).await;
    let token = gateway.log_in("alice").await;
    assert_eq!(gateway.get("/api/x").token(&token).await.status, 200);
    let phone_code = serde_json::json!({ "code": gateway.wechat.phone_code("alice") });
    assert_eq!(gateway.post("/phone").token(&token).json(&phone_code).await.status, 200);
    let data = sealed_fields(&gateway.wechat.sealed("alice", &Payload::UserInfo));
    assert_eq!(gateway.post("/open").token(&token).json(&data).await.status, 200);
    // More than half of its idle time is over.
    gateway.clock.advance(seconds(13 * 3600));
    assert_eq!(gateway.get("/maybe/x").token(&token).await.status, 200);
    let path = format!("/enter?code={}", gateway.wechat.code("bob"));
    assert_eq!(gateway.get(&path).await.status, 200);
    assert_eq!(gateway.post("/refresh").token(&token).await.status, 200);
    assert_eq!(gateway.post("/logout").token(&token).await.status, 204);
    gateway.app.stop(false).await;

    let spans = collector.spans();
    let by_id: HashMap<_, _> = spans.iter().map(|span| (&span.span_id, span)).collect();
    let request_of = |span: &Span| {
        let mut top = by_id[&span.span_id];
        while !top.parent_span_id.is_empty() {
            let parent = by_id.get(&top.parent_span_id);
            let parent = parent.unwrap_or_else(|| panic!("{} has an unknown parent", top.name));
            assert_eq!(parent.trace_id, top.trace_id);
            assert!(parent.start_time_unix_nano <= top.start_time_unix_nano);
            top = parent;
        }
        assert_eq!(top.kind, 2, "{} is no request", top.name);
        top.name.as_str()
    };
    let found: Vec<_> = spans
        .iter()
        .filter_map(|span| {
            let parent = by_id.get(&span.parent_span_id)?;
            Some((request_of(span), span.name.as_str(), parent.name.as_str()))
        })
        .collect();
    let wanted = BELOW.iter().flat_map(|(request, below)| {
        below.iter().map(move |(name, parent)| (*request, *name, *parent))
    });
    let missing: Vec<_> = wanted.filter(|wanted| !found.contains(wanted)).collect();
    assert!(missing.is_empty(), "{missing:#?} are not among {found:#?}");
    let requests = spans.iter().filter(|span| span.parent_span_id.is_empty()).map(request_of);
    assert_eq!(requests.count(), BELOW.len(), "nothing stands alone");
}
