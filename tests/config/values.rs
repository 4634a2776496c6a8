//! What is written is what the modules get.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderName, Method};
use wxgate::config;
use wxgate::listen::{Address, Place};
use wxgate::policy::route::{Action, Auth, OnCheckOutage, OnReview, Pattern, ProfileRules};
use wxgate::session::{OnStoreOutage, Revocation, SameSite, TokenSource};
use wxgate::upstream::{Balance, Eject, Health, Protocol, Server};

use super::{KEY, SHOP, file, settings};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_listeners() {
    let given = settings(&file(
        r#"[server]
listen = ["127.0.0.1:1", { address = "unix:/run/x" }, "systemd:http"]
workers = 3
trusted_proxies = ["10.1.2.3/8", "::1"]
h2c = false
lame_duck = "0s"
drain = "1m"
[admin]
listen = "127.0.0.1:2"
token = "x""#,
    ));
    let places: Vec<_> =
        given.server.listeners.iter().map(|listener| listener.place.clone()).collect();
    let tcp = Address::Tcp("127.0.0.1:1".parse().unwrap());
    let unix = Address::Unix(PathBuf::from("/run/x"));
    assert_eq!(places[..2], [tcp, unix].map(Place::Own));
    assert_eq!(places[2].to_string(), "systemd:http");
    let networks: Vec<_> = given.server.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "::1/128"]);
    assert_eq!((given.server.workers, given.server.listeners[1].h2c), (3, false));
    assert_eq!((given.server.lame_duck, given.server.drain), (seconds(0), seconds(60)));
    assert_eq!(given.admin.listen, "127.0.0.1:2".parse().unwrap());
    assert_eq!(given.admin.token.unwrap().expose(), "x");
    assert!(settings(&file("server.workers = 0")).server.workers >= 1);
}

#[test]
fn the_apps_in_the_order_of_the_file() {
    let app = |name: &str, digit: u32| {
        format!(
            "[apps.{name}]\nappid = \"wx000000000000000{digit}\"\nsecret = \"s{digit}\"\nenv = \"e\"\n"
        )
    };
    let given = settings(&file(&format!("{}{}", app("z", 1), app("b", 2))));
    let apps: Vec<_> = given
        .apps
        .iter()
        .map(|app| (app.name.as_str(), app.appid.as_str(), app.secret.expose(), app.env.as_deref()))
        .collect();
    assert_eq!(
        apps[..2],
        [
            ("z", "wx0000000000000001", "s1", Some("e")),
            ("b", "wx0000000000000002", "s2", Some("e")),
        ]
    );
    assert_eq!((apps[2].0, apps[2].3), ("shop", None));
    assert_eq!(given.routes[0].apps, [0, 1, 2]);
}

#[test]
fn wechat_store_and_session() {
    let given = settings(&file(&format!(
        r#"[wechat]
base_url = "http://127.0.0.1:9"
fallback_url = "https://b"
connect_timeout = "100ms"
timeout = "2s"
proxy = "http://me:pass@egress:3128"
[store]
url = "redis://r"
key_prefix = "x:"
encryption_keys = ["{KEY}", "{KEY}"]
timeout = "1s"
connect_timeout = "2s"
[session]
idle = "1h"
lifetime = "2h"
signing_keys = ["{KEY}"]
revocation = "none"
on_store_outage = "allow-signed"
outage_grace = "1m"
open_data_max_age = "0s"
token_from = ["cookie:__Host-a", "query:t", "X-T", "Authorization"]
cookie = {{ name = "__Host-a", same_site = "strict" }}"#
    )));
    assert_eq!(given.wechat.base_url, "http://127.0.0.1:9");
    assert_eq!(given.wechat.fallback_url.unwrap(), "https://b");
    assert_eq!(given.wechat.proxy.unwrap(), "http://me:pass@egress:3128");
    assert_eq!((given.wechat.connect_timeout, given.wechat.timeout), (seconds(1) / 10, seconds(2)));
    let redis = given.redis.unwrap();
    assert_eq!((redis.key_prefix.as_str(), given.store.encryption_keys.len()), ("x:", 2));
    assert_eq!((redis.timeout, redis.connect_timeout), (seconds(1), seconds(2)));
    let session = given.session;
    assert_eq!((session.idle, session.lifetime), (seconds(3_600), seconds(7_200)));
    assert_eq!(session.revocation, Revocation::None);
    assert_eq!(session.on_store_outage, OnStoreOutage::AllowSigned(seconds(60)));
    assert_eq!(session.open_data_max_age, None);
    assert_eq!(
        session.token_from,
        [
            TokenSource::Cookie("__Host-a".to_owned()),
            TokenSource::Query("t".to_owned()),
            TokenSource::Header(HeaderName::from_static("x-t")),
            TokenSource::Authorization,
        ]
    );
    let cookie = session.cookie.unwrap();
    assert_eq!((cookie.name.as_str(), cookie.same_site), ("__Host-a", SameSite::Strict));
}

#[test]
fn a_short_lifetime_shortens_the_idle_time() {
    let given = settings(&file("session.lifetime = \"1h\""));
    assert_eq!(given.session.idle, seconds(3_600));
}

