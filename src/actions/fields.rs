//! The fields of a request to an action, each from exactly one place: the JSON body, the form body, the
//! query, or the Wafer headers.

use std::fmt;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::refusal::{Reason, Refusal};

/// The headers of a Wafer client, and the fields that they stand for.
const WAFER: [(&str, &str); 3] =
    [("x-wx-code", "code"), ("x-wx-encrypted-data", "encryptedData"), ("x-wx-iv", "iv")];

/// Whether a header stands for a field of a Wafer client's.
pub fn is_of_wafer(name: &HeaderName) -> bool {
    WAFER.iter().any(|(header, _)| name == header)
}

/// The fields of one request, in their order.
#[derive(Clone, Default)]
pub struct Fields {
    members: Vec<Field>,
    wafer: bool,
}

#[derive(Clone)]
struct Field {
    name: String,
    value: Value,
    /// As the client wrote it: a number written anew may be another one.
    raw: Box<RawValue>,
}

impl Fields {
    /// Reads the query and the body.
    pub fn read(query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Self::default();
        for field in body_members(headers, body)? {
            fields.add(field)?;
        }
        let mut from_query = Self::default();
        for field in pairs(query.unwrap_or_default().as_bytes())? {
            from_query.add(field)?;
        }
        fields.merge(from_query)?;
        Ok(fields)
    }

    /// Adds what the Wafer headers say, which only a login takes.
    pub fn with_wafer_headers(mut self, headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut from_headers = Self::default();
        for (header, field) in WAFER {
            for value in headers.get_all(header) {
                let text = value.to_str().map_err(|_| refused("a Wafer header that is no text"))?;
                from_headers.add(Field::text(field.to_owned(), text.to_owned())?)?;
            }
        }
        self.wafer = self.get("code").is_none() && from_headers.get("code").is_some();
        self.merge(from_headers)?;
        Ok(self)
    }

    /// Whether the login code came by a Wafer header.
    pub fn is_wafer(&self) -> bool {
        self.wafer
    }

    /// The text of a field. Null and the empty text are no text; anything else is refused.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, Refusal> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(refused(format!("the field {name} is no text"))),
        }
    }

    /// The text of a field that must be there.
    pub fn required(&self, name: &'static str) -> Result<&str, Refusal> {
        self.text(name)?.ok_or_else(|| refused(format!("the field {name} is missing")))
    }

    /// A yes or no: JSON's, or `true`, `1`, `false`, `0` in a form or a query.
    pub fn boolean(&self, name: &'static str) -> Result<bool, Refusal> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(Value::String(text)) if matches!(text.as_str(), "true" | "1") => Ok(true),
            Some(Value::String(text)) if matches!(text.as_str(), "false" | "0" | "") => Ok(false),
            Some(_) => Err(refused(format!("the field {name} is no true or false"))),
        }
    }

    /// A JSON object of the client's own fields, as they were written, without `taken`; then `added`.
    pub fn for_upstream(&self, taken: &[&str], added: &[(&str, &RawValue)]) -> String {
        let replaced = |name: &str| added.iter().any(|(known, _)| *known == name);
        let own = self.members.iter().map(|field| (field.name.as_str(), &*field.raw));
        let own = own.filter(|(name, _)| !taken.contains(name) && !replaced(name));
        let members = own
            .chain(added.iter().copied())
            .map(|(name, value)| format!("{}:{}", Value::from(name), value.get()));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }

    /// The names of all fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|field| field.name.as_str())
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|field| field.name == name).map(|field| &field.value)
    }

    /// Takes a field once.
    fn add(&mut self, field: Field) -> Result<(), Refusal> {
        if self.get(&field.name).is_some() {
            return Err(refused("a field is there twice"));
        }
        self.members.push(field);
        Ok(())
    }

    /// Takes over what is not there yet; what is must be the same.
    fn merge(&mut self, other: Self) -> Result<(), Refusal> {
        for field in other.members {
            match self.get(&field.name) {
                None => self.members.push(field),
                Some(known) if *known == field.value => {}
                Some(_) => return Err(refused("a field has two values in two places")),
            }
        }
        Ok(())
    }
}

/// What a client sends are codes and what was sealed for it, and its names may be anything too.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").field("count", &self.members.len()).finish_non_exhaustive()
    }
}

impl Field {
    fn text(name: String, text: String) -> Result<Self, Refusal> {
        let raw = to_raw_value(&text).map_err(|_| refused("a field that is no text"))?;
        Ok(Self { name, value: text.into(), raw })
    }
}

fn refused(note: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(Reason::BadRequest, note)
}

fn body_members(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Field>, Refusal> {
    // wx.request says application/json with a GET as well, where there is no body.
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    match media_type(headers).as_deref() {
        Some("application/x-www-form-urlencoded") => pairs(body),
        Some(json) if json == "application/json" || json.ends_with("+json") => {
            let members: Members = serde_json::from_slice(body)
                .map_err(|_| refused("a body that is no JSON object with each field once"))?;
            Ok(members.0)
        }
        _ => Err(Reason::UnsupportedMediaType.into()),
    }
}

/// The media type in lower case, without its parameters.
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let (media_type, _) = text.split_once(';').unwrap_or((text, ""));
    Some(media_type.trim().to_ascii_lowercase())
}

