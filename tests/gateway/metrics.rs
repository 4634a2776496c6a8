//! What the gateway counts, as a scraper sees it.

mod cardinality;

use wxgate::simulator::{Effect, Fault};

use crate::raw::Wire;
use crate::support::config::Config;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::metrics::{Scrape, scrape};
use crate::support::wechat::APPID;
use crate::upstream::Reply;

impl Gateway {
    async fn scrape(&self) -> Scrape {
        Scrape::of(self.app.admin_address).await
    }

    /// Waits for what is counted once the answer is out.
    async fn until_counted(&self, series: &str, count: f64) {
        eventually(&format!("{series} is {count}"), async || {
            self.scrape().await.0.get(series) == Some(&count)
        })
        .await;
    }
}

#[tokio::test]
async fn requests_are_counted_by_route_method_and_class_of_status() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/api/x?secret=1").token(&token).await.status, 200);
    }
    assert_eq!(gateway.post("/api/y").token(&token).body("12345").await.status, 200);
    assert_eq!(gateway.get("/api/x").await.status, 401);
    assert_eq!(gateway.get("/nowhere").await.status, 404);
    let series = |rest: &str| format!("wxgate_requests_total{{route=\"/api/**\",{rest}}}");
    gateway.until_counted(&series(r#"method="GET",status="2xx""#), 3.0).await;
    gateway.until_counted(&series(r#"method="POST",status="2xx""#), 1.0).await;
    gateway.until_counted(&series(r#"method="GET",status="4xx""#), 1.0).await;
    let unrouted = r#"wxgate_requests_total{route="-",method="GET",status="4xx"}"#;
    gateway.until_counted(unrouted, 1.0).await;
    let scrape = gateway.scrape().await;
    assert_eq!(scrape.get(r#"wxgate_request_body_bytes_total{route="/api/**"}"#), 5.0);
    assert!(scrape.get(r#"wxgate_response_body_bytes_total{route="/api/**"}"#) > 0.0);
    let labels = r#"{route="/api/**",method="GET",status="2xx"}"#;
    assert_eq!(scrape.get(&format!("wxgate_request_duration_seconds_count{labels}")), 3.0);
    assert_eq!(scrape.get(r#"wxgate_refusals_total{code="token_missing"}"#), 1.0);
    assert_eq!(scrape.get(r#"wxgate_refusals_total{code="no_route"}"#), 1.0);
    assert_eq!(scrape.get("wxgate_requests_in_flight"), 0.0);
}

#[tokio::test]
async fn a_head_that_is_refused_at_the_door_is_counted_too() {
    let gateway = Gateway::start().await;
    let answer = Wire::ask(gateway.address, "GET / HTTP/1.1\r\nBad Line\r\n\r\n").await;
    assert_eq!(answer.status, 400);
    let unrouted = r#"wxgate_requests_total{route="-",method="other",status="4xx"}"#;
    gateway.until_counted(unrouted, 1.0).await;
    let scrape = gateway.scrape().await;
    assert_eq!(scrape.get(r#"wxgate_refusals_total{code="bad_request"}"#), 1.0);
    assert!(scrape.get("wxgate_connections_accepted_total") >= 1.0);
}

#[tokio::test]
async fn authentication_is_counted_by_what_became_of_the_token() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    gateway.get("/api/x").token(&token).await;
    gateway.get("/maybe/x").await;
    gateway.get("/api/x").await;
    gateway.get("/api/x").token(&format!("{token}x")).await;
    gateway.get("/api/x").token(&token).header("x-wx-skey", &token).await;
    gateway.get("/public/x").token(&token).await;
    let scrape = gateway.scrape().await;
    for (outcome, count) in [
        ("authenticated", 1.0),
        ("anonymous", 1.0),
        ("missing", 1.0),
        ("invalid", 1.0),
        ("malformed", 1.0),
        ("other_app", 0.0),
        ("unavailable", 0.0),
    ] {
        let series = format!("wxgate_authentications_total{{outcome=\"{outcome}\"}}");
        assert_eq!(scrape.get(&series), count, "{outcome}");
    }
}

#[tokio::test]
async fn sessions_are_counted_as_they_begin_and_end() {
    let gateway = Gateway::start().await;
    let (one, two) = (gateway.log_in("alice").await, gateway.log_in("alice").await);
    for _ in 0..3 {
        assert_eq!(gateway.get("/api/x").token(&one).await.status, 200);
    }
    assert_eq!(gateway.post("/logout").token(&one).await.status, 204);
    let everywhere = serde_json::json!({ "everywhere": true });
    assert_eq!(gateway.post("/logout").token(&two).json(&everywhere).await.status, 204);
    let scrape = gateway.scrape().await;
    assert_eq!(scrape.get(r#"wxgate_sessions_begun_total{app="shop"}"#), 2.0);
    assert_eq!(scrape.get(r#"wxgate_sessions_ended_total{reason="logout"}"#), 1.0);
    assert_eq!(scrape.get(r#"wxgate_sessions_ended_total{reason="logout_everywhere"}"#), 1.0);
    // Of five requests with tokens, the first of each session asks the store.
    assert_eq!(scrape.get(r#"wxgate_session_lookups_total{from="store"}"#), 2.0);
    assert_eq!(scrape.get(r#"wxgate_session_lookups_total{from="verdict"}"#), 3.0);
    assert_eq!(scrape.get(r#"wxgate_store_call_duration_seconds_count{operation="create"}"#), 2.0);
    assert_eq!(scrape.get("wxgate_store_up"), 1.0);
}

#[tokio::test]
async fn calls_to_wechat_are_counted_by_app_call_and_errcode() {
    let gateway = Gateway::start().await;
    gateway.log_in("alice").await;
    let log_in = async || {
        let code = gateway.wechat.code("bob");
        gateway.get(&format!("/wxLogin?code={code}&appid={APPID}")).await
    };
    gateway.wechat.plays(Effect::Errcode(40029, None));
    assert_eq!(log_in().await.status, 401);
    gateway.wechat.plays(Effect::Errcode(12_345, None));
    assert_eq!(log_in().await.status, 502);
    gateway.wechat.plays_fault(Fault::new("jscode2session", Effect::HttpStatus(500)));
    assert_eq!(log_in().await.status, 502);
    let scrape = gateway.scrape().await;
    let series = |errcode: &str| {
        let call = r#"app="shop",api="jscode2session""#;
        scrape.get(&format!("wxgate_wechat_calls_total{{{call},errcode=\"{errcode}\"}}"))
    };
    for (errcode, count) in
        [("0", 1.0), ("40029", 1.0), ("other", 1.0), ("bad_answer", 1.0), ("no_answer", 0.0)]
    {
        assert_eq!(series(errcode), count, "{errcode}");
    }
    let duration = r#"wxgate_wechat_call_duration_seconds_count{app="shop",api="jscode2session"}"#;
    assert_eq!(scrape.get(duration), 4.0);
    assert!(!scrape.has(r#"wxgate_access_token_age_seconds{app="shop"}"#), "a login needs none");
}

#[tokio::test]
async fn an_access_token_has_its_age() {
    let routes = [r#"path = "/wxLogin", action = "login""#, r#"path = "/phone", action = "phone""#];
    let gateway = Gateway::with(Config::default().routes(&routes)).await;
    let token = gateway.log_in("alice").await;
    let code = gateway.wechat.world().phone_code(APPID, "alice").unwrap();
    let body = serde_json::json!({ "code": code });
    assert_eq!(gateway.post("/phone").token(&token).json(&body).await.status, 200);
    gateway.clock.advance(std::time::Duration::from_secs(60));
    let scrape = gateway.scrape().await;
    let renewals = r#"wxgate_access_token_renewals_total{app="shop",result="success"}"#;
    assert_eq!(scrape.get(renewals), 1.0);
    let age = scrape.get(r#"wxgate_access_token_age_seconds{app="shop"}"#);
    assert!((60.0..120.0).contains(&age), "{age}");
    assert!(scrape.get(r#"wxgate_access_token_expires_in_seconds{app="shop"}"#) > 6000.0);
}

#[tokio::test]
async fn what_upstreams_do_is_counted() {
    let config = Config::default()
        .key("upstreams.shop", "timeout = \"300ms\"")
        .key("upstreams.shop", "eject = { failures = 2, for = \"30s\" }")
        .key("upstreams.gone", "servers = [\"http://127.0.0.1:9\"]")
        .key("upstreams.gone", "eject = { failures = 1, for = \"30s\" }")
        .route("path = \"/gone\", upstream = \"gone\", auth = \"none\"");
    let gateway = Gateway::with(config).await;
    gateway.upstream.on("/public/down", Reply::with_head("HTTP/1.1 500 No\r\n", "down"));
    gateway.upstream.on("/public/silent", Reply::silence());
    assert_eq!(gateway.get("/public/x").await.status, 200);
    assert_eq!(gateway.get("/public/down").await.status, 500);
    assert_eq!(gateway.get("/public/silent").await.status, 504);
    assert_eq!(gateway.get("/gone").await.status, 503);
    assert_eq!(gateway.get("/gone").await.status, 503);
    // A server that says nothing on a connection that was used before may be tried once more.
    let seen = gateway.upstream.requests();
    let tries = seen.iter().filter(|seen| seen.target() == "/public/silent").count() as f64;
    let scrape = gateway.scrape().await;
    for (series, count) in [
        (r#"responses_total{upstream="shop",status="2xx"}"#, 1.0),
        (r#"responses_total{upstream="shop",status="5xx"}"#, 1.0),
        (r#"response_duration_seconds_count{upstream="shop"}"#, 2.0),
        (r#"failures_total{upstream="shop",kind="timed_out"}"#, tries),
        (r#"failures_total{upstream="gone",kind="not_connected"}"#, 1.0),
        (r#"retries_total{upstream="shop"}"#, tries - 1.0),
        (r#"ejections_total{upstream="gone",reason="no_connection"}"#, 1.0),
        (r#"servers{upstream="gone",state="unreachable"}"#, 1.0),
        (r#"servers{upstream="gone",state="in"}"#, 0.0),
        (r#"servers{upstream="shop",state="in"}"#, 1.0),
    ] {
        assert_eq!(scrape.get(&format!("wxgate_upstream_{series}")), count, "{series}");
    }
    assert!(scrape.get(r#"wxgate_upstream_unavailable_total{upstream="gone"}"#) >= 1.0);
}

#[tokio::test]
async fn a_scraper_gets_the_format_that_it_reads() {
    let gateway = Gateway::start().await;
    let admin = gateway.app.admin_address;
    let classic = scrape(admin, "text/plain;version=0.0.4").await;
    assert_eq!(classic.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(classic.text().contains("# TYPE wxgate_requests_total counter\n"));
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let open = scrape(admin, accept).await;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), Some(content_type));
    assert!(open.text().contains("# TYPE wxgate_requests counter\n"));
    assert!(open.text().ends_with("# EOF\n"));
}

#[tokio::test]
async fn two_gateways_of_one_process_count_apart() {
    let (one, other) = (Gateway::start().await, Gateway::start().await);
    one.get("/nowhere").await;
    let refused = r#"wxgate_refusals_total{code="no_route"}"#;
    one.until_counted(refused, 1.0).await;
    assert_eq!(other.scrape().await.get(refused), 0.0);
    assert!(one.scrape().await.get("process_resident_memory_bytes") > 1e6);
}
