//! Whether the value that the commented file shows is the default: the settings are the same with the
//! line and without it.

use std::path::Path;

use super::FILE;
use super::shown::{Line, header, uncommented};
use crate::config::{self, Settings};

/// Lines that are in use besides, since some keys do nothing without them.
const CONTEXTS: [&[&str]; 6] = [
    &[],
    &["fallback_url = \"https://api2.weixin.qq.com\""],
    &["url = \"redis://127.0.0.1\"", "encryption_keys = ", "signing_keys = "],
    &["on_store_outage = \"allow-signed\""],
    &["token_from = [\"cookie:__Host-wxgate\"]"],
    &["endpoint = \"http://collector:4318\""],
];

/// Another app, so that one of them is not all of them.
const OTHERS: &str =
    "\n[apps.other]\nappid = \"wx0000000000000000\"\nsecret = \"${WX_SHOP_SECRET}\"\n";

/// Whether the line shows the default of this key, which is its own or a member of it.
pub(super) fn shows(line: &Line, path: &str) -> bool {
    let Some(text) = FILE.lines().nth(line.index) else { return false };
    if text.contains("${") || header(uncommented(text)).is_some() {
        return false;
    }
    let with = uncommented(text).to_owned();
    let without = match (line.path() == Some(path), path.rsplit('.').next()) {
        (true, _) => String::new(),
        (false, Some(member)) => match without_member(&with, member) {
            Some(without) => without,
            None => return false,
        },
        _ => return false,
    };
    CONTEXTS.iter().any(|context| {
        let read = |replacement: &str| settings(&file(line, replacement, context));
        let (Some(bare), Some(with), Some(without)) = (read(""), read(&with), read(&without))
        else {
            return false;
        };
        // A warning says that it does nothing here.
        let quiet = bare.warnings.list.len();
        with.warnings.list.len() <= quiet
            && without.warnings.list.len() <= quiet
            && shown(with) == shown(without)
    })
}

fn shown(settings: Settings) -> String {
    let (warnings, effective) = (config::Problems::default(), serde_json::Value::Null);
    format!("{:?}", Settings { warnings, effective, ..settings })
}

/// The file with this text in the place of the line, and the context in use.
fn file(line: &Line, replacement: &str, context: &[&str]) -> String {
    let lines = FILE.lines().enumerate().map(|(index, text)| {
        let bare = uncommented(text);
        let is_shared = header(bare).is_some_and(|path| !path.ends_with("[]"));
        let in_table = index >= line.table_index && table_of(index) == line.table_index;
        let is_commented_route =
            in_table && FILE.lines().nth(line.table_index).is_some_and(|it| it.starts_with("# [["));
        let wanted = |wanted: &&&str| {
            bare.starts_with(wanted.split(" = ").next().unwrap_or_default())
                && key_of(bare) == key_of(wanted)
        };
        match context.iter().find(wanted) {
            _ if index == line.index => replacement.to_owned(),
            Some(wanted) if wanted.ends_with(['"', ']']) => (*wanted).to_owned(),
            Some(_) => bare.to_owned(),
            None if is_shared || is_commented_route => bare.to_owned(),
            None => text.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n") + OTHERS
}

fn key_of(line: &str) -> &str {
    line.split(" = ").next().unwrap_or_default()
}

/// The line at which the table of a line begins.
fn table_of(index: usize) -> usize {
    let headers = FILE.lines().enumerate().take(index + 1);
    let headers = headers.filter(|(_, text)| header(uncommented(text)).is_some());
    headers.last().map_or(0, |(index, _)| index)
}

/// A line `key = { a = 1, b = 2 }` without one of the members.
fn without_member(line: &str, member: &str) -> Option<String> {
    let start = line.find(&format!(" {member} = "))?;
    let rest = line.get(start + 1..)?;
    let end = rest.find([',', '}'])?;
    let after = rest.get(end..)?.trim_start_matches(',');
    let before = line.get(..start)?.trim_end_matches(',');
    let separator = if before.ends_with('{') || after.starts_with('}') { " " } else { "," };
    Some(format!("{before}{separator}{after}"))
}

fn settings(text: &str) -> Option<Settings> {
    let environment = |name: &str| {
        Some(match name {
            name if name.ends_with("AES_KEY") => "a".repeat(43),
            name if name.ends_with("KEY") => {
                "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned()
            }
            name if name.starts_with("WX") => "0123456789abcdef0123456789abcdef".to_owned(),
            _ => return None,
        })
    };
    let mut settings = config::parse("gateway.toml", text, Path::new(""), &environment).ok()?;
    // They are random where none are given.
    settings.session.signing_keys.clear();
    settings.store.encryption_keys.clear();
    Some(settings)
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    #[test]
    fn what_is_shown_is_a_default_where_leaving_it_away_changes_nothing() {
        let lines = shown::lines(FILE);
        let is_default = |path: &str| {
            lines
                .iter()
                .any(|line| line.values.iter().any(|(shown, _)| shown == path) && shows(line, path))
        };
        for path in [
            "server.listen",
            "session.idle",
            "session.outage_grace",
            "store.timeout",
            "session.cookie.same_site",
            "wechat.base_url",
            "upstreams.*.retries",
            "upstreams.*.health.interval",
            "limits.body_size",
            "routes[].on_review",
            "identity.openid",
        ] {
            assert!(is_default(path), "{path}");
        }
        for path in [
            "apps.*.appid",
            "upstreams.*.servers",
            "routes[].timeout",
            "routes[].app",
            "store.tls.ca",
            "wechat.proxy",
            "store.username",
            "upstreams.*.health.path",
            "upstreams.*.health",
            "session.cookie",
        ] {
            assert!(!is_default(path), "{path}");
        }
    }
}
