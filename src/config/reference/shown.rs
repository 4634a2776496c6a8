//! What the commented `gateway.toml` shows: its keys, their values, and what stands beside them.

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// A continuation of a comment begins with so many spaces.
const FAR: &str = "#          ";

/// One line that shows a key.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Its place in the file, from 0.
    pub(super) index: usize,
    /// The first line of its table.
    pub(super) table_index: usize,
    /// The path of the key and its value; then those of the keys of an inline table.
    pub(super) values: Vec<(String, Value)>,
    /// What stands beside it.
    pub(super) comment: String,
}

impl Line {
    /// The path of the key.
    pub(super) fn path(&self) -> Option<&str> {
        self.values.first().map(|(path, _)| path.as_str())
    }
}

/// Every line that shows a key, commented out or not, and every header of a table.
pub(super) fn lines(file: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let (mut table, mut table_index) = (String::new(), 0);
    for (index, text) in file.lines().enumerate() {
        let bare = uncommented(text);
        if let Some(path) = header(bare) {
            (table, table_index) = (path, index);
            let comment = comment_of(bare.split_once('#').map_or("", |(_, comment)| comment));
            let values = vec![(table.clone(), Value::Null)];
            lines.push(Line { index, table_index, values, comment });
        } else if let Some((name, value, comment)) = key(bare) {
            let path = format!("{table}.{name}");
            let mut values = vec![(path.clone(), value.clone())];
            add_members(&mut values, &path, &value);
            lines.push(Line { index, table_index, values, comment: comment_of(comment) });
        } else if let (Some(more), Some(line)) = (text.strip_prefix(FAR), lines.last_mut()) {
            line.comment = format!("{} {}", line.comment, more.trim());
        }
    }
    lines
}

/// The line as it would stand if it were in use.
pub(super) fn uncommented(line: &str) -> &str {
    line.strip_prefix("# ").unwrap_or(line)
}

/// The path of the table that a line begins.
pub(super) fn header(line: &str) -> Option<String> {
    let name = line.strip_prefix('[')?;
    if let Some(list) = name.strip_prefix('[') {
        return Some(format!("{}[]", list.split_once("]]")?.0));
    }
    let name = name.split_once(']')?.0;
    Some(match name.split_once('.') {
        Some((kind, _)) => format!("{kind}.*"),
        None => name.to_owned(),
    })
}

fn key(line: &str) -> Option<(String, Value, &str)> {
    let (name, _) = line.split_once(" = ")?;
    let is_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(is_key) {
        return None;
    }
    let table = DeTable::parse(line).ok()?;
    let value = table.get_ref().get(name)?;
    let comment = line.get(value.span().end..).unwrap_or_default();
    Some((name.to_owned(), json(value.get_ref()), comment))
}

fn comment_of(text: &str) -> String {
    let text = text.trim().trim_start_matches('#').trim();
    text.strip_prefix("(not yet)").unwrap_or(text).trim_start_matches([',', ';']).trim().to_owned()
}

fn add_members(values: &mut Vec<(String, Value)>, path: &str, value: &Value) {
    let (members, path) = match value {
        Value::Object(members) => (members, path.to_owned()),
        Value::Array(elements) => match elements.first() {
            Some(Value::Object(members)) => (members, format!("{path}[]")),
            _ => return,
        },
        _ => return,
    };
    for (name, value) in members {
        let path = format!("{path}.{name}");
        values.push((path.clone(), value.clone()));
        add_members(values, &path, value);
    }
}

/// A value of the file as JSON.
fn json(value: &DeValue<'_>) -> Value {
    let entry = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
        (key.get_ref().to_string(), json(value.get_ref()))
    };
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => number.as_str().parse::<i64>().ok().into(),
        DeValue::Boolean(boolean) => (*boolean).into(),
        DeValue::Array(values) => values.iter().map(|value| json(value.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(table.iter().map(entry).collect::<Map<_, _>>()),
        DeValue::Float(number) => number.as_str().parse::<f64>().ok().into(),
        DeValue::Datetime(_) => Value::Null,
    }
}