#[test]
fn identity_upstreams_and_limits() {
    let given = settings(&file(
        r#"[identity]
openid = "X-User"
claims = { user_id = "X-User-Id" }
forward_token = true
[upstreams.b]
servers = ["http://b", "https://B:1", "http://[::1]:2", "h2c://b", "unix:/run/b"]
http2 = true
balance = "hash:openid"
connect_timeout = "3s"
timeout = "4s"
keepalive = 0
retries = 0
pass_headers = ["X_Legacy", "x.y"]
health = { path = "/up?x=1", interval = "2s", healthy = 1, unhealthy = 9 }
eject = { failures = 0, for = "1m" }
[upstreams.c]
servers = ["http://c"]
preserve_host = false
health = { path = "/" }
eject = {}
[limits]
header_timeout = "1s"
header_size = "4KiB"
header_count = 50
uri_length = "1KiB"
body_size = "1GiB"
body_idle = "2s"
keepalive = "3s"
connections = 7"#,
    ));
    assert_eq!(given.identity.openid, "x-user");
    assert_eq!(given.identity.unionid, "x-wx-unionid");
    assert_eq!(given.identity.claims["user_id"], "x-user-id");
    assert!(given.identity.forward_token);
    let upstream = &given.upstreams[0];
    let tcp = |protocol, host: &str, port| Server::Tcp { protocol, host: host.to_owned(), port };
    let unix = Server::Unix(PathBuf::from("/run/b"));
    let servers = [
        tcp(Protocol::Http, "b", 80),
        tcp(Protocol::Https, "b", 1),
        tcp(Protocol::Http, "::1", 2),
        tcp(Protocol::H2c, "b", 80),
        unix,
    ];
    assert_eq!((upstream.name.as_str(), upstream.servers.as_slice()), ("b", servers.as_slice()));
    assert_eq!((upstream.connect_timeout, upstream.timeout), (seconds(3), seconds(4)));
    assert_eq!((upstream.keepalive, upstream.retries), (0, 0));
    assert_eq!(upstream.pass_headers, ["x_legacy", "x.y"]);
    assert_eq!((upstream.http2, upstream.balance), (true, Balance::HashOpenid));
    let health = |path: &str, interval, healthy, unhealthy| {
        Some(Health { path: path.to_owned(), interval: seconds(interval), healthy, unhealthy })
    };
    assert_eq!(upstream.health, health("/up?x=1", 2, 1, 9));
    assert_eq!(upstream.eject, Eject { failures: 0, duration: seconds(60) });
    let other = &given.upstreams[1];
    assert!(upstream.preserve_host && !other.preserve_host && !other.http2);
    assert_eq!(other.health, health("/", 5, 2, 3));
    assert_eq!(other.eject, Eject { failures: 5, duration: seconds(30) });
    let limits = given.limits;
    assert_eq!((limits.header_timeout, limits.header_size), (seconds(1), 4 << 10));
    assert_eq!((limits.header_count, limits.uri_length), (50, 1 << 10));
    assert_eq!((limits.body_size, limits.body_idle), (1 << 30, seconds(2)));
    assert_eq!((limits.keepalive, limits.connections), (seconds(3), 7));
}

#[test]
fn the_routes() {
    let given = settings(&format!(
        r#"[[routes]]
path = "/a/**"
host = "a.example.com"
methods = ["GET", "DELETE"]
upstream = "shop"
auth = "optional"
app = "shop"
timeout = "5s"
body_size = "1MiB"
[[routes]]
path = "/login"
action = "login"
upstream = "shop"
token_at = "/data/token"
[[routes]]
path = "/profile"
action = "profile"
upstream = "shop"
on_review = "deny"
on_check_outage = "allow"
avatar_url = "https://a/{{name}}?x=1"
avatar_size = "2MiB"
{SHOP}"#
    ));
    let [prefix, login, profile] = given.routes.as_slice() else { panic!() };
    assert_eq!(prefix.path, Pattern::Prefix("/a".to_owned()));
    assert_eq!(prefix.host.as_deref(), Some("a.example.com"));
    assert_eq!(prefix.methods, [Method::GET, Method::DELETE]);
    assert_eq!((prefix.action, prefix.auth), (Action::Proxy, Auth::Optional));
    assert_eq!((prefix.upstream, prefix.apps.as_slice()), (Some(0), [0].as_slice()));
    assert_eq!((prefix.timeout, prefix.body_size), (Some(seconds(5)), Some(1 << 20)));
    assert_eq!(prefix.profile, ProfileRules::default());
    assert_eq!((login.action, login.auth), (Action::Login, Auth::None));
    assert_eq!(login.token_at.as_deref(), Some("/data/token"));
    assert_eq!((profile.action, profile.auth), (Action::Profile, Auth::Required));
    assert_eq!(
        profile.profile,
        ProfileRules {
            on_review: OnReview::Deny,
            on_check_outage: OnCheckOutage::Allow,
            avatar_url: Some("https://a/{name}?x=1".to_owned()),
            avatar_size: 2 << 20,
        }
    );
}

#[test]
fn variables_stand_in_any_string() {
    let text =
        "server.listen = [\"127.0.0.1:${PORT:-80}\"]\nwechat.base_url = \"https://${HOST}:1\"";
    let variable = |name: &str| (name == "HOST").then(|| "wechat.test".to_owned());
    let given = config::parse("gateway.toml", &file(text), Path::new(""), &variable).unwrap();
    assert_eq!(given.server.listeners[0].place.to_string(), "127.0.0.1:80");
    assert_eq!(given.wechat.base_url, "https://wechat.test:1");
    let literal = settings(&file("[identity]\nclaims = { a = \"X-A$B\" }"));
    assert_eq!(literal.identity.claims["a"], "x-a$b");
}
