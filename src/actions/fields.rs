//! The fields of a request to an action, each from exactly one place: the JSON body, the form body, the
//! query, or the Wafer headers.

use std::fmt;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::refusal::{Reason, Refusal};

/// The headers of a Wafer client, and the fields that they stand for.
const WAFER: [(&str, &str); 3] =
    [("x-wx-code", "code"), ("x-wx-encrypted-data", "encryptedData"), ("x-wx-iv", "iv")];

/// The fields of one request.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    members: Map<String, Value>,
    wafer: bool,
}

impl Fields {
    /// Reads the query and the body.
    pub fn read(query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Self::default();
        for (name, value) in body_members(headers, body)? {
            fields.add(name, value)?;
        }
        let mut from_query = Self::default();
        for (name, value) in pairs(query.unwrap_or_default().as_bytes()) {
            from_query.add(name, value)?;
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
                from_headers.add(field.to_owned(), text.into())?;
            }
        }
        self.wafer =
            !self.members.contains_key("code") && from_headers.members.contains_key("code");
        self.merge(from_headers)?;
        Ok(self)
    }

    /// Whether the login code came by a Wafer header.
    pub fn is_wafer(&self) -> bool {
        self.wafer
    }

    /// The text of a field. Null and the empty text are no text; anything else is refused.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, Refusal> {
        match self.members.get(name) {
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
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(Value::String(text)) if matches!(text.as_str(), "true" | "1") => Ok(true),
            Some(Value::String(text)) if matches!(text.as_str(), "false" | "0" | "") => Ok(false),
            Some(_) => Err(refused(format!("the field {name} is no true or false"))),
        }
    }

    /// The client's own fields without those of the action, for its upstream.
    pub fn without(&self, names: &[&str]) -> Map<String, Value> {
        let own = self.members.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        own.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Takes a field once.
    fn add(&mut self, name: String, value: Value) -> Result<(), Refusal> {
        match self.members.insert(name, value) {
            None => Ok(()),
            Some(_) => Err(refused("a field is there twice")),
        }
    }

    /// Takes over what is not there yet; what is must be the same.
    fn merge(&mut self, other: Self) -> Result<(), Refusal> {
        for (name, value) in other.members {
            match self.members.get(&name) {
                None => drop(self.members.insert(name, value)),
                Some(known) if *known == value => {}
                Some(_) => return Err(refused("a field has two values in two places")),
            }
        }
        Ok(())
    }
}

fn refused(note: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(Reason::BadRequest, note)
}

fn body_members(headers: &HeaderMap, body: &[u8]) -> Result<Vec<(String, Value)>, Refusal> {
    // wx.request says application/json with a GET as well, where there is no body.
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    match media_type(headers).as_deref() {
        Some("application/x-www-form-urlencoded") => Ok(pairs(body).collect()),
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

fn pairs(text: &[u8]) -> impl Iterator<Item = (String, Value)> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned().into()))
}

/// A JSON object as it stands: serde_json's own map would let the last of two members win.
struct Members(Vec<(String, Value)>);

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
                while let Some(member) = access.next_entry()? {
                    members.push(member);
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
