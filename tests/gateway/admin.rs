//! The admin listener: what it shows, and what it takes to change something.

mod sessions;

use http::Method;
use serde_json::Value;
use wxgate::lifecycle::reloads::Outcome;

use crate::raw::{Answer, Wire};
use crate::support::config::Config;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::process::Process;
use crate::support::wechat::SECRET;
use crate::upstream::Upstream;

const TOKEN: &str = "a token for the admin listener";

/// What can be read without a token.
const READING: [&str; 8] =
    ["/", "/livez", "/readyz", "/metrics", "/config", "/routes", "/upstreams", "/version"];
/// What needs the token.
const CHANGING: [(&str, &str); 7] = [
    ("GET", "/sessions?openid=o1"),
    ("DELETE", "/sessions?openid=o1"),
    ("DELETE", "/sessions/AAAAAAAAAAAAAAAAAAAAAA?openid=o1"),
    ("POST", "/upstreams/shop/servers/127.0.0.1:1/drain"),
    ("DELETE", "/upstreams/shop/servers/127.0.0.1:1/drain"),
    ("PUT", "/log-level"),
    ("POST", "/reload"),
];

pub(crate) async fn ask(
    address: std::net::SocketAddr,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> Answer {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let (token, length) = (token.unwrap_or_default(), body.len());
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\n{token}Content-Length: {length}\r\n\r\n{body}"
    );
    Wire::ask(address, request).await
}

impl Gateway {
    async fn with_admin_token(config: Config) -> Self {
        let config = config.key("admin", "token = \"${ADMIN}\"").variable("ADMIN", TOKEN);
        Self::with(config).await
    }

    async fn admin(&self, method: Method, path: &str) -> Answer {
        ask(self.app.admin_address, method.as_str(), path, Some(TOKEN), "").await
    }

    async fn shown(&self, path: &str) -> Value {
        let answer = ask(self.app.admin_address, "GET", path, None, "").await;
        assert_eq!(answer.status, 200, "{path}");
        answer.json()
    }
}

#[tokio::test]
async fn ses_07_nothing_of_the_admin_listener_is_on_the_data_listener() {
    let gateway = Gateway::with_admin_token(Config::default()).await;
    for path in READING {
        let answer = ask(gateway.address, "GET", path, Some(TOKEN), "").await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "no_route"), "{path}");
    }
    for (method, path) in CHANGING {
        let answer = ask(gateway.address, method, path, Some(TOKEN), "").await;
        assert_eq!(answer.status, 404, "{method} {path}");
    }
}

