//! The documents say what the program does: their shell blocks run, their configurations load, and no
//! code, errcode, dependency or test that they should name is missing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows them in tests, and this is what helps the tests"
)]

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use wxgate::config;
use wxgate::refusal::{Reason, TABLE};
use wxgate::telemetry::metrics::METRICS;
use wxgate::wechat::errcode::{self, Api};

const README: &str = include_str!("../README.md");
const README_ZH: &str = include_str!("../README.zh-CN.md");
const ARCHITECTURE: &str = include_str!("../ARCHITECTURE.md");
const CONTRIBUTING: &str = include_str!("../CONTRIBUTING.md");
const OPERATIONS: &str = include_str!("../docs/operations.md");
const METRICS_PAGE: &str = include_str!("../docs/metrics.md");
const IDENTITY: &str = include_str!("../docs/identity.md");
const LOGS: &str = include_str!("../docs/logs.md");
const MANIFEST: &str = include_str!("../Cargo.toml");

/// Every page with its place, for links.
const PAGES: [(&str, &str); 21] = [
    ("README.md", README),
    ("README.zh-CN.md", README_ZH),
    ("ARCHITECTURE.md", ARCHITECTURE),
    ("CONTRIBUTING.md", CONTRIBUTING),
    ("SECURITY.md", include_str!("../SECURITY.md")),
    ("docs/commands.md", include_str!("../docs/commands.md")),
    ("docs/configuration.md", include_str!("../docs/configuration.md")),
    ("docs/operations.md", OPERATIONS),
    ("docs/performance.md", include_str!("../docs/performance.md")),
    ("docs/security.md", include_str!("../docs/security.md")),
    ("docs/metrics.md", METRICS_PAGE),
    ("docs/logs.md", LOGS),
    ("docs/admin.md", include_str!("../docs/admin.md")),
    ("docs/identity.md", IDENTITY),
    ("docs/integrations/README.md", include_str!("../docs/integrations/README.md")),
    ("docs/integrations/nginx/README.md", include_str!("../docs/integrations/nginx/README.md")),
    ("docs/integrations/haproxy/README.md", include_str!("../docs/integrations/haproxy/README.md")),
    ("docs/integrations/envoy/README.md", include_str!("../docs/integrations/envoy/README.md")),
    ("docs/integrations/traefik/README.md", include_str!("../docs/integrations/traefik/README.md")),
    ("docs/integrations/apisix/README.md", include_str!("../docs/integrations/apisix/README.md")),
    ("docs/integrations/higress/README.md", include_str!("../docs/integrations/higress/README.md")),
];

/// The one of RFC 8037, A.1.
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----";

/// The contents of the fenced blocks of one language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).filter_map(|block| block.split("```").next()).collect()
}

/// The cells of the tables' rows, without their backticks.
fn rows(page: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let line = line.trim_matches('|');
        line.split('|').map(|cell| cell.trim().replace('`', "")).collect()
    };
    page.lines().filter(|line| line.starts_with('|')).map(cells).collect()
}

/// The part of a page below a heading, up to the next one of its level.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = page.find(&format!("\n## {heading}\n")).expect(heading) + 1;
    let rest = &page[start..];
    rest[1..].find("\n## ").map_or(rest, |end| &rest[..end + 1])
}

#[test]
fn every_refusal_is_documented() {
    let readme = rows(section(README, "Errors"));
    let operations = rows(section(OPERATIONS, "Refusals"));
    for entry in &TABLE {
        let status = entry.status.to_string();
        let is_in = |row: &&Vec<String>| row.contains(&entry.code.to_owned());
        let row = readme.iter().find(is_in).unwrap_or_else(|| panic!("README: {}", entry.code));
        assert_eq!(row[0], status, "README: {}", entry.code);
        let row = operations.iter().find(is_in);
        let row = row.unwrap_or_else(|| panic!("operations: {}", entry.code));
        assert_eq!(row[1], status, "operations: {}", entry.code);
        assert_eq!(row[2] == "yes", entry.operator, "operations: {}", entry.code);
    }
}

#[test]
fn no_refusal_is_documented_that_there_is_not() {
    let readme = rows(section(README, "Errors")).into_iter().map(|mut row| row.swap_remove(1));
    let operations = rows(section(OPERATIONS, "Refusals")).into_iter();
    let codes = readme.chain(operations.map(|mut row| row.swap_remove(0)));
    for code in codes.filter(|code| code != "code" && code != "---") {
        assert!(TABLE.iter().any(|entry| entry.code == code), "{code}");
    }
}

