//! Actions with an upstream: it gets what the gateway found out, and answers the client itself.

mod claims;
mod login;
mod open_data;
mod token_at;

use serde_json::Value;

use crate::support::config::Config;
use crate::upstream::{Reply, Seen};

const JSON: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

/// The standard routes with `/enter`, a login with an upstream, and this in its route.
fn config(route: &str) -> Config {
    let route = format!(r#"path = "/enter", action = "login", upstream = "shop"{route}"#);
    Config::with_open_data().route(&route).key("identity", r#"claims = { user_id = "X-User-Id" }"#)
}

/// 200 with this JSON.
fn json_reply(text: &str) -> Reply {
    Reply::with_head(JSON, text)
}

/// The body of a request, which is JSON of the gateway's own.
fn body(seen: &Seen) -> Value {
    assert_eq!(seen.method(), "POST", "{}", seen.head);
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("content-length"), Some(seen.body.len().to_string().as_str()));
    assert_eq!(seen.header("transfer-encoding"), None);
    serde_json::from_slice(&seen.body).unwrap()
}
