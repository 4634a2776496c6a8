//! The request that Envoy asks about, as the head that the rules read.

use std::net::IpAddr;

use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

use super::messages::{CheckRequest, HttpRequest, Peer};
use crate::refusal::{Reason, Refusal};

/// A request that Envoy asks about.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) head: Parts,
    /// Path and query, byte for byte.
    pub(super) target: Vec<u8>,
    /// Who has sent it to Envoy; none through a unix socket.
    pub(super) peer: Option<IpAddr>,
}

impl Asked {
    /// Reads what Envoy says of a request.
    ///
    /// # Errors
    ///
    /// That it is no request of HTTP.
    pub(super) fn read(request: CheckRequest) -> Result<Self, Refusal> {
        let malformed = |what: &'static str| Refusal::new(Reason::BadRequest, what);
        let attributes = request.attributes.unwrap_or_default();
        let http = attributes.request.and_then(|request| request.http);
        let http = http.ok_or_else(|| malformed("a check of what is no HTTP request"))?;
        let peer = attributes.source.as_ref().and_then(address);
        let method = Method::from_bytes(http.method.as_bytes());
        let headers = headers(&http).ok_or_else(|| malformed("a header that is none"))?;
        let mut head = http::Request::new(()).into_parts().0;
        head.method = method.map_err(|_| malformed("a method that is none"))?;
        head.uri = uri(&http.path).ok_or_else(|| malformed("a path that is none"))?;
        // Its framing was Envoy's to read: what it says of it is held to the stricter version.
        head.version = Version::HTTP_11;
        head.headers = headers;
        Ok(Self { head, target: http.path, peer })
    }

    /// The path as Envoy passes it on.
    pub(super) fn raw_path(&self) -> &[u8] {
        self.target.split(|byte| *byte == b'?').next().unwrap_or_default()
    }
}

fn address(peer: &Peer) -> Option<IpAddr> {
    peer.address.as_ref()?.socket_address.as_ref()?.address.parse().ok()
}

/// An absolute form would carry an authority of its own; the rules look at the bytes of the path anyway.
fn uri(target: &[u8]) -> Option<Uri> {
    let uri = Uri::try_from(target).ok()?;
    uri.authority().is_none().then_some(uri)
}

fn headers(http: &HttpRequest) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(http.headers.len() + 1);
    let joined = http.headers.iter().map(|(name, value)| (name, value.as_bytes()));
    let raw = http.header_map.iter().flat_map(|map| &map.headers).map(|header| {
        let raw = [header.raw_value.as_slice(), header.value.as_bytes()];
        (&header.key, raw.into_iter().find(|value| !value.is_empty()).unwrap_or_default())
    });
    for (name, value) in joined.chain(raw) {
        // Those with a colon are the method, the path and the like, which stand elsewhere too.
        if !name.starts_with(':') && !name.eq_ignore_ascii_case("host") {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_bytes(value).ok()?);
        }
    }
    headers.insert(HOST, HeaderValue::from_bytes(http.host.as_bytes()).ok()?);
    Some(headers)
}
