//! Every problem is reported, all of them in one go, each at its exact line and column.

use std::fs;
use std::path::Path;

use wxgate::config::{self, load};

use super::{ROUTES, SHOP, file, parse, problems};

#[test]
fn all_problems_come_in_one_go_each_at_its_place() {
    let text = r#"[server]
listen = ["0.0.0.0:8080", ":9"]
lame_duck = 5
[limits]
header_timout = "10s"
body_idle = "10 parsecs"
[apps.shop]
appid = "wx4f4bc4dec97d474b"
[upstreams.shop]
servers = ["http://127.0.0.1:3000"]
[[routes]]
path = "/wxLogin"
action = "login"
[[routes]]
path = "/api/**"
upstream = "shp"
[[routes]]
path = "/api/**"
upstream = "shop"
"#;
    assert_eq!(
        parse(text).unwrap_err().to_string(),
        r#"gateway.toml:2:27: listen: ":9" is no address to listen on; write "0.0.0.0:9"
gateway.toml:3:13: lame_duck: an integer is no duration; write "500ms", "10s", "5m", "24h" or "7d"
gateway.toml:5:1: unknown key "header_timout" in [limits]; did you mean "header_timeout"?
gateway.toml:6:13: body_idle: "10 parsecs" is no duration; write "500ms", "10s", "5m", "24h" or "7d"
gateway.toml:7:1: "secret" in [apps.shop] is missing; set secret = "${WX_SECRET}" or secret_file = "/path"
gateway.toml:16:12: upstream: "shp" is no upstream of this file; did you mean "shop"?
gateway.toml:18:8: the route in line 15 and this one can both win; take one away, or name its methods or its host"#
    );
}

