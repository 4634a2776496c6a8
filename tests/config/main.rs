//! What `gateway.toml` promises, read through [`wxgate::config::parse`] and [`wxgate::config::load`].

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests stand outside of them")]

mod assertions;
mod every_key;
mod listeners;
mod places;
mod routes;
mod rules;
mod secrets;
mod sessions;
mod traces;
mod values;

use std::path::Path;

use wxgate::config::{self, Problems, Settings};

/// The smallest useful file, without the routes.
const SHOP: &str = r#"
[apps.shop]
appid = "wx4f4bc4dec97d474b"
secret = "0123456789abcdef0123456789abcdef"
[upstreams.shop]
servers = ["http://127.0.0.1:3000"]
"#;

/// Its routes.
const ROUTES: &str = r#"
[[routes]]
path = "/wxLogin"
action = "login"
[[routes]]
path = "/api/**"
upstream = "shop"
"#;

/// 32 bytes, as base64.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The smallest useful file after these lines.
fn file(first: &str) -> String {
    format!("{first}\n{SHOP}{ROUTES}")
}

fn parse(text: &str) -> Result<Settings, Problems> {
    config::parse("gateway.toml", text, Path::new(""), &|_| None)
}

#[track_caller]
fn settings(text: &str) -> Settings {
    parse(text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What is wrong with a file, one line for each problem, without its name.
#[track_caller]
fn problems(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(_) => Vec::new(),
        Err(problems) => lines(&problems),
    }
}

fn lines(problems: &Problems) -> Vec<String> {
    let line = |line: &str| line.strip_prefix("gateway.toml:").unwrap_or(line).to_owned();
    problems.to_string().lines().map(line).collect()
}

/// Each text comes before the smallest useful file and has this one problem.
#[track_caller]
fn each_is_refused(cases: &[(&str, &str)]) {
    for (text, message) in cases {
        assert_eq!(problems(&file(text)), [*message], "{text}");
    }
}