#[test]
fn every_errcode_is_documented() {
    const APIS: [Api; 8] = [
        Api::CheckSession,
        Api::Code2Session,
        Api::GetPhoneNumber,
        Api::ImgSecCheck,
        Api::MediaCheckAsync,
        Api::MsgSecCheck,
        Api::ResetUserSessionKey,
        Api::StableToken,
    ];
    let rows = rows(section(OPERATIONS, "WeChat's errcodes"));
    let is_told = |errcode: i64, code: &str| {
        let errcode = errcode.to_string();
        rows.iter().any(|row| row[0].split(", ").any(|told| told == errcode) && row[2] == code)
    };
    for api in APIS {
        for errcode in (-1..100_000).filter(|errcode| *errcode != 0) {
            let reason = errcode::refusal(api, errcode).reason;
            let code = reason.entry().code;
            // What is not known is told in one sentence.
            assert!(
                reason == Reason::WechatBadAnswer || is_told(errcode, code),
                "{errcode} of {} is {code}",
                api.path()
            );
        }
    }
}

#[test]
fn every_metric_is_documented_as_it_is() {
    let rows = rows(section(METRICS_PAGE, "All of them"));
    let rows: Vec<_> = rows.into_iter().skip(2).take(METRICS.len()).collect();
    let told = METRICS.iter().map(|metric| {
        let kind = format!("{:?}", metric.kind).to_lowercase();
        vec![metric.name.to_owned(), kind, metric.labels.join(", "), metric.help.to_owned()]
    });
    assert_eq!(rows, told.collect::<Vec<_>>());
}

