//! The Content-Disposition of a part of a form (RFC 7578, 4.2), read strictly.
//!
//! Parsers differ in what they make of doubled parameters, of names inside of quoted texts and of
//! escaped quotes. A part that two of them could name differently is none: the nickname that was
//! checked must be the one that the upstream reads.

/// How a part calls itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Disposition {
    pub(super) name: String,
    /// Whether it says that it is a file.
    pub(super) is_file: bool,
    pub(super) file_name: Option<String>,
}

impl Disposition {
    /// Reads `form-data; name="…"`, with a `filename` at most.
    pub(super) fn parse(header: &[u8]) -> Option<Self> {
        let header = std::str::from_utf8(header).ok()?;
        let (kind, mut rest) = header.split_at_checked(header.find(';')?)?;
        if !kind.trim_ascii().eq_ignore_ascii_case("form-data") {
            return None;
        }
        let (mut name, mut file_name, mut extended) = (None, None, None);
        while let Some(parameter) = rest.strip_prefix(';') {
            let (key, value, after) = parse_parameter(parameter)?;
            let slot = match key.to_ascii_lowercase().as_str() {
                "name" => &mut name,
                "filename" => &mut file_name,
                "filename*" => &mut extended,
                _ => return None,
            };
            if slot.replace(value.to_owned()).is_some() {
                return None;
            }
            rest = after;
        }
        let is_file = file_name.is_some() || extended.is_some();
        rest.is_empty().then_some(Self { name: name?, is_file, file_name })
    }
}

/// A key, its value, and what follows them.
fn parse_parameter(text: &str) -> Option<(&str, &str, &str)> {
    let (key, text) = text.split_once('=')?;
    let key = key.trim_ascii_start();
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, after) = quoted.split_once('"')?;
        // An escape to some, the last character to others. Browsers write %22 for a quote.
        let is_plain = !value.ends_with('\\') && !value.chars().any(char::is_control);
        is_plain.then_some((key, value, after.trim_ascii_start()))
    } else {
        let (value, after) = text.split_at_checked(text.find(';').unwrap_or(text.len()))?;
        let value = value.trim_ascii_end();
        is_token(value).then_some((key, value, after))
    }
}

/// RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str) -> Option<(String, bool)> {
        Disposition::parse(header.as_bytes()).map(|parsed| (parsed.name, parsed.is_file))
    }

    #[test]
    fn what_clients_send_is_read() {
        for (header, name, is_file) in [
            (r#"form-data; name="nickName""#, "nickName", false),
            (r#"Form-Data;name=nickName"#, "nickName", false),
            (r#"form-data; name="avatar"; filename="C:\fakepath\a;b.png""#, "avatar", true),
            (
                r#"form-data; name="avatar" ; filename="头像.png"; filename*=UTF-8''a.png"#,
                "avatar",
                true,
            ),
            (r#"form-data; filename=a.png; name=avatar"#, "avatar", true),
            (r#"form-data; name="""#, "", false),
        ] {
            assert_eq!(parse(header), Some((name.to_owned(), is_file)), "{header}");
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for header in [
            "",
            "form-data",
            "form-data;",
            "form-data; filename=\"a.png\"",
            "attachment; name=\"nickName\"",
            r#"form-data; name="bio"; name="nickName""#,
            r#"form-data; name="bio"; NAME="nickName""#,
            r#"form-data; x=" name=bio"; name="nickName""#,
            r#"form-data; name*=UTF-8''nickName; name="bio""#,
            r#"form-data; name="a\"; name="nickName""#,
            r#"form-data; name="bio"nickName"#,
            r#"form-data; name=bio nickName"#,
            r#"form-data; name="bio"#,
            r#"form-data; name"#,
            r#"form-data; name ="bio""#,
            "form-data; name=\"bio\0\"",
        ] {
            assert_eq!(parse(header), None, "{header}");
        }
    }
}
