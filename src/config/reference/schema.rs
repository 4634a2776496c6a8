//! The reference as a JSON Schema, for editors and CI.

use serde_json::{Map, Value, json};

use super::Entry;
use crate::config::quantity::{DURATION, RATE, SIZE};
use crate::config::recording::Kind;

/// A text with a variable in it may become anything.
const VARIABLE: &str = r"\$\{";

pub(super) fn of(entries: &[Entry]) -> Value {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gateway.toml of wxgate",
    });
    merge(&mut schema, table("", entries));
    schema
}

/// The keys of the table at this path.
fn table(path: &str, entries: &[Entry]) -> Value {
    let mut schema = Map::from_iter([("type".to_owned(), json!("object"))]);
    let of_names = format!("{path}.*");
    if let Some(entry) = entries.iter().find(|entry| entry.node.path == of_names) {
        schema.insert("additionalProperties".to_owned(), value(entry, entries));
        return schema.into();
    }
    let members: Vec<_> = members(path, entries).collect();
    let properties =
        members.iter().map(|(name, entry)| ((*name).to_owned(), property(entry, entries)));
    let properties = Value::Object(properties.collect::<Map<_, _>>());
    schema.insert("properties".to_owned(), properties);
    schema.insert("additionalProperties".to_owned(), false.into());
    let required = members.iter().filter(|(_, entry)| entry.node.required);
    let (secrets, plain): (Vec<_>, Vec<_>) = required.partition(|(_, entry)| entry.node.secret);
    if !plain.is_empty() {
        let required = plain.iter().map(|(name, _)| *name).collect();
        schema.insert("required".to_owned(), required);
    }
    if !secrets.is_empty() {
        let one_of_two = |(name, _): &(&str, &Entry)| json!({ "anyOf": [{ "required": [name] }, { "required": [format!("{name}_file")] }] });
        schema.insert("allOf".to_owned(), secrets.iter().map(one_of_two).collect());
    }
    schema.into()
}

/// The keys of the table at this path, with their names.
pub(super) fn members<'a>(
    path: &'a str,
    entries: &'a [Entry],
) -> impl Iterator<Item = (&'a str, &'a Entry)> {
    entries.iter().filter_map(move |entry| {
        let rest = match path {
            "" => entry.node.path.as_str(),
            path => entry.node.path.strip_prefix(path)?.strip_prefix('.')?,
        };
        (!rest.contains(['.', '[', '*'])).then_some((rest, entry))
    })
}

fn property(entry: &Entry, entries: &[Entry]) -> Value {
    let mut schema = value(entry, entries);
    let mut add = |name: &str, value| merge(&mut schema, json!({ name: value }));
    let mut description = entry.meaning.clone();
    if entry.node.later {
        description = format!("Not available yet. {description}");
    }
    if !description.is_empty() {
        add("description", Value::from(description.trim()));
    }
    match &entry.shown {
        Some(shown) if entry.is_default => add("default", shown.clone()),
        Some(shown) if !shown.is_null() => add("examples", json!([shown])),
        _ => {}
    }
    schema
}

/// What the value has to be.
fn value(entry: &Entry, entries: &[Entry]) -> Value {
    let path = &entry.node.path;
    let mut forms: Vec<_> = entry.node.kinds.iter().map(|kind| form(kind, path, entries)).collect();
    if entry.node.list {
        let element = format!("{path}[]");
        let element = entries.iter().find(|entry| entry.node.path == element);
        let items = element.map_or(json!({}), |element| value(element, entries));
        forms.push(json!({ "type": "array", "items": items }));
    }
    match forms.len() {
        1 => forms.remove(0),
        _ => json!({ "anyOf": forms }),
    }
}

fn form(kind: &Kind, path: &str, entries: &[Entry]) -> Value {
    match kind {
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Integer { least, most } => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Number => json!({ "type": "number" }),
        Kind::Table => table(path, entries),
        Kind::Choice(names) => {
            json!({ "anyOf": [{ "enum": names }, { "type": "string", "pattern": VARIABLE }] })
        }
        Kind::Text { noun, .. } => match pattern(noun) {
            Some(pattern) => {
                json!({ "type": "string", "pattern": format!("^{pattern}$|{VARIABLE}") })
            }
            None => json!({ "type": "string" }),
        },
    }
}

fn pattern(noun: &str) -> Option<&'static str> {
    let patterns = [
        (DURATION.noun, "[0-9]+(ms|s|m|h|d)"),
        (SIZE.noun, "[0-9]+(B|KiB|MiB|GiB)"),
        (RATE.noun, "[0-9]+/(s|min|h)"),
    ];
    patterns.into_iter().find(|(known, _)| *known == noun).map(|(_, pattern)| pattern)
}

fn merge(schema: &mut Value, more: Value) {
    if let (Value::Object(schema), Value::Object(more)) = (schema, more) {
        schema.extend(more);
    }
}
