//! `wxgate explain`, and that what it says is what is done.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::dev::Dev;
use crate::{Folder, SHOP, wxgate};

const ROUTES: &str = r#"
[[routes]]
path = "/**"
upstream = "shop"

[[routes]]
path = "/api/v2/**"
upstream = "shop"
rewrite = "/v2/**"
timeout = "5s"
request_headers = { set = { X-Env = "prod" }, remove = ["X-Debug"] }

[[routes]]
path = "/api/v2/items"
methods = ["POST"]
upstream = "shop"

[[routes]]
path = "/API/v2/**"
upstream = "shop"
auth = "none"

[[routes]]
path = "/api/v2/**"
host = "b.example"
upstream = "shop"
"#;

fn explain(arguments: &[&str]) -> Value {
    let text = format!("{SHOP}{ROUTES}");
    let ended = wxgate(&text, &[&["explain", "--json"], arguments].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.json()
}

#[test]
fn it_says_which_route_wins_and_why() {
    let said = explain(&["GET", "/api/v2/items"]);
    assert_eq!(said["route"]["path"], "/api/v2/**");
    let considered = said["considered"].as_array().unwrap();
    let fits: Vec<_> = considered
        .iter()
        .map(|it| (it["path"].as_str().unwrap(), it["fit"].as_str().unwrap()))
        .collect();
    let expected = [
        ("/api/v2/items", "other_method"),
        ("/api/v2/**", "other_host"),
        ("/api/v2/**", "wins"),
        ("/API/v2/**", "other_spelling"),
        ("/api/**", "less_specific"),
        ("/**", "less_specific"),
    ];
    let mut sorted = fits.clone();
    sorted.sort_unstable();
    let mut wanted = expected.to_vec();
    wanted.sort_unstable();
    assert_eq!(sorted, wanted, "{fits:?}");
    let why = |path: &str| {
        considered.iter().find(|it| it["path"] == path).unwrap()["why"].as_str().unwrap()
    };
    assert_eq!(why("/api/v2/items"), "is for POST");
    assert_eq!(why("/**"), "fits, but a longer prefix comes before a shorter one");
}

#[test]
fn it_says_what_the_upstream_gets() {
    let headers = ["--header", "X-WX-OPENID: mallory", "--header", "X_Legacy: 1"];
    let more = ["--header", "X-Debug: 1", "--header", "Connection: X-Hop", "--header", "X-Hop: 1"];
    let request = ["GET", "/api//v2/x?a=1", "--host", "shop.example.com:443"];
    let said = explain(&[&request[..], &headers, &more].concat());
    assert_eq!(said["path"], "/api/v2/x");
    let upstream = &said["upstream"];
    assert_eq!(upstream["target"], "/v2/x?a=1");
    assert_eq!(
        (&upstream["timeout_ms"], &upstream["connect_timeout_ms"]),
        (&json!(5_000), &json!(1_000))
    );
    assert_eq!(upstream["headers"]["host"], json!(["shop.example.com:443"]));
    assert_eq!(upstream["headers"]["x-env"], json!(["prod"]));
    assert_eq!(upstream["headers"]["x-wx-openid"], json!(["<openid>"]));
    assert_eq!(upstream["headers"]["x-wx-appid"], json!(["wx0123456789abcdef"]));
    assert_eq!(upstream["headers"]["x-real-ip"], json!(["192.0.2.1"]));
    let removed = upstream["removed"].as_array().unwrap();
    let why = |name: &str| {
        let entry = removed.iter().find(|it| it["name"] == name);
        entry.unwrap_or_else(|| panic!("{name}: {removed:?}"))["why"].as_str().unwrap()
    };
    assert_eq!(why("x-wx-openid"), "only the gateway may say it");
    assert!(why("x_legacy").starts_with("many servers read `_` and `.` as `-`"));
    assert_eq!(why("x-hop"), "it is for this connection only");
    assert!(why("x-debug").contains("the route"));
}

#[test]
fn a_refusal_is_said_with_its_code() {
    let both = ["--header", "Content-Length: 1", "--header", "Transfer-Encoding: chunked"];
    let large = ["--header", "Content-Length: 99999999"];
    let token = ["--header", "Authorization: Bearer a.b.c"];
    let tokens = [&token[..], &["--header", "X-WX-Skey: a"]].concat();
    for (request, code, note) in [
        (vec!["GET", "/api/%2e%2e/x"], "bad_request", "the path is ambiguous"),
        (vec!["GET", "/a b"], "bad_request", "three parts"),
        (vec!["GET", "api"], "bad_request", "origin-form"),
        ([&["POST", "/api/x"][..], &both].concat(), "bad_request", "where the body ends"),
        ([&["POST", "/api/x"][..], &large].concat(), "body_too_large", ""),
        ([&["GET", "/api/x"][..], &token].concat(), "token_invalid", "wxgate token inspect"),
        ([&["GET", "/api/x"][..], &tokens].concat(), "bad_request", "more than one token"),
        (vec!["TRACE", "/"], "method_not_allowed", ""),
        (vec!["GET", "/wxlogin"], "no_route", ""),
    ] {
        let said = explain(&request);
        assert_eq!(said["refusal"]["code"], code, "{request:?}: {said:#}");
        let said = said["refusal"]["note"].as_str().unwrap_or_default();
        assert!(said.contains(note), "{request:?}: {said}");
    }
}

#[test]
fn a_trusted_proxys_word_counts() {
    let text = format!("[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\n{SHOP}");
    let forwarded = ["--header", "X-Forwarded-For: 203.0.113.9", "--json"];
    for (from, client) in [("10.0.0.7", "203.0.113.9"), ("192.0.2.1", "192.0.2.1")] {
        let request = ["explain", "GET", "/api/x", "--from", from];
        let said = wxgate(&text, &[&request[..], &forwarded].concat()).json();
        assert_eq!(said["upstream"]["headers"]["x-real-ip"], json!([client]));
    }
}

#[test]
fn people_are_told_in_words() {
    let ended = wxgate(SHOP, &["explain", "GET", "/api/x", "--header", "X-WX-OPENID: mallory"]);
    for words in [
        "route      /api/** (proxy to shop)\n",
        "token      required; without one the answer is 401 token_missing\n",
        "upstream   shop at http://127.0.0.1:3000\n",
        "gets       GET /api/x\n",
        "           + x-wx-openid: <openid>\n",
        "gets not   - x-wx-openid as it came: only the gateway may say it\n",
    ] {
        assert!(ended.stdout.contains(words), "{words}\n{}", ended.stdout);
    }
    let ended = wxgate(SHOP, &["explain", "GET", "/wxLogin"]);
    assert!(ended.stdout.contains("answer     the gateway's own: action login\n"), "{ended:?}");
    let ended = wxgate(SHOP, &["explain", "GET", "/x"]);
    assert!(ended.stdout.contains("answer     404 no_route"), "{ended:?}");
}

/// A signed one could be taken for good by whoever finds it.
#[test]
fn an_assertion_is_told_in_words_and_not_signed() {
    let pem = wxgate(SHOP, &["keys", "generate", "--signing", "ed25519"]).stdout;
    let folder =
        Folder::with("gateway.toml", &format!("identity.assertion.keys = [\"${{KEY}}\"]\n{SHOP}"));
    let explain = |request: &[&str]| {
        let arguments = [&["explain", "--json"][..], request].concat();
        folder.run_with(&arguments, &[("KEY", pem.trim())], "").json()
    };
    let said = explain(&["GET", "/api/x", "--header", "X_WX_Assertion: forged"]);
    let told = said["upstream"]["headers"]["x-wx-assertion"][0].as_str().unwrap().to_owned();
    assert!(told.starts_with("<a JWT for \"shop\", signed by the key "), "{told}");
    assert_eq!(said["upstream"]["removed"][0]["name"], "x_wx_assertion");
    let folder = Folder::with("gateway.toml", &format!("identity.assertion = {{}}\n{SHOP}"));
    let ended = folder.run(&["explain", "GET", "/api/x"]);
    let line =
        "           + x-wx-assertion: <a JWT for \"shop\", signed by a key made at the start>\n";
    assert!(ended.stdout.contains(line), "{ended:?}");
}

/// The same head, once sent through a gateway that runs, and once explained.
#[test]
fn what_is_explained_is_what_is_done() {
    let dev = Dev::start();
    let code = Dev::get(&dev.simulator, "/simulator/code?user=alice", "");
    let answer = Dev::get(&dev.gateway, &format!("/wxLogin?code={}", code.trim()), "");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let token = answer["token"].as_str().unwrap();
    let fields = [
        ("x-wx-openid", "mallory"),
        ("x-forwarded-for", "203.0.113.9"),
        ("x_legacy", "1"),
        ("x-kept", "1"),
        ("te", "trailers"),
        ("cookie", "a=1"),
        ("x-http-method-override", "DELETE"),
    ];
    let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let sent = Dev::get(
        &dev.gateway,
        "/api//hello/?b=2",
        &format!("{lines}Authorization: Bearer {token}\r\n"),
    );
    let sent: Value = serde_json::from_str(&sent).unwrap_or_else(|_| panic!("{sent}"));

    let folder = Folder::with("gateway.toml", include_str!("../../src/cli/dev/gateway.toml"));
    let mut request = vec!["explain", "GET", "/api//hello/?b=2", "--json", "--from", "127.0.0.1"];
    request.extend(["--host", &dev.gateway, "--header", "connection: close"]);
    let headers: Vec<_> = fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    headers.iter().for_each(|header| request.extend(["--header", header]));
    let said = folder.run_with(&request, &[("ECHO", "http://127.0.0.1:1")], "").json();

    let told = &said["upstream"];
    let (path, query) = told["target"].as_str().unwrap().split_once('?').unwrap();
    assert_eq!((sent["path"].as_str().unwrap(), sent["query"].as_str().unwrap()), (path, query));
    let headers = |all: &Value| -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().or(value[0].as_str()).unwrap().to_owned();
        all.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
    };
    let (sent, mut told) = (headers(&sent["headers"]), headers(&told["headers"]));
    // Alice has none.
    assert_eq!(told.remove("x-wx-unionid").unwrap(), "<unionid, if any>");
    assert_eq!(sent.keys().collect::<Vec<_>>(), told.keys().collect::<Vec<_>>());
    for (name, value) in told.iter().filter(|(_, value)| !value.starts_with('<')) {
        assert_eq!(sent[name], *value, "{name}");
    }
}
