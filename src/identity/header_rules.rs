//! Which headers of a client never reach an upstream.
//!
//! Upstreams fold names: nginx, PHP and WSGI read `X_WX_OPENID`, PHP also `X.WX.OPENID`, as
//! `X-WX-OPENID` (CVE-2025-64484, GHSA-f59h-q822-g45g, GHSA-49wc-4hcv-v58q). So a name is judged in its
//! folded form, and one that still has `_` or `.` goes only where the upstream lists it.

use http::HeaderName;

use super::Settings;

/// Names that mean something to one connection only (RFC 9110, 7.6.1). pingora removes the ones that
/// are spelled so; here they matter in another spelling.
pub const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// How a message is read, and whose it is.
const MESSAGE: [&str; 5] =
    ["content-encoding", "content-length", "content-range", "expect", "host"];

/// Where a request came from and what it is a part of: a gateway before us writes these too.
const OF_GATEWAYS: [&str; 3] = ["traceparent", "tracestate", "x-request-id"];
const OF_GATEWAYS_PREFIX: &str = "x-forwarded-";

/// Another method, path or address than those that the routes were asked about. We write two of them
/// ourselves; on a request that another gateway passes on they are the client's word.
pub static OVERRIDING: [HeaderName; 7] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-rewrite-url"),
];
const OVERRIDING_PREFIXES: [&str; 2] = ["x-original-", "x-rewrite-"];

/// The rules, with the names of the configuration.
#[derive(Debug)]
pub struct HeaderRules {
    /// A dozen short names, mostly of other lengths than the one that is looked for: faster than hashing it.
    identity: Vec<String>,
}

impl HeaderRules {
    /// Rules for these identity headers.
    pub fn new(settings: &Settings) -> Self {
        Self { identity: settings.names().map(|name| folded(name.as_str())).collect() }
    }

    /// Whether a client's header must not reach an upstream that lists `passed`.
    pub fn removes(&self, name: &HeaderName, passed: &[HeaderName]) -> bool {
        let text = name.as_str();
        if !text.bytes().any(|byte| matches!(byte, b'_' | b'.')) {
            return self.is_own(text);
        }
        let folded = folded(text);
        self.is_own(&folded) || HOP_BY_HOP.contains(&folded.as_str()) || !passed.contains(name)
    }

    /// Whether a header of a request that another gateway passes on says who the user is, or overrides
    /// what we were asked about, or is another spelling of what only gateways say. What they have reason
    /// to write in its plain spelling is theirs.
    pub fn feigns(&self, name: &HeaderName) -> bool {
        let text = name.as_str();
        if !text.contains(['_', '.']) {
            return text.starts_with("x-wx-") || is_overriding(text) || self.is_identity(text);
        }
        let folded = folded(text);
        self.is_own(&folded) || HOP_BY_HOP.contains(&folded.as_str())
    }

    /// Whether no route may change this header: it says who the user is or where a request came from,
    /// or by it a message is framed, routed or passed on.
    pub fn reserves(&self, name: &HeaderName) -> bool {
        let folded = folded(name.as_str());
        let folded = folded.as_str();
        self.is_own(folded)
            || HOP_BY_HOP.contains(&folded)
            || MESSAGE.contains(&folded)
            || folded.starts_with("x-session-")
    }

    /// Whether only the gateway may set a header of this folded name.
    fn is_own(&self, name: &str) -> bool {
        let likely = name.starts_with("x-") || name.starts_with(['f', 't']);
        (likely && (name.starts_with("x-wx-") || is_of_gateways(name) || is_overriding(name)))
            || self.is_identity(name)
    }

    fn is_identity(&self, folded: &str) -> bool {
        self.identity.iter().any(|own| own == folded)
    }
}

fn is_of_gateways(name: &str) -> bool {
    OF_GATEWAYS.contains(&name) || name.starts_with(OF_GATEWAYS_PREFIX)
}

fn is_overriding(name: &str) -> bool {
    OVERRIDING.iter().any(|overriding| overriding.as_str() == name)
        || OVERRIDING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn folded(name: &str) -> String {
    name.chars().map(|c| if matches!(c, '_' | '.') { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> HeaderRules {
        let user = HeaderName::from_static("x-user-id");
        let claims = [("user_id".to_owned(), user)].into_iter().collect();
        HeaderRules::new(&Settings { claims, ..Settings::default() })
    }

    fn name(text: &str) -> HeaderName {
        HeaderName::try_from(text).unwrap()
    }

    #[test]
    fn identity_is_removed_in_every_spelling() {
        for text in [
            "X-WX-OPENID",
            "x_wx_openid",
            "X.WX.OPENID",
            "x-wx_openid",
            "X-WX-anything",
            "x-user-id",
            "X_User.Id",
            "Forwarded",
            "X-Forwarded-For",
            "x_forwarded_host",
            "X-Original-URL",
            "X-Rewrite-URL",
            "X-Real-IP",
            "X-Request-Id",
            "X-HTTP-Method-Override",
            "transfer_encoding",
            "traceparent",
            "Tracestate",
        ] {
            assert!(rules().removes(&name(text), &[]), "{text}");
            assert!(rules().removes(&name(text), &[name(text)]), "{text} even where it is listed");
        }
    }

    #[test]
    fn routes_leave_what_is_the_gateways_in_every_spelling() {
        for text in [
            "X-WX-OpenID",
            "x_wx_openid",
            "X.User.Id",
            "X-Session-Token",
            "X-Forwarded-Proto",
            "Forwarded",
            "X-Real-IP",
            "X-Request-Id",
            "Connection",
            "transfer_encoding",
            "TE",
            "Upgrade",
            "Content-Length",
            "Host",
        ] {
            assert!(rules().reserves(&name(text)), "{text}");
        }
        for text in ["authorization", "cookie", "x-env", "cache-control", "content-type", "server"]
        {
            assert!(!rules().reserves(&name(text)), "{text}");
        }
    }

    #[test]
    fn a_gateway_before_us_keeps_its_own_word_and_no_other() {
        for overriding in OVERRIDING.iter().map(HeaderName::as_str) {
            assert!(rules().removes(&name(overriding), &[]), "{overriding}");
            assert!(rules().feigns(&name(overriding)), "{overriding}");
        }
        for text in ["x-original-host", "X-Rewrite-Path", "x_http.method", "x_request_id"] {
            assert!(rules().feigns(&name(text)), "{text}");
        }
        for text in ["x-forwarded-for", "x-request-id", "traceparent", "tracestate", "accept"] {
            assert!(!rules().feigns(&name(text)), "{text}");
        }
    }

    #[test]
    fn what_is_the_clients_own_passes() {
        for text in ["accept", "content-type", "cookie", "x-wxfoo", "x-trace", "trace", "from"] {
            assert!(!rules().removes(&name(text), &[]), "{text}");
        }
        assert!(rules().removes(&name("x_legacy"), &[]));
        assert!(!rules().removes(&name("x_legacy"), &[name("X_Legacy")]));
    }
}
