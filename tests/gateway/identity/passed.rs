//! What else a client sends, and whether it arrives. What must not is in `tests/threats/headers.rs`.

use crate::support::config::Config;
use crate::support::gateway::Gateway;

#[tokio::test]
async fn names_with_an_underscore_or_a_dot_pass_only_where_the_upstream_lists_them() {
    let gateway = Gateway::start().await;
    gateway.get("/public/x").header("legacy_id", "1").header("legacy.id", "2").await;
    assert_eq!(gateway.upstream.last().read_as("legacy-id").len(), 0);

    let config = Config::default().key("upstreams.shop", r#"pass_headers = ["Legacy_Id"]"#);
    let gateway = Gateway::with(config).await;
    gateway.get("/public/x").header("legacy_id", "1").header("legacy.id", "2").await;
    assert_eq!(gateway.upstream.last().read_as("legacy-id"), ["1"]);
}

#[tokio::test]
async fn what_is_the_clients_own_arrives() {
    let gateway = Gateway::start().await;
    let token = gateway.log_in("alice").await;
    let own = [
        ("accept", "text/x-own"),
        ("cookie", "a=1; b=2"),
        ("baggage", "a=1"),
        ("x-own", "value"),
        ("x-wxyz", "not x-wx-"),
    ];
    let request = gateway.get("/api/x?q=1&q=%2F").token(&token);
    own.iter().fold(request, |request, (name, value)| request.header(name, value)).await;
    let seen = gateway.upstream.only();
    assert_eq!((seen.method(), seen.target()), ("GET", "/api/x?q=1&q=%2F"));
    for (name, value) in own {
        assert_eq!(seen.header(name), Some(value));
    }
}
