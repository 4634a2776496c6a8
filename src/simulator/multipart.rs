//! The bytes of one field of a multipart form (RFC 7578): as much of it as img_sec_check needs.

/// The content of the field `name`, or of none where the form is malformed or has no such field.
pub(super) fn field<'a>(content_type: &str, body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let delimiter = format!("--{}", boundary(content_type)?);
    let mut rest = after(body, delimiter.as_bytes())?;
    // A delimiter that is followed by two hyphens closes the form (RFC 2046 section 5.1.1).
    while !rest.starts_with(b"--") {
        let end = find(rest, format!("\r\n{delimiter}").as_bytes())?;
        let part = rest.get(..end)?;
        let head = part.get(..find(part, b"\r\n\r\n")?)?;
        if is_named(head, name) {
            return after(part, b"\r\n\r\n");
        }
        rest = rest.get(end + 2 + delimiter.len()..)?;
    }
    None
}

fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_boundary = name.trim().eq_ignore_ascii_case("boundary");
        is_boundary.then(|| value.trim().trim_matches('"')).filter(|value| !value.is_empty())
    })
}

fn is_named(head: &[u8], name: &str) -> bool {
    String::from_utf8_lossy(head).lines().any(|line| {
        let Some((header, value)) = line.split_once(':') else { return false };
        header.eq_ignore_ascii_case("content-disposition")
            && value.split(';').filter_map(|parameter| parameter.trim().split_once('=')).any(
                |(key, value)| key.eq_ignore_ascii_case("name") && value.trim_matches('"') == name,
            )
    })
}

fn after<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    bytes.get(find(bytes, mark)? + mark.len()..)
}

/// Where `needle` begins.
pub(super) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len().max(1)).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"xyz\"";
    const BODY: &[u8] = b"--xyz\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhi\r\n\
        --xyz\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.png\"\r\n\
        Content-Type: image/png\r\n\r\n\x89PNG\r\n\r\nbytes\r\n--xyz--\r\n";

    #[test]
    fn finds_the_bytes_of_a_field() {
        assert_eq!(field(TYPE, BODY, "media"), Some(&b"\x89PNG\r\n\r\nbytes"[..]));
        assert_eq!(field(TYPE, BODY, "note"), Some(&b"hi"[..]));
        assert_eq!(field(TYPE, BODY, "other"), None);
    }

    #[test]
    fn malformed_forms_have_no_field() {
        assert_eq!(field("application/json", BODY, "media"), None);
        assert_eq!(field("multipart/form-data", BODY, "media"), None);
        assert_eq!(field(TYPE, &BODY[..BODY.len() - 12], "media"), None);
        assert_eq!(field(TYPE, b"", "media"), None);
    }
}