#[tokio::test]
async fn without_a_token_nothing_can_be_changed_and_a_wrong_one_does_not_help() {
    let (open, closed) =
        (Gateway::with_admin_token(Config::default()).await, Gateway::start().await);
    for (method, path) in CHANGING {
        let (open, closed) = (open.app.admin_address, closed.app.admin_address);
        assert_eq!(ask(closed, method, path, Some(TOKEN), "").await.status, 403, "{method} {path}");
        for token in [None, Some(""), Some("a token"), Some("a token for the admin listenes")] {
            let answer = ask(open, method, path, token, "").await;
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        assert_ne!(ask(open, method, path, Some(TOKEN), "").await.status, 401, "{method} {path}");
    }
}

#[tokio::test]
async fn the_index_leads_to_everything_that_can_be_read() {
    let gateway = Gateway::start().await;
    let admin = gateway.app.admin_address;
    let index = ask(admin, "GET", "/", None, "").await;
    for path in &READING[1..] {
        assert!(index.text().contains(path), "{path}");
        assert_eq!(ask(admin, "GET", path, None, "").await.status, 200, "{path}");
    }
    assert_eq!(gateway.shown("/version").await["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn the_configuration_is_shown_with_its_defaults_and_without_a_secret() {
    let encryption_key = "dGVzdC1vbmx5IGVuY3J5cHRpb24ga2V5IDMyIGJ5dGU=";
    let config = Config::default()
        .table("store", "encryption_keys = [\"${ENCRYPTION_KEY}\"]")
        .variable("ENCRYPTION_KEY", encryption_key)
        .signing_keys(&[crate::support::jwt::KEY])
        .key("wechat", "proxy = \"http://someone:${PROXY_PASSWORD}@127.0.0.1:1\"")
        .variable("PROXY_PASSWORD", "hunter2")
        .key("limits", "body_idle = \"7s\"")
        .route(
            "path = \"/keyed\", upstream = \"shop\", \
             request_headers = { set = { X-Api-Key = \"swordfish\" } }",
        );
    let gateway = Gateway::with_admin_token(config).await;
    let shown = gateway.shown("/config").await;
    let text = shown.to_string();
    let secrets = [
        SECRET,
        encryption_key,
        crate::support::jwt::KEY,
        "hunter2",
        "swordfish",
        "someone",
        TOKEN,
    ];
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert_eq!(shown["apps"]["shop"]["secret"], "***");
    assert_eq!(shown["admin"]["token"], "***");
    assert_eq!(shown["wechat"]["proxy"], "http://***@127.0.0.1:1");
    assert_eq!(shown["upstreams"]["shop"]["servers"][0], gateway.upstream.url());
    assert_eq!(shown["limits"]["body_idle"], "7s");
    for (place, default) in [
        ("/limits/header_timeout", Value::from("10s")),
        ("/upstreams/shop/balance", "round-robin".into()),
        ("/upstreams/shop/keepalive", 256.into()),
        ("/session/revocation", "instant".into()),
        ("/server/h2c", true.into()),
        ("/identity/openid", "x-wx-openid".into()),
        ("/log/sample", 1.0.into()),
    ] {
        assert_eq!(shown.pointer(place), Some(&default), "{place}");
    }
}

#[tokio::test]
async fn routes_are_shown_with_what_they_lead_to() {
    let gateway = Gateway::with(Config::with_two_apps().route(
        "path = \"/x\", host = \"a.example\", methods = [\"POST\"], upstream = \"shop\", \
         auth = \"none\", app = \"other\"",
    ))
    .await;
    let routes = gateway.shown("/routes").await;
    let route = routes["routes"].as_array().unwrap().last().unwrap().clone();
    let expected = serde_json::json!({
        "path": "/x", "host": "a.example", "methods": ["POST"], "action": "proxy", "auth": "none",
        "upstream": "shop", "apps": ["other"],
    });
    assert_eq!(route, expected);
    assert_eq!(routes["routes"][4]["path"], "/api/**");
    assert_eq!(routes["routes"][4]["apps"], serde_json::json!(["other", "shop"]));
}

#[tokio::test]
async fn a_drained_server_gets_no_requests_until_it_is_undrained() {
    let other = Upstream::start().await;
    let servers = format!("servers = [\"${{UPSTREAM}}\", \"{}\"]", other.url());
    let config = Config::default().table("upstreams.shop", &servers);
    let gateway = Gateway::with_admin_token(config).await;
    let address = other.url().trim_start_matches("http://").to_owned();
    let path = format!("/upstreams/shop/servers/{address}/drain");
    let drained = gateway.admin(Method::POST, &path).await;
    assert_eq!(drained.status, 200);
    for _ in 0..6 {
        assert_eq!(gateway.get("/public/x").await.status, 200);
    }
    assert_eq!((gateway.upstream.requests().len(), other.requests().len()), (6, 0));
    let shown = gateway.shown("/upstreams").await;
    let servers = shown["upstreams"][0]["servers"].as_array().unwrap().clone();
    let server = servers.iter().find(|server| server["address"] == address).unwrap();
    assert_eq!(server["state"], "drained");
    assert_eq!(server["requests_in_flight"], 0);
    let verbose = gateway.shown("/readyz?verbose").await;
    assert_eq!(verbose["upstreams"]["shop"], serde_json::json!({ "servers": 2, "in": 1 }));
    assert_eq!(gateway.admin(Method::DELETE, &path).await.status, 200);
    for _ in 0..6 {
        assert_eq!(gateway.get("/public/x").await.status, 200);
    }
    assert_eq!(other.requests().len(), 3);
    for nowhere in ["/upstreams/none/servers/x/drain", "/upstreams/shop/servers/x/drain"] {
        assert_eq!(gateway.admin(Method::POST, nowhere).await.status, 404);
    }
}

#[tokio::test]
async fn verbose_readiness_names_every_part() {
    let gateway = Gateway::start().await;
    let brief = gateway.shown("/readyz").await;
    assert_eq!(brief, serde_json::json!({ "ready": true, "blocked": {} }));
    let verbose = gateway.shown("/readyz?verbose").await;
    for part in ["gateway", "sessions", "store"] {
        assert_eq!(verbose["parts"][part]["ready"], true, "{part}: {verbose}");
    }
}

#[tokio::test]
async fn the_level_of_the_log_changes_while_the_gateway_runs() {
    let upstream = Upstream::start().await;
    let config = Config::default()
        .key("admin", "token = \"${ADMIN}\"")
        .variable("ADMIN", TOKEN)
        .variable("WECHAT", "http://127.0.0.1:1")
        .variable("UPSTREAM", upstream.url());
    // It starts at its most talkative.
    let mut process = Process::start(&config).await;
    let admin = process.admin;
    let set = async |level: &str| ask(admin, "PUT", "/log-level", Some(TOKEN), level).await;
    assert_eq!(set("loud").await.status, 400);
    assert_eq!(set("info").await.json()["level"], "info");
    let refused = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(Wire::ask(process.address, refused).await.status, 404);
    assert_eq!(set("debug").await.status, 200);
    process.until_logged("the log level is debug now").await;
    assert!(!process.log().contains("wxgate::proxy::respond"), "{}", process.log());
    eventually("a refusal is in the log", async || {
        Wire::ask(process.address, refused).await;
        process.log().contains("wxgate::proxy::respond")
    })
    .await;
}

/// What waits for a restart is not in effect, so it is not shown either.
#[tokio::test]
async fn the_configuration_is_shown_as_it_is_in_effect_after_a_reload() {
    let gateway = Gateway::with_admin_token(Config::default()).await;
    let before = gateway.shown("/config").await;
    let next = Config::default()
        .table("server", "listen = [\"127.0.0.1:1\"]\nworkers = 7\nh2c = false\ndrain = \"7s\"")
        .table("admin", &format!("listen = \"127.0.0.1:2\"\ntoken = \"{TOKEN}\""))
        .table("ext_authz", "listen = \"127.0.0.1:3\"")
        .table("traces", "endpoint = \"http://127.0.0.1:4\"")
        .table("store", "url = \"redis://127.0.0.1:5\"\nencryption_keys = [\"${SEAL}\"]")
        .variable("SEAL", "dGVzdC1vbmx5IGVuY3J5cHRpb24ga2V5IDMyIGJ5dGU=")
        .signing_keys(&[crate::support::jwt::KEY])
        .key("server", "traceparent = \"own\"");
    let outcome = gateway.reload(&next).await;
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    let shown = gateway.shown("/config").await;
    for place in [
        "/server/listen",
        "/server/workers",
        "/server/h2c",
        "/server/traceparent",
        "/admin/listen",
        "/ext_authz",
        "/traces",
        "/store/url",
    ] {
        assert_eq!(shown.pointer(place), before.pointer(place), "{place}");
    }
    assert_eq!(shown["server"]["drain"], "7s");
    assert_eq!(shown["store"]["encryption_keys"], "***");
    assert_eq!(shown["session"]["signing_keys"], "***");
}
