//! CORS (the Fetch standard, 3.2): which pages of browsers may call a route and read its answers. The
//! gateway says it for the whole route, its own answers and errors included; the upstream is not asked.

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE, ORIGIN, RETRY_AFTER, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::guard::METHODS;

/// What pages may always send: a token where it is looked for by default, and JSON.
const SENT: [HeaderName; 3] = [AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("x-wx-skey")];
/// What pages may always read of an answer besides what every page may.
const READ: [HeaderName; 3] = [
    RETRY_AFTER,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-session-token"),
];
const ANY: HeaderValue = HeaderValue::from_static("*");
/// What an answer to a preflight depends on.
const VARY_OF_PREFLIGHT: &str =
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// The `cors` of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    origins: Origins,
    credentials: bool,
    headers: HeaderValue,
    expose: HeaderValue,
    max_age: HeaderValue,
}

/// Whose pages they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Everybody's: the `*`.
    Any,
    /// Those of these origins, as browsers write them (RFC 6454, 6.2).
    Listed(Vec<HeaderValue>),
}

/// A header of an answer.
pub type Header = (HeaderName, HeaderValue);

impl Cors {
    /// What pages of these origins may do: send `headers` and read `expose` besides what they always may,
    /// send cookies where there are `credentials`, and go by a preflight for `max_age`.
    pub fn new(
        origins: Origins,
        credentials: bool,
        headers: &[HeaderName],
        expose: &[HeaderName],
        max_age: Duration,
    ) -> Self {
        let headers = list(SENT.iter().chain(headers));
        let expose = list(READ.iter().chain(expose));
        Self { origins, credentials, headers, expose, max_age: max_age.as_secs().into() }
    }

    /// The page's origin as the answer repeats it, where it is one that may.
    pub fn granted(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = only(request, &ORIGIN)?;
        match &self.origins {
            Origins::Any => Some(ANY),
            Origins::Listed(origins) => origins.contains(origin).then(|| origin.clone()),
        }
    }

    /// The headers of any answer, by what was granted.
    pub fn answer(&self, granted: Option<&HeaderValue>) -> impl Iterator<Item = Header> {
        // Caches must not serve one page with what was said to another, nor with what was not.
        let varies = matches!(self.origins, Origins::Listed(_));
        let vary = varies.then(|| (VARY, HeaderValue::from_static("Origin")));
        let read = granted.map(|_| (ACCESS_CONTROL_EXPOSE_HEADERS, self.expose.clone()));
        vary.into_iter().chain(self.grant(granted)).chain(read)
    }

    /// The headers of the answer to a preflight for this method.
    pub fn preflight(
        &self,
        granted: Option<&HeaderValue>,
        method: &Method,
    ) -> impl Iterator<Item = Header> {
        let vary = (VARY, HeaderValue::from_static(VARY_OF_PREFLIGHT));
        // Methods of a path may be routes of their own: it is said of the one that was asked about.
        let method = HeaderValue::from_str(method.as_str()).ok();
        let may = granted.and(method).into_iter().flat_map(|method| {
            [
                (ACCESS_CONTROL_ALLOW_METHODS, method),
                (ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone()),
                (ACCESS_CONTROL_MAX_AGE, self.max_age.clone()),
            ]
        });
        std::iter::once(vary).chain(self.grant(granted)).chain(may)
    }

    fn grant(&self, granted: Option<&HeaderValue>) -> impl Iterator<Item = Header> {
        let origin = granted.map(|origin| (ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()));
        let credentials = granted.filter(|_| self.credentials);
        let credentials = credentials
            .map(|_| (ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")));
        origin.into_iter().chain(credentials)
    }
}

/// The method that a preflight asks about. An OPTIONS that does not say which page wants what is an
/// ordinary request, and is authenticated as one.
pub fn preflighted(method: &Method, request: &HeaderMap) -> Option<&'static Method> {
    if method != Method::OPTIONS || only(request, &ORIGIN).is_none() {
        return None;
    }
    let asked = only(request, &ACCESS_CONTROL_REQUEST_METHOD)?;
    METHODS.iter().find(|method| method.as_str().as_bytes() == asked.as_bytes())
}

/// Whether a header of an upstream's answer is the gateway's to say on a route with `cors`.
pub fn is_ours(name: &HeaderName) -> bool {
    name.as_str().starts_with("access-control-")
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

fn list<'a>(names: impl Iterator<Item = &'a HeaderName>) -> HeaderValue {
    let names: Vec<_> = names.map(HeaderName::as_str).collect();
    // Names are visible ASCII, and so is their list.
    HeaderValue::try_from(names.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    fn cors(origins: Origins) -> Cors {
        Cors::new(origins, false, &[], &[], Duration::ZERO)
    }

    #[test]
    fn an_origin_is_granted_to_the_letter() {
        let listed = cors(Origins::Listed(vec![HeaderValue::from_static("https://a.example")]));
        let granted = |origin| listed.granted(&request(&[(ORIGIN, origin)]));
        assert_eq!(granted("https://a.example").unwrap(), "https://a.example");
        for origin in [
            "https://a.example.evil.example",
            "https://a.example:8443",
            "http://a.example",
            "https://A.example",
            "https://a.example/",
            "null",
            "",
            "*",
        ] {
            assert_eq!(granted(origin), None, "{origin}");
        }
        let two = request(&[(ORIGIN, "https://a.example"), (ORIGIN, "https://evil.example")]);
        assert_eq!(listed.granted(&two), None);
        assert_eq!(cors(Origins::Any).granted(&request(&[(ORIGIN, "https://x")])).unwrap(), "*");
    }

    #[test]
    fn a_preflight_says_which_page_wants_what() {
        let (origin, post) = ((ORIGIN, "https://a"), (ACCESS_CONTROL_REQUEST_METHOD, "POST"));
        let whole = request(&[origin.clone(), post.clone()]);
        assert_eq!(preflighted(&Method::OPTIONS, &whole), Some(&Method::POST));
        assert_eq!(preflighted(&Method::GET, &whole), None);
        let unknown = (ACCESS_CONTROL_REQUEST_METHOD, "post");
        let twice = [origin.clone(), post.clone(), post.clone()];
        for fields in [&[origin.clone()][..], &[post], &[origin, unknown], &twice] {
            assert_eq!(preflighted(&Method::OPTIONS, &request(fields)), None, "{fields:?}");
        }
    }
}
