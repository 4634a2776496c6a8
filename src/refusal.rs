//! Every reason to refuse a request, in one table.
//!
//! The client is told a status, a stable code and one fixed text; the operator's log line also gets
//! the note. Nothing else in the program decides on a status of its own.

mod table;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;
use tracing::{debug, warn};

pub use table::{Entry, TABLE};

/// Why a request is refused. The names are the stable codes of the HTTP API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table says what each one means")]
pub enum Reason {
    BadRequest,
    BodyTooLarge,
    ContentRisky,
    HeadersTooLarge,
    LoginCodeInvalid,
    LoginCodeUsed,
    MethodNotAllowed,
    NoRoute,
    PhoneCodeRefused,
    RateLimited,
    RequestTimeout,
    SessionKeyStale,
    StoreUnavailable,
    TokenInvalid,
    TokenMissing,
    UnsupportedMediaType,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnavailable,
    UriTooLong,
    UserBlocked,
    WechatBadAnswer,
    WechatMisconfigured,
    WechatUnavailable,
    WrongCodeKind,
}

impl Reason {
    /// What is said of this reason.
    pub fn entry(self) -> &'static Entry {
        // A test holds the table in the order of the enum.
        #[allow(clippy::indexing_slicing, reason = "the table has an entry for each variant")]
        &TABLE[self as usize]
    }
}

/// One refusal: the reason, and what only this case can say.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// WeChat's errcode, where WeChat gave one; told to the client.
    pub wechat_errcode: Option<i64>,
    /// When to try again, where that is known better than in the table.
    pub retry_after: Option<Duration>,
    /// The methods that the path takes, for `Allow`.
    pub allow: Option<String>,
    /// What happened, where, and what to do: for the operator's log, never for the client.
    /// It holds no secret and no bytes of the client's.
    pub note: Option<Cow<'static, str>>,
    /// Whether the operator was told when it began: then it is not said again for each request.
    pub said: bool,
}

impl Refusal {
    /// A refusal with a note for the operator.
    pub fn new(reason: Reason, note: impl Into<Cow<'static, str>>) -> Self {
        Self { note: Some(note.into()), ..reason.into() }
    }

    /// The same with WeChat's errcode.
    pub fn errcode(mut self, errcode: i64) -> Self {
        self.wechat_errcode = Some(errcode);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.reason.entry().status
    }

    /// Seconds for `Retry-After`, rounded up so that nobody comes too early.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self.retry_after {
            Some(wait) => Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
            None => self.reason.entry().retry_after.map(u64::from),
        }
    }

    /// What the answer says beside its status and body.
    pub fn headers(&self) -> HeaderMap {
        let problem = HeaderValue::from_static("application/problem+json");
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, problem)]);
        if self.status() == StatusCode::UNAUTHORIZED.as_u16() {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(allow) = self.allow.as_deref().and_then(|allow| allow.parse().ok()) {
            headers.insert(ALLOW, allow);
        }
        headers
    }

    /// Tells the operator what the client is not told.
    pub fn report(&self, request_id: &str, route: &str) {
        if self.reason.entry().operator && !self.said {
            warn!(request_id, route, "{self}");
        } else {
            debug!(request_id, route, "{self}");
        }
    }

    /// The problem document (RFC 9457).
    pub fn body(&self, request_id: &str) -> String {
        let entry = self.reason.entry();
        let mut problem = json!({
            "type": format!("urn:wxgate:problem:{}", entry.code),
            "title": entry.title,
            "status": entry.status,
            "code": entry.code,
            "detail": entry.detail,
            "request_id": request_id,
        });
        if let (Some(errcode), Some(members)) = (self.wechat_errcode, problem.as_object_mut()) {
            members.insert("wechat_errcode".to_owned(), errcode.into());
        }
        problem.to_string()
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            wechat_errcode: None,
            retry_after: None,
            allow: None,
            note: None,
            said: false,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.entry().code)?;
        if let Some(errcode) = self.wechat_errcode {
            write!(f, " (errcode {errcode})")?;
        }
        match &self.note {
            Some(note) => write!(f, ": {note}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_is_a_problem_document_without_the_note() {
        let refusal =
            Refusal::new(Reason::WechatMisconfigured, "errcode 40164 from 10.0.0.1").errcode(40164);
        let body: serde_json::Value = serde_json::from_str(&refusal.body("r-1")).unwrap();
        assert_eq!(body["code"], "wechat_misconfigured");
        assert_eq!(body["status"], 503);
        assert_eq!(body["wechat_errcode"], 40164);
        assert_eq!(body["request_id"], "r-1");
        assert!(!body.to_string().contains("10.0.0.1"));
    }
}
