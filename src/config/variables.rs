//! `${NAME}` and `${NAME:-default}` in a string; `$${` stands for `${` itself.

use super::Environment;

/// Why a reference gives no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadReference {
    /// It is no `${NAME}` or `${NAME:-default}`.
    Form,
    /// The variable is not set, and there is no default.
    Unset(String),
}

/// Puts the values in; or names every reference that has none. As in a shell, `:-` also stands in for
/// a variable that is set but empty.
pub(super) fn expand(
    text: &str,
    environment: Environment<'_>,
) -> Result<String, Vec<BadReference>> {
    let mut expanded = String::with_capacity(text.len());
    let mut bad = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(literal) = after.strip_prefix("${") {
            expanded.push_str("${");
            rest = literal;
            continue;
        }
        let Some(reference) = after.strip_prefix('{') else {
            expanded.push('$');
            rest = after;
            continue;
        };
        let Some((reference, after)) = reference.split_once('}') else {
            bad.push(BadReference::Form);
            rest = "";
            break;
        };
        match value_of(reference, environment) {
            Ok(value) => expanded.push_str(&value),
            Err(reason) => bad.push(reason),
        }
        rest = after;
    }
    expanded.push_str(rest);
    if bad.is_empty() { Ok(expanded) } else { Err(bad) }
}

/// The value of what stands between the braces.
fn value_of(reference: &str, environment: Environment<'_>) -> Result<String, BadReference> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let is_name = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err(BadReference::Form);
    }
    match (environment(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(BadReference::Unset(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, Vec<BadReference>> {
        expand(text, &|name| match name {
            "HOST" => Some("shop.internal".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRAP" => Some("${HOST}".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn references_are_replaced_wherever_they_stand() {
        for (text, value) in [
            ("plain", "plain"),
            ("${HOST}", "shop.internal"),
            ("http://${HOST}:3000", "http://shop.internal:3000"),
            ("${HOST}${HOST}", "shop.internalshop.internal"),
            ("${NONE:-localhost}:1", "localhost:1"),
            ("${NONE:-}", ""),
            ("${NONE:-a:-b}", "a:-b"),
            ("${HOST:-localhost}", "shop.internal"),
            ("${EMPTY}", ""),
            ("${EMPTY:-x}", "x"),
            ("$${HOST}", "${HOST}"),
            ("$5 $ $$ {HOST} $HOST", "$5 $ $$ {HOST} $HOST"),
            ("${TRAP}", "${HOST}"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn every_reference_without_a_value_is_named() {
        let unset = |name: &str| BadReference::Unset(name.to_owned());
        assert_eq!(expanded("${A}-${HOST}-${B}"), Err(vec![unset("A"), unset("B")]));
        for text in ["${", "${HOST", "${}", "${1A}", "${A B}", "${HOST:+x}", "${:-x}"] {
            assert_eq!(expanded(text), Err(vec![BadReference::Form]), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[$A-Z{}:é-]{0,24}") {
            let _ = expanded(&text);
        }
    }
}
