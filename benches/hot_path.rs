//! `hot_path CASE ITERATIONS`: the parts of a request, one at a time, as often as asked.
//!
//! It measures nothing itself: `bench/instructions` counts the instructions of two runs, whose
//! difference is that of the iterations alone. `hot_path --list` names the cases.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a benchmark may panic")]
#![allow(clippy::print_stdout, reason = "it is told which cases there are")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use wxgate::clock::Clock;
use wxgate::config::{self, Settings};
use wxgate::identity::forwarded::{TrustedProxies, new_request_id};
use wxgate::identity::{Call, HeaderRules, Identity, Subject};
use wxgate::policy::route::{Outcome, Table};
use wxgate::policy::{admission, guard, path};
use wxgate::session::Sessions;
use wxgate::session::memory::MemoryStore;
use wxgate::session::token::{Claims, SigningKey, Tokens, install_crypto_provider};
use wxgate::wechat::app::AppId;
use wxgate::wechat::open_data::{Expectation, Kind, Sealed, open};
use wxgate::wechat::session_key::SessionKey;
use wxgate::wechat::user::{OpenId, User};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const APPID: &str = "wx4f4bc4dec97d474b";
const OPENID: &str = "oGZUI0egBJY1zhBYw2KhdUfwVJJE";
/// When the phone number of the vectors was sealed.
const SEALED_AT: u64 = 1_477_314_187;
const PHONE: &str = r#"{"phoneNumber":"13580006666","purePhoneNumber":"13580006666","countryCode":"86","watermark":{"timestamp":1477314187,"appid":"wx4f4bc4dec97d474b"}}"#;
const HS256: &str = "dGhlLXBlZXJzLXZlcmlmeS10aGUtc2FtZS10b2tlbiE=";
/// Of nobody: RFC 8410, 10.3.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----";
const TARGET: &[u8] = b"/api/v1/orders/1234?page=2";

type Case = fn(&mut dyn FnMut(&mut dyn FnMut()));

/// Each prepares what it needs, and hands over what is to be repeated.
const CASES: [(&str, Case); 12] = [
    ("admission", |run| {
        let (head, settings) = (head(), settings(1000));
        let routes = Table::build(settings.routes).unwrap();
        run(&mut || drop(admission::admit(&head, TARGET, &settings.limits, &routes).unwrap()));
    }),
    ("guard", |run| {
        let (head, limits) = (head(), settings(1).limits);
        run(&mut || {
            black_box(guard::check(black_box(&head), TARGET, &limits).unwrap());
        });
    }),
    ("identity-headers", |run| {
        let settings = settings(1);
        let identity = Identity::new(settings.identity, &settings.apps);
        let (openid, request_id) = (HeaderValue::from_static(OPENID), new_request_id());
        let (claims, clock, assertion) = (BTreeMap::new(), Clock::movable(), OnceLock::new());
        let subject = Subject { openid: &openid, unionid: None, app: 0, claims: &claims };
        let call =
            Call { request_id: &request_id, audience: None, clock: &clock, assertion: &assertion };
        run(&mut || {
            let mut headers = HeaderMap::with_capacity(32);
            identity.write(&subject, &call, &mut headers);
            black_box(headers);
        });
    }),
    ("open-data", |run| {
        let key = SessionKey::parse("tiihtNczf5v6AKRyjwEUhQ==").unwrap();
        let sealed = Sealed::seal(PHONE, &key, [7; 16]);
        let expected = Expectation {
            appid: APPID,
            openid: None,
            max_age: std::time::Duration::from_secs(300),
            now: SEALED_AT + 10,
            kind: Kind::Phone,
        };
        run(&mut || {
            let opened = open(black_box(&sealed), std::slice::from_ref(&key), &expected).unwrap();
            black_box(opened.into_json().unwrap());
        });
    }),
    ("origin-headers", |run| {
        let (head, nobody) = (head(), TrustedProxies::default());
        let client = IpAddr::from([203, 0, 113, 7]);
        run(&mut || {
            let mut headers = HeaderMap::with_capacity(32);
            let origin = nobody.origin(Some(client), true, "shop.example.com", &head.headers);
            origin.write(client, &origin.request_id(), &mut headers);
            black_box(headers);
        });
    }),
    ("path", |run| {
        run(&mut || drop(black_box(path::canonical(black_box(b"/api/v1/orders/1234")).unwrap())));
    }),
    ("path-not-canonical", |run| {
        run(&mut || {
            drop(black_box(path::canonical(black_box(b"/api//v1/./%6frders/x%20y")).unwrap()))
        });
    }),
    ("removed-headers", |run| {
        let rules = HeaderRules::new(&settings(1).identity);
        let names: Vec<HeaderName> = head().headers.keys().cloned().collect();
        run(&mut || {
            black_box(names.iter().filter(|name| rules.removes(name, &[])).count());
        });
    }),
    ("route", |run| {
        let routes = Table::build(settings(1000).routes).unwrap();
        run(&mut || match routes.find(
            black_box("/api/v1/orders/1234"),
            "shop.example.com",
            &Method::GET,
        ) {
            Outcome::Found(route) => {
                black_box(route);
            }
            other => panic!("{other:?}"),
        });
    }),
    ("session", |run| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (clock, appids) = (Clock::movable(), [AppId::parse(APPID).unwrap()]);
        let store = |_| -> Arc<dyn wxgate::session::store::Store> {
            Arc::new(MemoryStore::new(clock.clone()))
        };
        let sessions = Sessions::new(&settings(1).session, &appids, store, clock.clone());
        let user = User { appid: appids[0].clone(), openid: OpenId::parse(OPENID).unwrap() };
        let session = runtime.block_on(sessions.begin(user, None)).unwrap();
        let token = sessions.token(&session).unwrap();
        run(&mut || drop(black_box(runtime.block_on(sessions.authenticate(&token)).unwrap())));
    }),
    ("token-eddsa", |run| verify(ED25519, run)),
    ("token-hs256", |run| verify(HS256, run)),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    install_crypto_provider();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--list"] => CASES.iter().for_each(|(name, _)| println!("{name}")),
        [name, iterations] => {
            let (_, case) = CASES.iter().find(|(case, _)| case == name).unwrap();
            let iterations: u64 = iterations.parse().unwrap();
            case(&mut |work| (0..iterations).for_each(|_| work()));
        }
        // What `cargo bench` and `cargo test --benches` give.
        _ => {
            println!("usage: hot_path --list | hot_path CASE ITERATIONS; bench/instructions counts")
        }
    }
}

