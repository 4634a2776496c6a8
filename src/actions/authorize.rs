//! `authorize`: tells another gateway whose a request is. nginx asks so by `auth_request`, Traefik by
//! ForwardAuth, Envoy by ext_authz over HTTP.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::answer::Answer;
use crate::identity::Identity;
use crate::identity::mutations::Mutations;

/// Which headers of the request Envoy takes off; the only one that reads it.
const HEADERS_TO_REMOVE: HeaderName = HeaderName::from_static("x-envoy-auth-headers-to-remove");

/// The answer to a gateway whose request may go on with these changes.
///
/// Every identity header is there, empty where there is nothing to say. The others copy what they are
/// told to copy onto the client's request, and Envoy and older releases of APISIX leave there what the
/// answer does not have: the client's own.
pub fn authorize(identity: &Identity, changed: &Mutations) -> Answer {
    let mut headers = HeaderMap::new();
    for name in identity.names() {
        let value = changed.set.get(name).cloned();
        headers.insert(name.clone(), value.unwrap_or_else(|| HeaderValue::from_static("")));
    }
    let names: Vec<_> = changed.remove.iter().map(HeaderName::as_str).collect();
    if let Ok(names) = HeaderValue::try_from(names.join(","))
        && !names.is_empty()
    {
        headers.insert(HEADERS_TO_REMOVE, names);
    }
    Answer { headers, ..Answer::empty() }
}
