//! Other ways in which a service may read a path that is canonical.

/// A path as it is looked up: in lower case, without a closing `/`.
pub(super) fn folded(path: &str) -> String {
    path.strip_suffix('/').unwrap_or(path).to_ascii_lowercase()
}

/// Calls with the path in lower case, on the stack where it is short.
pub(super) fn with_lower_case<T>(path: &str, call: impl FnOnce(&str) -> T) -> T {
    if !path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return call(path);
    }
    let mut buffer = [0; 128];
    if let Some(copy) = buffer.get_mut(..path.len()) {
        copy.copy_from_slice(path.as_bytes());
        copy.make_ascii_lowercase();
        if let Ok(text) = std::str::from_utf8(copy) {
            return call(text);
        }
    }
    call(&path.to_ascii_lowercase())
}

/// The path without the dots and spaces that its segments end in, which Windows does not see; none where
/// there are none. A segment of nothing else is a name.
pub(super) fn without_endings(path: &str) -> Option<String> {
    let ends_so = |segment: &str| segment.ends_with('.') || segment.ends_with("%20");
    if !path.split('/').any(ends_so) {
        return None;
    }
    let segments: Vec<_> = path.split('/').map(without_ending).collect();
    let other = segments.join("/");
    (other != path).then_some(other)
}

fn without_ending(segment: &str) -> &str {
    let mut rest = segment;
    while let Some(shorter) = rest.strip_suffix('.').or_else(|| rest.strip_suffix("%20")) {
        rest = shorter;
    }
    if rest.is_empty() { segment } else { rest }
}