fn verify(key: &str, run: &mut dyn FnMut(&mut dyn FnMut())) {
    let tokens = Tokens::new(vec![SigningKey::parse(key).unwrap()]);
    let claims =
        Claims::new(OPENID, APPID, "c2Vzc2lvbi1pZC1vZi0xNi1i", "jti".to_owned(), 1000, 1000, 2000);
    let token = tokens.sign(&claims).unwrap();
    run(&mut || drop(black_box(tokens.verify(black_box(&token), 1500).unwrap())));
}

/// A request as a Mini Program sends it.
fn head() -> Parts {
    let request = Request::get("/api/v1/orders/1234?page=2")
        .header("host", "shop.example.com")
        .header("connection", "keep-alive")
        .header("charset", "utf-8")
        .header("authorization", format!("Bearer {}", "x".repeat(300)))
        .header(
            "user-agent",
            "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0.50 MiniProgramEnv/android",
        )
        .header("content-type", "application/json")
        .header("accept-encoding", "gzip,compress,br,deflate")
        .header("referer", "https://servicewechat.com/wx4f4bc4dec97d474b/12/page-frame.html");
    request.body(()).unwrap().into_parts().0
}

/// What a configuration with so many routes means. Their prefixes have six lengths.
fn settings(routes: usize) -> Settings {
    let mut text = format!(
        r#"
        [apps.shop]
        appid = "{APPID}"
        secret = "0123456789abcdef0123456789abcdef"
        [session]
        signing_keys = ["{HS256}"]
        [upstreams.shop]
        servers = ["http://127.0.0.1:3000"]
        [[routes]]
        path = "/api/**"
        upstream = "shop"
        "#
    );
    for number in 1..routes {
        let stars = if number % 2 == 0 { "/**" } else { "" };
        let path = format!("/api/v{}/resource{number}{stars}", number % 3);
        text.push_str(&format!("[[routes]]\npath = \"{path}\"\nupstream = \"shop\"\n"));
    }
    config::parse("gateway.toml", &text, Path::new("."), &|_| None).unwrap()
}
