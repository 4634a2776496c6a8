//! The multipart form of a profile (RFC 7578).
//!
//! multer cuts the form into parts. What it is lenient about is held strictly here, since the upstream
//! cuts the same bytes again: one boundary, nothing before and after the parts that could be one, each
//! header once, names as in [`super::disposition`], UTF-8 and no transfer encoding.

use std::collections::HashSet;
use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use memchr::memmem;
use multer::{Constraints, Field, Multipart, SizeLimit};

use super::disposition::Disposition;
use super::input::{Meaning, refused};
use crate::policy::route::ProfileRules;
use crate::refusal::{Reason, Refusal};

/// Parts of a form, the client's own among them.
const MAX_PARTS: usize = 64;
/// Bytes of a nickname, far beyond what is taken for one.
const MAX_NICK_NAME: u64 = 4096;

/// The parts of a form that are the gateway's business, each at most once.
#[derive(Default)]
pub(super) struct Form {
    pub(super) nick_name: Option<String>,
    pub(super) avatar: Option<(Bytes, Option<String>)>,
}

impl Form {
    pub(super) async fn read(
        headers: &HeaderMap,
        body: &Bytes,
        rules: &ProfileRules,
    ) -> Result<Self, Refusal> {
        let boundary = boundary(headers).ok_or_else(|| refused("a form without one boundary"))?;
        let mut parts = Multipart::with_constraints(
            stream::iter([Ok::<_, Infallible>(body.clone())]),
            boundary,
            constraints(rules),
        );
        let (mut form, mut count) = (Self::default(), 0);
        while let Some(part) = parts.next_field().await.map_err(malformed)? {
            count += 1;
            if count > MAX_PARTS {
                return Err(refused("a form of too many parts"));
            }
            form.add(part).await?;
        }
        if !is_framed(body, boundary, count) {
            return Err(refused("a form with bytes that two parsers could read differently"));
        }
        Ok(form)
    }

    async fn add(&mut self, part: Field<'_>) -> Result<(), Refusal> {
        let disposition =
            disposition(&part).ok_or_else(|| refused("a part without a clear name"))?;
        let meaning = Meaning::of(&disposition.name);
        // This one tells some upstreams how to read the others (RFC 7578, 4.6).
        if meaning == Meaning::Own && disposition.name != "_charset_" {
            return Ok(());
        }
        if is_recoded(part.headers()) {
            return Err(refused("a part of another charset or transfer encoding"));
        }
        match (meaning, disposition.is_file) {
            (Meaning::NickName, false) if self.nick_name.is_none() => {
                let text = part.bytes().await.map_err(malformed)?;
                let text =
                    std::str::from_utf8(&text).map_err(|_| refused("a nickName not UTF-8"))?;
                self.nick_name = Some(text.to_owned());
            }
            (Meaning::Avatar, true) if self.avatar.is_none() => {
                let bytes = part.bytes().await.map_err(malformed)?;
                self.avatar = Some((bytes, disposition.file_name));
            }
            _ => {
                let note = "a part that is there twice, of the wrong kind or of a name like it";
                return Err(refused(note));
            }
        }
        Ok(())
    }
}

/// The one boundary of the form (RFC 2046, 5.1.1).
fn boundary(headers: &HeaderMap) -> Option<&str> {
    let (_, parameters) = headers.get(CONTENT_TYPE)?.to_str().ok()?.split_once(';')?;
    let mut boundary = None;
    for parameter in parameters.split(';').map(str::trim_ascii).filter(|text| !text.is_empty()) {
        let (key, value) = parameter.split_once('=')?;
        let key = key.trim_ascii().to_ascii_lowercase();
        if key == "boundary" && boundary.is_none() {
            boundary = Some(unquoted(value)?);
        } else if key.starts_with("boundary") {
            return None;
        }
    }
    boundary
}

fn unquoted(value: &str) -> Option<&str> {
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => value,
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    ((1..=70).contains(&value.len()) && value.bytes().all(fits)).then_some(value)
}

fn constraints(rules: &ProfileRules) -> Constraints {
    let sizes = SizeLimit::new();
    let sizes = sizes.for_field("avatar", rules.avatar_size).for_field("nickName", MAX_NICK_NAME);
    Constraints::new().size_limit(sizes)
}

/// The name of a part whose header leaves no doubt about it.
fn disposition(part: &Field<'_>) -> Option<Disposition> {
    let mut values = part.headers().get_all(CONTENT_DISPOSITION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let disposition = Disposition::parse(value.as_bytes())?;
    // multer's own reading sets the bounds of the part.
    (part.name() == Some(disposition.name.as_str())).then_some(disposition)
}

/// Whether an upstream could decode the part to something else.
fn is_recoded(headers: &HeaderMap) -> bool {
    let mut content_types = headers.get_all(CONTENT_TYPE).iter();
    let charset = content_types.any(|value| {
        // What is no text could be anything.
        let text = value.to_str().unwrap_or("charset=?").to_ascii_lowercase();
        let charset = text.split_once("charset").map(|(_, charset)| charset);
        charset.is_some_and(|charset| charset.trim_matches([' ', '=', '"']) != "utf-8")
    });
    let transfer = headers.get("content-transfer-encoding").is_some_and(|encoding| {
        let plain: [&[u8]; 3] = [b"7bit", b"8bit", b"binary"];
        !plain.iter().any(|plain| encoding.as_bytes().eq_ignore_ascii_case(plain))
    });
    charset || transfer
}

/// Whether the delimiter stands before each part and at the end, and nowhere else, whether nothing
/// stands around the parts, and whether each of them has a clear head.
fn is_framed(body: &[u8], boundary: &str, parts: usize) -> bool {
    let delimiter = format!("--{boundary}");
    let (opening, closing) = (format!("{delimiter}\r\n"), format!("\r\n{delimiter}--"));
    let form = body.trim_ascii();
    let delimiters: Vec<_> = memmem::find_iter(form, delimiter.as_bytes()).collect();
    form.starts_with(opening.as_bytes())
        && form.ends_with(closing.as_bytes())
        && delimiters.len() == parts + 1
        && delimiters.iter().take(parts).all(|delimiter| {
            let part =
                form.get(*delimiter..).and_then(|part| part.strip_prefix(opening.as_bytes()));
            part.and_then(head).is_some_and(is_clear)
        })
}

/// The headers of a part.
fn head(part: &[u8]) -> Option<&[u8]> {
    part.get(..memmem::find(part, b"\r\n\r\n")?)
}

/// Whether a head has each header once, and lines that end as they should: multer keeps the last of
/// two headers, and takes a bare line feed for the end of a line.
fn is_clear(head: &[u8]) -> bool {
    let mut names = HashSet::new();
    String::from_utf8_lossy(head).split("\r\n").all(|line| {
        let name = line.split(':').next().unwrap_or_default();
        !line.contains(['\r', '\n']) && names.insert(name.trim().to_ascii_lowercase())
    })
}

/// What multer has against a form; its words could quote the client's.
fn malformed(error: multer::Error) -> Refusal {
    match error {
        multer::Error::FieldSizeExceeded { field_name: Some(name), .. } if name == "avatar" => {
            Refusal::new(Reason::BodyTooLarge, "an avatar beyond avatar_size")
        }
        multer::Error::FieldSizeExceeded { .. } => refused("a nickName that is too long"),
        _ => refused("a form that is malformed or breaks off"),
    }
}
