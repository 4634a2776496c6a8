//! The bytes of an answer.
//!
//! WeChat answers 200 whatever happened, each family with a content type and an ending of the
//! errmsg of its own.

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::errcode::Failure;
use super::random;

/// The family of an API: the first segment of its path decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// `/cgi-bin` and `/wxa`.
    Api,
    /// `/sns`.
    Sns,
}

impl Family {
    pub(super) fn of(path: &str) -> Self {
        if path.starts_with("/sns/") { Self::Sns } else { Self::Api }
    }

    /// The header as WeChat sends it: `encoding=` is not a slip of ours.
    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Api => "application/json; encoding=utf-8",
            Self::Sns => "text/plain",
        })
    }

    /// The body text. `/sns` escapes slashes, so that base64 comes with `\/` in it.
    pub(super) fn render(self, body: &Value) -> String {
        let text = body.to_string();
        match self {
            Self::Api => text,
            // In JSON a slash stands only inside of strings.
            Self::Sns => text.replace('/', "\\/"),
        }
    }

    /// The body of a failure, with the request id.
    pub(super) fn failure(self, failure: &Failure, rid: &str) -> Value {
        let Failure { errcode, text, hint } = failure;
        let errmsg = match (self, hint) {
            (Self::Sns, _) => format!("{text}, rid: {rid}"),
            (Self::Api, false) => format!("{text} rid: {rid}"),
            (Self::Api, true) => format!("{text} hint: [{}] rid: {rid}", random::hint()),
        };
        json!({ "errcode": errcode, "errmsg": errmsg })
    }

    /// The answer with `body`.
    pub(super) fn respond(self, body: impl Into<Body>) -> Response {
        let mut response = Response::new(body.into());
        response.headers_mut().insert(CONTENT_TYPE, self.content_type());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sns_escapes_slashes_and_keeps_the_order() {
        let body = json!({ "session_key": "/QG+r9/=", "openid": "o1" });
        assert_eq!(Family::Sns.render(&body), r#"{"session_key":"\/QG+r9\/=","openid":"o1"}"#);
        assert_eq!(Family::Api.render(&body), r#"{"session_key":"/QG+r9/=","openid":"o1"}"#);
    }

    #[test]
    fn each_family_ends_the_errmsg_in_its_own_way() {
        let failure = Failure::of(40029);
        let message =
            |family: Family, failure: &Failure| family.failure(failure, "r")["errmsg"].clone();
        assert_eq!(message(Family::Sns, &failure), "invalid code, rid: r");
        assert_eq!(message(Family::Api, &failure), "invalid code rid: r");
        let hinted = message(Family::Api, &failure.with_hint());
        let hinted = hinted.as_str().unwrap();
        assert!(hinted.starts_with("invalid code hint: [") && hinted.ends_with("] rid: r"));
    }
}
