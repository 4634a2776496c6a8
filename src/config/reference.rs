//! The reference of `gateway.toml`: a JSON Schema, and a page for people.
//!
//! Which keys there are and what they take is recorded from the reader. What they mean stands in the
//! `gateway.toml` at the top of the repository, beside each key; of the keys of inline tables in
//! `meanings`. Whether the value shown there is the default is found out by leaving the key away.

mod default;
mod markdown;
mod meanings;
mod schema;
mod shown;

use serde_json::Value;

use super::recording::Node;

/// The commented file.
const FILE: &str = include_str!("../../gateway.toml");

/// A key with everything that is to be said of it.
#[derive(Debug)]
struct Entry {
    node: Node,
    /// What it means; empty where nothing says so.
    meaning: String,
    /// The value that the file shows.
    shown: Option<Value>,
    /// Whether that is the default.
    is_default: bool,
}

/// The JSON Schema (2020-12) of the file.
pub fn schema() -> Value {
    schema::of(&entries())
}

/// The page for people, in Markdown.
pub fn markdown() -> String {
    markdown::of(&entries())
}

/// What is missing or too much: keys that nothing is said of, and sayings of keys that there are not.
pub fn gaps() -> Vec<String> {
    let entries = entries();
    let has_meaning = |entry: &&Entry| {
        !entry.meaning.is_empty() || entry.node.path.ends_with("[]") || is_name(&entry.node.path)
    };
    let silent = entries.iter().filter(|entry| !has_meaning(entry));
    let silent = silent.map(|entry| {
        let path = &entry.node.path;
        format!(
            "nothing says what {path} means: say it beside it in gateway.toml, or in \
             src/config/reference/meanings.rs"
        )
    });
    let is_known = |path: &str| entries.iter().any(|entry| entry.node.path == path);
    let shown = shown::lines(FILE).into_iter().flat_map(|line| line.values);
    let shown = shown.map(|(path, _)| path);
    let told = meanings::MEANINGS.iter().map(|(path, _)| (*path).to_owned());
    let unknown = shown.chain(told).filter(|path| !is_known(path) && !is_in_map(path, &entries));
    silent.chain(unknown.map(|path| format!("there is no key {path}"))).collect()
}

/// Whether the path ends in a name of the user's.
fn is_name(path: &str) -> bool {
    path.ends_with(".*")
}

/// Whether it is an entry of a table whose keys are the user's.
fn is_in_map(path: &str, entries: &[Entry]) -> bool {
    let map = path.rsplit_once('.').map(|(table, _)| format!("{table}.*"));
    map.is_some_and(|map| entries.iter().any(|entry| entry.node.path == map))
}

fn entries() -> Vec<Entry> {
    let lines = shown::lines(FILE);
    let mut nodes = super::every_key();
    // In the order of the file; what it does not show stands behind.
    let place = |node: &Node| {
        let shows = |line: &&shown::Line| line.values.iter().any(|(path, _)| *path == node.path);
        lines.iter().find(shows).map_or(usize::MAX, |line| line.index)
    };
    nodes.sort_by_key(place);
    let twins: Vec<_> =
        nodes.iter().filter(|node| node.secret).map(|node| format!("{}_file", node.path)).collect();
    nodes.into_iter().map(|node| entry(node, &lines, &twins)).collect()
}

fn entry(node: Node, lines: &[shown::Line], twins: &[String]) -> Entry {
    let comments = lines.iter().filter(|line| line.path() == Some(node.path.as_str()));
    let comment = comments.map(|line| line.comment.as_str()).find(|text| !text.is_empty());
    let meaning = match (meanings::of(&node.path), twins.contains(&node.path)) {
        (Some(meaning), _) => meaning.to_owned(),
        (None, true) => of_twin(&node),
        (None, false) => comment.unwrap_or_default().to_owned(),
    };
    let shown: Vec<_> = lines
        .iter()
        .flat_map(|line| line.values.iter().map(move |(path, value)| (line, path, value)))
        .filter(|(_, path, _)| **path == node.path)
        .collect();
    let default = shown.iter().find(|(line, ..)| default::shows(line, &node.path));
    let is_default = default.is_some();
    let shown = default.or_else(|| shown.first()).map(|(.., value)| (*value).clone());
    Entry { meaning, shown, is_default, node }
}

/// What every key means whose name ends in `_file` and that has a secret beside it.
fn of_twin(node: &Node) -> String {
    let name = node.path.rsplit('.').next().and_then(|name| name.strip_suffix("_file"));
    let name = name.unwrap_or_default();
    match node.list {
        true => format!("the path of a file that holds one of `{name}`, or a list of such paths"),
        false => format!("the path of a file that holds `{name}`"),
    }
}