#[test]
fn every_field_of_the_access_log_is_documented_in_its_order() {
    let rows = rows(section(LOGS, "The line of a request"));
    let told: Vec<_> = rows.iter().skip(2).map(|row| row[0].as_str()).collect();
    assert_eq!(told, wxgate::telemetry::log::access::FIELDS);
    let example: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(blocks(LOGS, "json")[0]).unwrap();
    let known = wxgate::telemetry::log::access::FIELDS.into_iter();
    let expected: Vec<_> = known.filter(|field| example.contains_key(*field)).collect();
    assert_eq!(example.keys().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn every_dependency_has_its_reason() {
    let table = MANIFEST.split("[dependencies]").nth(1).unwrap().split("[lints.rust]").next();
    let names = table.unwrap().lines().filter_map(|line| line.split_once(" = "));
    let reasons = rows(section(CONTRIBUTING, "Why each dependency is there"));
    let told: Vec<_> = reasons.iter().flat_map(|row| row[0].split(", ")).collect();
    for (name, _) in names {
        assert!(told.iter().any(|told| told.split(' ').next() == Some(name)), "{name}");
    }
}

#[test]
fn every_configuration_loads() {
    let folder = tempfile::tempdir().unwrap();
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    std::fs::write(folder.path().join("key"), key).unwrap();
    std::fs::write(folder.path().join("private.pem"), PRIVATE_KEY).unwrap();
    let environment = |_: &str| Some("0123456789abcdef0123456789abcdef".to_owned());
    let whole = blocks(README, "toml")[0];
    let mut checked = 0;
    for block in
        [README, README_ZH, OPERATIONS, LOGS, IDENTITY].iter().flat_map(|page| blocks(page, "toml"))
    {
        // A part is put behind a whole one.
        let text =
            if block.contains("[apps.") { block.to_owned() } else { format!("{whole}\n{block}") };
        let text: String = text.lines().map(|line| with_file(line) + "\n").collect();
        if let Err(problems) = config::parse("README.md", &text, folder.path(), &environment) {
            panic!("{problems}\nin\n{text}");
        }
        checked += 1;
    }
    assert!(checked >= 5, "{checked}");
}

/// A line in which the file of a secret is one that there is.
fn with_file(line: &str) -> String {
    match line.split_once(" = ") {
        Some(("keys_file", _)) => "keys_file = \"private.pem\"".to_owned(),
        Some((key, _)) if key.ends_with("_file") => format!("{key} = \"key\""),
        _ => line.to_owned(),
    }
}

#[test]
fn every_invariant_names_tests_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = 0;
    for row in rows(section(ARCHITECTURE, "Invariants")).iter().skip(2) {
        for place in row[1].split("; ") {
            let (file, tests) = place.rsplit_once(".rs: ").unwrap_or_else(|| panic!("{place}"));
            let file = file.rsplit(' ').next().unwrap().to_owned() + ".rs";
            let text =
                std::fs::read_to_string(root.join(&file)).unwrap_or_else(|_| panic!("{file}"));
            for test in tests.split(", ") {
                assert!(text.contains(&format!("fn {test}(")), "{test} in {file}");
                named += 1;
            }
        }
    }
    assert!(named > 40, "{named}");
}

#[test]
fn the_acl_user_is_the_one_that_is_tested() {
    let rules = include_str!("redis/connecting.rs").split("RULES: &[&str] = &[").nth(1).unwrap();
    let rules = rules.split("];").next().unwrap().split('"').skip(1).step_by(2);
    let line = rules.collect::<Vec<_>>().join(" ");
    assert!(line.starts_with("~wxgate:* +get ") && OPERATIONS.contains(&line), "{line}");
}

/// Code without its comments, which are in the language of the page.
fn without_comments(block: &str) -> String {
    let code = |line: &str| {
        let comment = ["# ", "// "].iter().filter_map(|mark| line.find(mark)).min();
        comment.map_or(line, |start| &line[..start]).trim_end().to_owned()
    };
    block.lines().map(code).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_chinese_readme_says_what_the_english_one_does() {
    for language in ["sh", "shell", "js", "toml"] {
        let code = |page| blocks(page, language).into_iter().map(without_comments);
        assert!(code(README_ZH).eq(code(README)), "the blocks of {language}");
    }
    // What has no language: titles by their level, and the first cell of each table that is no word.
    let levels = |page: &str| {
        let fenced: Vec<_> = page.split("```").step_by(2).collect();
        let titles = fenced.concat();
        let titles = titles.lines().filter(|line| line.starts_with('#'));
        titles.map(|line| line.split(' ').next().unwrap().len()).collect::<Vec<_>>()
    };
    assert_eq!(levels(README_ZH), levels(README));
    let rows_of = |page: &str| {
        let all = page.lines().filter(|line| line.starts_with("| `") || line.starts_with("| 4"));
        let cell = |line: &str| line.split('|').nth(1).unwrap().replace('、', ", ");
        all.map(cell).collect::<Vec<_>>()
    };
    assert_eq!(rows_of(README_ZH), rows_of(README));
    let codes = |page: &str, title: &str| {
        rows(section(page, title)).into_iter().map(|row| row[1].clone()).collect::<Vec<_>>()
    };
    assert_eq!(codes(README_ZH, "错误"), codes(README, "Errors"));
}

#[test]
fn every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (place, page) in PAGES {
        let folder = root.join(place).parent().unwrap().to_owned();
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root.join(place) } else { folder.join(file) };
            assert!(target.exists(), "{place}: {link}");
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(&target).unwrap();
                let mut headings = text.lines().filter(|line| line.starts_with('#')).map(anchor_of);
                assert!(headings.any(|heading| heading == anchor), "{place}: {link}");
            }
        }
    }
}

/// What a heading is called in a link.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[tokio::test]
async fn the_first_minute_works() {
    for page in [README, README_ZH] {
        let said = run_against_dev(&blocks(page, "sh").concat()).await;
        assert!(
            said.contains(r#""token_type":"Bearer","expires_in":604800,"openid":"o"#),
            "{said}"
        );
        assert!(said.contains(r#""x-wx-openid": "o"#) && !said.contains("mallory"), "{said}");
        assert!(said.contains(r#""code":"token_missing""#), "{said}");
        assert!(!said.contains("authorization"), "{said}");
    }
}

/// Runs a script against a `wxgate dev` on free ports, and gives what it writes.
async fn run_against_dev(script: &str) -> String {
    let any = "127.0.0.1:0";
    let mut dev = Command::new(env!("CARGO_BIN_EXE_wxgate"))
        .args(["dev", "--listen", any, "--simulator", any, "--admin", any])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(dev.stdout.take().unwrap()).lines();
    let mut script = format!("set -eu\ncurl() {{ command curl --noproxy '*' \"$@\"; }}\n{script}");
    for (words, address) in [
        ("the gateway", "http://127.0.0.1:8080"),
        ("the simulator", "http://127.0.0.1:8090"),
        ("health", "http://127.0.0.1:9901"),
    ] {
        let line = loop {
            let line = lines.next_line().await.unwrap().expect("dev says where it is");
            if line.contains(words) {
                break line;
            }
        };
        let there = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        script = script.replace(address, there.trim_end_matches("/readyz"));
    }
    let output = Command::new("sh").args(["-c", &script]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
