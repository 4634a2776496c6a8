//! The configuration as it holds, for whoever runs the gateway: what the file says, with the values of
//! variables in it, and the defaults of the rest. No secret: what is read as one is `***`, and so are the
//! user and password of a URL and the values of headers that are set, which are often keys of APIs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::Environment;
use super::variables::expand;

const HIDDEN: &str = "***";

/// What was asked for while the file was read.
#[derive(Default)]
pub(super) struct Asked {
    /// The paths of secrets.
    pub(super) secrets: BTreeSet<String>,
    /// Defaults of keys that are not given, by their paths.
    pub(super) defaults: BTreeMap<String, Value>,
}

/// The whole file as JSON.
pub(super) fn effective(
    document: &DeTable<'_>,
    asked: &Asked,
    environment: Environment<'_>,
) -> Value {
    let mut shown = table("", document, asked, environment);
    for (path, default) in &asked.defaults {
        // Routes are shown as they are written: there are many, and a path does not tell them apart.
        if !path.starts_with("routes.") {
            put(&mut shown, path, default);
        }
    }
    Value::Object(shown)
}

/// A default as the file would have it; none where it is no single value.
pub(super) fn default(debug: &str, spellings: &[(String, String)]) -> Option<Value> {
    // The names of headers.
    let debug = debug.trim_matches('"');
    if let Some((_, name)) = spellings.iter().find(|(known, _)| known == debug) {
        return Some(name.as_str().into());
    }
    match debug {
        _ if debug.contains(['{', '[', '(']) => None,
        "true" | "false" => Some((debug == "true").into()),
        text => {
            let number = text.parse::<u64>().map(Value::from);
            let number = number.or_else(|_| text.parse::<f64>().map(Value::from));
            Some(number.unwrap_or_else(|_| text.into()))
        }
    }
}

fn table(
    path: &str,
    table: &DeTable<'_>,
    asked: &Asked,
    environment: Environment<'_>,
) -> Map<String, Value> {
    let entry =
        |(key, value): (&toml::Spanned<toml::de::DeString<'_>>, &toml::Spanned<DeValue<'_>>)| {
            let name = key.get_ref().to_string();
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let shown = show(&path, value.get_ref(), asked, environment);
            (name, shown)
        };
    table.iter().map(entry).collect()
}

fn show(path: &str, value: &DeValue<'_>, asked: &Asked, environment: Environment<'_>) -> Value {
    let is_header = path.starts_with("routes.") && path.contains("_headers.set.")
        || path.starts_with("traces.headers.");
    if asked.secrets.contains(path) || is_header {
        return HIDDEN.into();
    }
    match value {
        DeValue::String(text) => {
            let text = expand(text, environment).unwrap_or_else(|_| HIDDEN.to_owned());
            let text = without_userinfo(&text);
            // Collectors exist that have their token there.
            if path == "traces.endpoint" { without_path(&text) } else { text }.into()
        }
        DeValue::Boolean(boolean) => (*boolean).into(),
        DeValue::Integer(digits) => {
            let text = digits.to_string();
            text.parse::<i64>().map_or_else(|_| text.into(), Value::from)
        }
        DeValue::Array(items) => {
            items.iter().map(|item| show(path, item.get_ref(), asked, environment)).collect()
        }
        DeValue::Table(inner) => Value::Object(table(path, inner, asked, environment)),
        DeValue::Float(float) => float.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        // No key takes one.
        DeValue::Datetime(_) => Value::Null,
    }
}

/// A URL without its user and password.
fn without_userinfo(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((userinfo, _)) => {
            let rest = rest.get(userinfo.len()..).unwrap_or_default();
            format!("{scheme}://{HIDDEN}{rest}")
        }
        None => text.to_owned(),
    }
}

/// A URL without what is behind its host and port.
fn without_path(text: &str) -> String {
    let host = text.find("://").map_or(0, |end| end + 3);
    let path = text.get(host..).and_then(|rest| rest.find(['/', '?', '#']));
    match path.and_then(|path| text.split_at_checked(host + path)) {
        Some((origin, path)) if path != "/" => format!("{origin}/{HIDDEN}"),
        _ => text.to_owned(),
    }
}

/// Puts a default in its place, where nothing else is.
fn put(shown: &mut Map<String, Value>, path: &str, default: &Value) {
    match path.split_once('.') {
        None => drop(shown.entry(path).or_insert_with(|| default.clone())),
        Some((name, rest)) => {
            let inner = shown.entry(name).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, default);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_loses_user_and_password() {
        for (text, shown) in [
            ("redis://user:p%40ss@host:1/2", "redis://***@host:1/2"),
            ("redis://:p@ss@host", "redis://***@host"),
            ("http://host/a@b", "http://host/a@b"),
            ("no url @ all", "no url @ all"),
        ] {
            assert_eq!(without_userinfo(text), shown);
        }
    }

    #[test]
    fn a_url_loses_its_path() {
        for (text, shown) in [
            ("https://host:1/hunter2/v1?x#y", "https://host:1/***"),
            ("https://host?hunter2", "https://host/***"),
            ("https://host/", "https://host/"),
            ("https://host", "https://host"),
            ("***", "***"),
        ] {
            assert_eq!(without_path(text), shown);
        }
    }

    #[test]
    fn defaults_are_spelled_as_in_the_file() {
        let spellings = [("RoundRobin".to_owned(), "round-robin".to_owned())];
        assert_eq!(default("RoundRobin", &spellings), Some("round-robin".into()));
        assert_eq!(default("5s", &[]), Some("5s".into()));
        assert_eq!(default("\"x-wx-openid\"", &[]), Some("x-wx-openid".into()));
        assert_eq!(default("256", &[]), Some(256.into()));
        assert_eq!(default("true", &[]), Some(true.into()));
        assert_eq!(default("Eject { failures: 5 }", &[]), None);
    }
}