fn pairs(text: &[u8]) -> Result<Vec<Field>, Refusal> {
    let pairs = form_urlencoded::parse(text);
    pairs.map(|(name, value)| Field::text(name.into_owned(), value.into_owned())).collect()
}

/// A JSON object as it stands: serde_json's own map would let the last of two members win.
struct Members(Vec<Field>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((name, raw)) = access.next_entry::<String, Box<RawValue>>()? {
                    let value = serde_json::from_str(raw.get()).map_err(A::Error::custom)?;
                    members.push(Field { name, value, raw });
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json() -> HeaderMap {
        [(CONTENT_TYPE, "application/json; charset=utf-8".parse().unwrap())].into_iter().collect()
    }

    fn form() -> HeaderMap {
        let form = "application/x-www-form-urlencoded".parse().unwrap();
        [(CONTENT_TYPE, form)].into_iter().collect()
    }

    fn code(fields: Result<Fields, Refusal>) -> Result<Option<String>, Reason> {
        let fields = fields.map_err(|refusal| refusal.reason)?;
        let text = fields.text("code").map_err(|refusal| refusal.reason)?;
        Ok(text.map(str::to_owned))
    }

    #[test]
    fn what_a_client_sent_does_not_print() {
        let fields = Fields::read(Some("code=0b2c&x=hunter2"), &HeaderMap::new(), b"").unwrap();
        let shown = format!("{fields:?}");
        assert!(!shown.contains("0b2c") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_field_comes_from_query_form_or_json() {
        let found = Ok(Some("a b".to_owned()));
        assert_eq!(code(Fields::read(Some("code=a%20b"), &HeaderMap::new(), b"")), found);
        assert_eq!(code(Fields::read(Some("code=a+b"), &json(), b" ")), found);
        assert_eq!(code(Fields::read(None, &form(), b"code=a+b")), found);
        assert_eq!(code(Fields::read(None, &json(), br#"{"code":"a b"}"#)), found);
    }

    #[test]
    fn the_same_field_twice_is_refused_unless_two_places_agree() {
        let bad = Err(Reason::BadRequest);
        assert_eq!(code(Fields::read(Some("code=a&code=a"), &HeaderMap::new(), b"")), bad);
        assert_eq!(code(Fields::read(None, &form(), b"code=a&code=b")), bad);
        assert_eq!(code(Fields::read(None, &json(), br#"{"code":"a","code":"a"}"#)), bad);
        assert_eq!(code(Fields::read(Some("code=a"), &json(), br#"{"code":"b"}"#)), bad);
        let agreed = code(Fields::read(Some("code=a"), &json(), br#"{"code":"a"}"#));
        assert_eq!(agreed, Ok(Some("a".to_owned())));
    }

    #[test]
    fn a_body_of_another_kind_is_refused() {
        let unsupported = Err(Reason::UnsupportedMediaType);
        assert_eq!(code(Fields::read(None, &HeaderMap::new(), b"code=a")), unsupported);
        for body in ["[]", "\"a\"", "{", "{\"code\":1}", "{\"code\":[]}"] {
            assert_eq!(code(Fields::read(None, &json(), body.as_bytes())), Err(Reason::BadRequest));
        }
        assert_eq!(code(Fields::read(None, &json(), br#"{"code":null}"#)), Ok(None));
        assert_eq!(code(Fields::read(Some("code="), &json(), b"")), Ok(None));
    }

    #[test]
    fn an_upstream_gets_the_clients_own_fields_as_they_were_written() {
        let body = br#"{"code":"c","n":1.50e3,"big":12345678901234567890123,"openid":"mine"}"#;
        let fields = Fields::read(Some("q=1"), &json(), body).unwrap();
        let openid = to_raw_value("o1").unwrap();
        assert_eq!(
            fields.for_upstream(&["code"], &[("openid", &openid)]),
            r#"{"n":1.50e3,"big":12345678901234567890123,"q":"1","openid":"o1"}"#
        );
    }

    #[test]
    fn wafer_headers_are_read_only_when_asked_for() {
        let headers: HeaderMap =
            [("x-wx-code".parse().unwrap(), "a".parse().unwrap())].into_iter().collect();
        let fields = Fields::read(None, &headers, b"").unwrap();
        assert_eq!(fields.text("code").unwrap(), None);
        let fields = fields.with_wafer_headers(&headers).unwrap();
        assert_eq!((fields.text("code").unwrap(), fields.is_wafer()), (Some("a"), true));
        let fields = Fields::read(Some("code=a"), &headers, b"").unwrap();
        assert!(!fields.with_wafer_headers(&headers).unwrap().is_wafer());
        let fields = Fields::read(Some("code=b"), &headers, b"").unwrap();
        assert_eq!(code(fields.with_wafer_headers(&headers)), Err(Reason::BadRequest));
    }
}
