//! The reference `gateway.toml` at the top of the repository and the code know the same keys.

use std::path::Path;

use wxgate::config::{self, Problems, Settings};

use super::assertions::ED25519;
use super::{KEY, SHOP, file, lines};

const REFERENCE: &str = include_str!("../../gateway.toml");
const NOT_YET: &str = "is not available yet";

fn parse(text: &str) -> Result<Settings, Problems> {
    config::parse("gateway.toml", text, Path::new(""), &|name| {
        Some(match name {
            "WX_SHOP_SECRET" => "0123456789abcdef0123456789abcdef".to_owned(),
            "WX_SHOP_AES_KEY" => "a".repeat(43),
            "WX_SHOP_PUSH_TOKEN"
            | "WXGATE_ADMIN_TOKEN"
            | "WXGATE_EXT_AUTHZ_TOKEN"
            | "WXGATE_OTLP_TOKEN"
            | "WXGATE_REDIS_PASSWORD"
            | "WXGATE_SENTINEL_PASSWORD" => "x".to_owned(),
            "WXGATE_ASSERTION_KEY" => ED25519.to_owned(),
            "WX_SHOP_API_KEY" | "WXGATE_STORE_KEY" | "WXGATE_SIGNING_KEY" => KEY.to_owned(),
            _ => return None,
        })
    })
}

/// The file with every key that is commented out, where `keep` says so.
fn uncommented(keep: impl Fn(&str) -> bool) -> String {
    let line = |line: &'static str| match line.strip_prefix("# ") {
        Some(bare) if (is_key(bare) || bare.starts_with('[')) && keep(bare) => bare,
        _ => line,
    };
    REFERENCE.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn is_key(line: &str) -> bool {
    let name = line.split(" = ").next().unwrap_or_default();
    name != line && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// The files would have to be there, and the server one of https.
fn names_certificates(line: &str) -> bool {
    line.starts_with("tls = { server_name") || line.starts_with("tls = { cert = \"tls.crt\"")
}

fn is_twin(line: &str) -> bool {
    line.split(" = ").next().is_some_and(|name| name.ends_with("_file"))
}

#[test]
fn the_reference_file_loads_as_it_stands() {
    let settings = parse(REFERENCE).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(settings.apps[0].name, "shop");
    assert_eq!(settings.routes.len(), 6);
    assert_eq!(lines(&settings.warnings), [] as [&str; 0]);
}

#[test]
fn a_missing_variable_says_what_to_export() {
    let problems = config::parse("gateway.toml", REFERENCE, Path::new(""), &|_| None).unwrap_err();
    let line = 1 + REFERENCE.lines().position(|line| line.starts_with("secret = ")).unwrap();
    assert_eq!(
        problems.to_string(),
        format!(
            "gateway.toml:{line}:11: secret: the environment variable WX_SHOP_SECRET is not set; \
             export WX_SHOP_SECRET=…, or name a file that holds it in secret_file"
        )
    );
}

/// Every key is known; what says (not yet) is refused as such, and nothing else is refused.
#[test]
fn every_commented_key_is_known_and_only_what_says_so_is_not_available() {
    let text = uncommented(|line| !is_twin(line) && !names_certificates(line));
    let problems = parse(&text).unwrap_err();
    let refused: Vec<_> = problems.list.iter().map(|problem| problem.line).collect();
    for problem in &problems.list {
        assert!(problem.message.contains(NOT_YET), "{}: {problem}", problem.line);
    }
    for (number, line) in (1..).zip(text.lines()) {
        // A default with other values that come later.
        let by_value = ["url"];
        let says_so = line.contains("(not yet)")
            && !line.starts_with('#')
            && !by_value.iter().any(|key| line.starts_with(&format!("{key} = ")));
        assert_eq!(refused.contains(&number), says_so, "line {number}: {line}\n{problems}");
    }
}

#[test]
fn every_twin_is_known() {
    let text = uncommented(|line| is_twin(line) || line.starts_with('['));
    let twins = text.lines().filter(|line| is_twin(line)).count();
    assert!(twins >= 4);
    let Err(problems) = parse(&text) else { return };
    let unknown = problems.list.iter().filter(|problem| problem.message.contains("unknown"));
    assert_eq!(unknown.count(), 0, "{problems}");
}

/// A commented key shows its default.
#[test]
fn the_defaults_are_those_that_the_file_shows() {
    let example = [
        "admin.token",
        "env = \"prod\"",
        "proxy = ",
        "claims",
        "cookie",
        "pass_headers",
        "tls = { server_name",
        "tls = { cert = \"tls.crt\"",
        "health",
        "endpoint",
    ];
    let shown = uncommented(|line| {
        let is_example = example.iter().any(|example| line.starts_with(example));
        let is_header = line.starts_with('[') && !line.starts_with("[[");
        let is_variable = line.contains("${");
        is_header
            || is_key(line)
                && !is_example
                && !is_twin(line)
                && !is_variable
                && !line.contains("(not yet)")
    });
    // What the routes show are examples.
    let (tables, _) = shown.split_once("\n[[routes]]").unwrap();
    let (_, routes) = REFERENCE.split_once("\n[[routes]]").unwrap();
    let shown = parse(&format!("{tables}\n[[routes]]{routes}")).unwrap_or_else(|p| panic!("{p}"));
    let default = parse(REFERENCE).unwrap();
    assert_eq!(format!("{:?}", shown.server), format!("{:?}", default.server));
    assert_eq!(format!("{:?}", shown.admin), format!("{:?}", default.admin));
    assert_eq!(shown.log, default.log);
    assert_eq!(format!("{:?}", shown.wechat), format!("{:?}", default.wechat));
    assert_eq!(format!("{:?}", shown.store), format!("{:?}", default.store));
    assert_eq!(format!("{:?}", shown.identity), format!("{:?}", default.identity));
    assert_eq!(format!("{:?}", shown.upstreams), format!("{:?}", default.upstreams));
    assert_eq!(format!("{:?}", shown.limits), format!("{:?}", default.limits));
    assert_eq!(format!("{:?}", shown.session), format!("{:?}", default.session));
}

/// The features of later issues, each with a use that is right in itself.
#[test]
fn what_comes_later_is_checked_and_refused() {
    let app =
        |line: &str| format!("[apps.b]\nappid = \"wx0000000000000000\"\nsecret = \"x\"\n{line}");
    let route = |line: &str| format!("[[routes]]\npath = \"/x\"\nupstream = \"shop\"\n{line}");
    let lines = [
        (
            app("push = { token = \"x\", encoding_aes_key_file = \"/nowhere\" }"),
            "4:1: \"push\" in [apps.b]",
        ),
        (app("api_security = { symmetric_sn = \"x\" }"), "4:1: \"api_security\" in [apps.b]"),
        (route("action = \"push\""), "4:10: action: \"push\""),
    ];
    for (text, place) in lines {
        let routes_first = if text.contains("[[routes]]") { SHOP.to_owned() } else { file("") };
        let found = super::problems(&format!("{text}\n{routes_first}"));
        let refused = found.iter().any(|found| found.starts_with(place) && found.contains(NOT_YET));
        assert!(refused, "{text}: {found:#?}");
    }
}
