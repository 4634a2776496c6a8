//! Other ways in which a service may read a path that is canonical.

/// What some services do not see at the end of a segment; the last one is a space encoded twice.
const ENDINGS: [&str; 3] = [".", "%20", "%2520"];

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

/// The path as a service may read it that does not see the dots and spaces that segments end in
/// (Windows), or that looks for query and fragment in what it has decoded; none where that is the same.
/// A segment of nothing else is a name.
pub(super) fn other_reading(path: &str) -> Option<String> {
    if !path.contains(['%', '.']) {
        return None;
    }
    let ends = ["%23", "%3F"].into_iter().filter_map(|end| path.find(end));
    let read = path.get(..ends.min().unwrap_or(path.len())).unwrap_or_default();
    let ends_so = |segment: &str| ENDINGS.iter().any(|ending| segment.ends_with(ending));
    if read == path && !path.split('/').any(ends_so) {
        return None;
    }
    let segments: Vec<_> = read.split('/').map(without_ending).collect();
    let read = segments.join("/");
    (read != path).then_some(read)
}

fn without_ending(segment: &str) -> &str {
    let mut rest = segment;
    while let Some(shorter) = ENDINGS.iter().find_map(|ending| rest.strip_suffix(ending)) {
        rest = shorter;
    }
    if rest.is_empty() { segment } else { rest }
}
