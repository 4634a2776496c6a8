//! The reference as a page.

use serde_json::Value;

use super::Entry;
use super::schema::members;
use crate::config::recording::Kind;

const INTRODUCTION: &str = "\
# Configuration

<!-- Made by `make generate` from the code that reads the file and from gateway.toml. Do not edit. -->

Every key of `gateway.toml`: what its value is, its default where it has one, and what it means. The
[file itself](../gateway.toml) shows them at work; the README explains the features. `wxgate check` says everything that is
wrong with a file, `gateway.schema.json` lets editors say it while you write.

- Durations are `500ms`, `10s`, `5m`, `24h`, `7d`; sizes `512B`, `64KiB`, `10MiB`, `1GiB`; rates `100/s`, `600/min`, `5000/h`.
- In every text `${NAME}` and `${NAME:-default}` are read from the environment; `$${` stands for `${`.
- A secret is given by its key or by the one that ends in `_file`, never by both.
- An unknown key is an error.
";

pub(super) fn of(entries: &[Entry]) -> String {
    let mut page = INTRODUCTION.to_owned();
    for (name, entry) in members("", entries) {
        let path = match (entry.node.list, entry_of_names(name, entries)) {
            (true, _) => format!("{name}[]"),
            (false, Some(path)) => path,
            (false, None) => name.to_owned(),
        };
        let title = match path.as_str() {
            path if path.ends_with("[]") => format!("[[{name}]]"),
            path if path.ends_with(".*") => format!("[{name}.NAME]"),
            _ => format!("[{name}]"),
        };
        page += &format!("\n## `{title}`\n\n");
        if !entry.meaning.is_empty() {
            page += &format!("{}\n\n", sentence(&entry.meaning));
        }
        page += "| key | value | default | meaning |\n|---|---|---|---|\n";
        rows(&mut page, &path, "", entries);
    }
    page
}

fn entry_of_names(name: &str, entries: &[Entry]) -> Option<String> {
    let path = format!("{name}.*");
    entries.iter().any(|entry| entry.node.path == path).then_some(path)
}

/// A row for each key of a table, those of its inline tables behind it.
fn rows(page: &mut String, path: &str, prefix: &str, entries: &[Entry]) {
    for (name, entry) in members(path, entries) {
        let name = format!("{prefix}{name}");
        let later = if entry.node.later { "**Not available yet.** " } else { "" };
        let default = match (&entry.shown, entry.node.required) {
            (_, true) if entry.node.secret => format!("required, or `{name}_file`"),
            (_, true) => "required".to_owned(),
            (Some(shown), _) if entry.is_default => code(shown),
            _ => String::new(),
        };
        let example = match &entry.shown {
            Some(shown) if !entry.is_default && !shown.is_null() && !shown.is_object() => {
                format!(" Example: {}", code(shown))
            }
            _ => String::new(),
        };
        let meaning = format!("{later}{}{example}", sentence(&entry.meaning));
        let cells = [format!("`{name}`"), kind_of(entry, entries), default, meaning];
        *page += &format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
        let inner = entry.node.path.clone();
        rows(page, &inner, &format!("{name}."), entries);
        rows(page, &format!("{inner}[]"), &format!("{name}[]."), entries);
    }
}

/// What its value is, in words.
fn kind_of(entry: &Entry, entries: &[Entry]) -> String {
    let mut words: Vec<_> = entry.node.kinds.iter().map(word).collect();
    let find = |path: String| entries.iter().find(|entry| entry.node.path == path);
    if let Some(named) = find(format!("{}.*", entry.node.path)) {
        words = vec![format!("table: {}", kind_of(named, entries))];
    }
    if entry.node.list {
        let element = find(format!("{}[]", entry.node.path));
        let element = element.map(|element| kind_of(element, entries)).unwrap_or_default();
        words.push(format!("list: {element}"));
    }
    words.join(", or ")
}

fn word(kind: &Kind) -> String {
    match kind {
        Kind::Boolean => "boolean".to_owned(),
        Kind::Choice(names) => {
            names.iter().map(|name| format!("`\"{name}\"`")).collect::<Vec<_>>().join(", ")
        }
        Kind::Integer { least, most } => format!("integer, {least} to {most}"),
        Kind::Number => "number".to_owned(),
        Kind::Table => "table".to_owned(),
        Kind::Text { noun, .. } => (*noun).to_owned(),
    }
}

fn code(value: &Value) -> String {
    format!("`{value}`")
}

/// With a capital letter where it begins with a word, and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let stop = if text.ends_with(['.', ':', '!', '?']) { "" } else { "." };
    let first_word = text.split(' ').next().unwrap_or_default();
    let word = first_word.trim_end_matches([',', ';', ':']);
    match word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
        true => format!("{}{}{stop}", first.to_uppercase(), letters.as_str()),
        false => format!("{text}{stop}"),
    }
}
