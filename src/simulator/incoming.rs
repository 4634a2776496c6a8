//! A call of WeChat's API as it came in.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Map, Value};

use super::errcode::Failure;

/// The call.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) peer: IpAddr,
    pub(super) now: u64,
}

impl Incoming {
    /// A parameter of the query; the first where it is doubled, empty where it is missing.
    pub(super) fn query(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The JSON object of the body.
    pub(super) fn json(&self) -> Result<Map<String, Value>, Failure> {
        if self.body.is_empty() {
            return Err(Failure::of(44002));
        }
        serde_json::from_slice(&self.body).map_err(|_| Failure::of(47001))
    }

    /// A parameter that WeChat takes from the query as well as from the body.
    pub(super) fn anywhere(&self, name: &str) -> String {
        let value = self.query(name);
        if !value.is_empty() {
            return value.to_owned();
        }
        self.json().ok().and_then(|body| text(&body, name).map(str::to_owned)).unwrap_or_default()
    }

    pub(super) fn query_map(&self) -> Map<String, Value> {
        let mut map = Map::new();
        for (name, value) in &self.query {
            map.entry(name.clone()).or_insert_with(|| value.as_str().into());
        }
        map
    }

    pub(super) fn header_map(&self) -> Map<String, Value> {
        let mut map = Map::new();
        for name in self.headers.keys() {
            let values: Vec<_> =
                self.headers.get_all(name).iter().map(|value| value.as_bytes()).collect();
            let joined = String::from_utf8_lossy(&values.join(&b", "[..])).into_owned();
            map.insert(name.as_str().to_owned(), joined.into());
        }
        map
    }
}

/// A string member.
pub(super) fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}