#[test]
fn columns_count_characters() {
    let text = file(r#"server = { "listen" = ["unix:/微信", "微信"] }"#);
    let expected = r#"1:36: listen: "微信" is no address to listen on; write "0.0.0.0:8080" or "unix:/run/wxgate.sock""#;
    assert_eq!(problems(&text), [expected]);
    let with_mark = format!("\u{feff}{text}");
    assert_eq!(problems(&with_mark), [expected], "a byte order mark is no column");
    let with_carriage_returns = format!("# x\n{text}").replace('\n', "\r\n");
    assert_eq!(problems(&with_carriage_returns), [expected.replacen("1:", "2:", 1)]);
}

#[test]
fn an_element_of_a_list_or_inline_table_has_its_own_place() {
    for (line, place) in [
        (r#"server.listen = ["0.0.0.0:1", { address = 7 }]"#, "1:43: address: an integer is no"),
        (r#"server.listen = [{ adress = "0.0.0.0:1" }]"#, "1:20: unknown key"),
        (r#"identity.claims = { a = "X-A", b = "X B" }"#, "1:36: b: \"X B\" is no header name"),
        (r#"session = { cookie = { name = "a b" } }"#, "1:31: name: \"a b\" is no name"),
        (
            r#"server.trusted_proxies = ["10.0.0.0/8", "10/8"]"#,
            "1:41: trusted_proxies: \"10/8\" is no",
        ),
    ] {
        let found = problems(&file(line));
        assert!(found.iter().any(|found| found.starts_with(place)), "{line}: {found:#?}");
    }
}

#[test]
fn an_unset_variable_is_reported_where_it_stands() {
    let text = file("wechat.base_url = \"https://${HOST}:${PORT}\"");
    assert_eq!(
        problems(&text),
        [
            "1:28: base_url: the environment variable HOST is not set; export HOST=…, or give a default: ${HOST:-…}",
            "1:36: base_url: the environment variable PORT is not set; export PORT=…, or give a default: ${PORT:-…}",
        ]
    );
    assert_eq!(
        problems(&file("wechat.base_url = \"https://${HOST\"")),
        [
            "1:28: base_url: `${` begins no reference to a variable; write ${NAME} or ${NAME:-default}, and $${ for the characters themselves"
        ]
    );
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    for (line, message) in [
        (
            "limit.body_idle = \"1s\"",
            "1:1: unknown table \"limit\" at the top of the file; did you mean \"limits\"?",
        ),
        ("listen = []", "1:1: unknown key \"listen\" at the top of the file; there are "),
        ("server.lisen = []", "1:8: unknown key \"lisen\" in [server]; did you mean \"listen\"?"),
        ("admin.tokne = \"x\"", "1:7: unknown key \"tokne\" in [admin]; did you mean \"token\"?"),
        (
            "wechat.base-url = \"x\"",
            "1:8: unknown key \"base-url\" in [wechat]; did you mean \"base_url\"?",
        ),
        ("store.URL = \"x\"", "1:7: unknown key \"URL\" in [store]; did you mean \"url\"?"),
        (
            "session.revokation = \"x\"",
            "1:9: unknown key \"revokation\" in [session]; did you mean \"revocation\"?",
        ),
        (
            "session.cookie = { name = \"__Host-a\", samesite = \"lax\" }",
            "1:39: unknown key \"samesite\" in [session.cookie]; did you mean \"same_site\"?",
        ),
        (
            "identity.open_id = \"x\"",
            "1:10: unknown key \"open_id\" in [identity]; did you mean \"openid\"?",
        ),
        (
            "apps.a.app_id = \"x\"",
            "1:8: unknown key \"app_id\" in [apps.a]; did you mean \"appid\"?",
        ),
        (
            "upstreams.a.server = \"x\"",
            "1:13: unknown key \"server\" in [upstreams.a]; did you mean \"servers\"?",
        ),
        (
            "limits.bodysize = \"x\"",
            "1:8: unknown key \"bodysize\" in [limits]; did you mean \"body_size\"?",
        ),
        (
            "routes = [{ path = \"/\", upstreem = \"shop\" }]",
            "1:25: unknown key \"upstreem\" in [[routes]]; did you mean \"upstream\"?",
        ),
        (
            "server.zzzzzzzz = 1",
            "1:8: unknown key \"zzzzzzzz\" in [server]; there are \"listen\", ",
        ),
    ] {
        let text = format!("{line}\n{}", if line.contains("routes") { SHOP } else { "" });
        let found = problems(&text);
        assert!(found.iter().any(|found| found.starts_with(message)), "{line}: {found:#?}");
    }
}

#[test]
fn a_value_of_another_type_is_named_by_its_type() {
    for (line, message) in [
        ("server = 1", "1:1: server: an integer is no table; write [server]"),
        (
            "server.listen = \"0.0.0.0:1\"",
            "1:17: listen: a string is no list; write it in brackets: [\"…\", \"…\"]",
        ),
        ("server.h2c = \"yes\"", "1:14: h2c: a string is no boolean; write true or false"),
        (
            "server.workers = \"4\"",
            "1:18: workers: a string is no whole number; write a number without quotes",
        ),
        (
            "server.workers = 4.5",
            "1:18: workers: a float is no whole number; write a number without quotes",
        ),
        ("server.workers = -1", "1:18: workers: -1 is not from 0 to 1024"),
        (
            "wechat.timeout = 3",
            "1:18: timeout: an integer is no duration; write \"500ms\", \"10s\", \"5m\", \"24h\" or \"7d\"",
        ),
        (
            "limits.body_size = 10",
            "1:20: body_size: an integer is no size; write \"512B\", \"64KiB\", \"10MiB\" or \"1GiB\"",
        ),
        ("store.key_prefix = []", "1:20: key_prefix: an array is no string; write it in quotes"),
        (
            "session.cookie = \"x\"",
            "1:18: cookie: a string is no table; write it in braces: { key = … }",
        ),
    ] {
        assert_eq!(problems(&file(line)), [message], "{line}");
    }
}

#[test]
fn broken_toml_is_reported_at_every_place_and_never_quoted() {
    let text = "[server\nworkers = 1\n\n[admin]\ntoken = hunter2\ntoken = \"x\"\n[limits]\nkeepalive = \"hunter2\n";
    let found = problems(text);
    let places: Vec<_> = found.iter().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(places, ["1:8", "5:9", "6:1", "8:21"], "{found:#?}");
    assert!(!found.concat().contains("hunter2"), "{found:#?}");
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    let message = |path: &Path| load(path, &|_| None).unwrap_err().to_string();
    let prefix = path.display().to_string();
    assert_eq!(
        message(&path),
        format!(
            "{prefix}: cannot be read: No such file or directory (os error 2); name the configuration with --config FILE"
        )
    );
    fs::write(&path, b"# \xe5\xbe\xae\n# \xff").unwrap();
    assert_eq!(message(&path), format!("{prefix}:2:3: this is not UTF-8"));
}

#[test]
fn a_file_without_apps_or_routes_is_refused() {
    let no_app = "1:1: there is no [apps.NAME] table, so no Mini Program to serve; write one with `appid` and `secret`";
    let no_route = "1:1: there are no [[routes]]: every request would be answered 404; write one with `path`, and `action` or `upstream`";
    assert_eq!(problems(""), [no_route, no_app]);
    assert_eq!(problems(SHOP), [no_route]);
    assert_eq!(
        problems(&format!("routes = []\n{SHOP}")),
        ["1:10: routes: an array is empty; leave the key out for its default"]
    );
    assert_eq!(problems(&format!("{SHOP}{ROUTES}")), [] as [&str; 0]);
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text: String) {
        let _ = parse(&text);
    }

    #[test]
    fn no_toml_panics(text in "([\\[\\]{}=.,\"'\\\\#\\n $é]|server|listen|apps|a|secret|routes|path|/x|true|1|0x){0,40}") {
        let _ = parse(&text);
    }

    /// The reference file with some of its characters taken away or doubled.
    #[test]
    fn no_damage_panics(damage in proptest::collection::vec((0.0..1.0_f64, 0..40_usize, ".{0,3}"), 1..4)) {
        let mut text: Vec<char> = include_str!("../../gateway.toml").chars().collect();
        for (place, length, instead) in damage {
            let start = (place * text.len() as f64) as usize;
            let end = (start + length).min(text.len());
            text.splice(start..end, instead.chars());
        }
        let text: String = text.into_iter().collect();
        let _ = config::parse("gateway.toml", &text, Path::new(""), &|_| Some("x".to_owned()));
    }
}
