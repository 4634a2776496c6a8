//! Every reason to refuse a request, in one table.
//!
//! The client is told a status, a stable code and one fixed text; the operator's log line also gets
//! the note. Nothing else in the program decides on a status of its own.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::json;

/// Why a request is refused. The names are the stable codes of the HTTP API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table below says what each one means")]
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
    ShuttingDown,
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

/// What is said of a [`Reason`].
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The reason that this entry is of.
    pub reason: Reason,
    /// The HTTP status.
    pub status: u16,
    /// The stable code: part of the API, and the metric label.
    pub code: &'static str,
    /// The short text of the problem document.
    pub title: &'static str,
    /// The fixed sentence for the client.
    pub detail: &'static str,
    /// After how many seconds another try may help.
    pub retry_after: Option<u32>,
    /// Whether somebody who runs the gateway has to look at it.
    pub operator: bool,
}

const fn entry(
    reason: Reason,
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: &'static str,
) -> Entry {
    Entry { reason, status, code, title, detail, retry_after: None, operator: false }
}

impl Entry {
    const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    const fn operator(mut self) -> Self {
        self.operator = true;
        self
    }
}

/// The table, in the order of [`Reason`].
pub static TABLE: [Entry; 26] = {
    use Reason::*;
    [
        entry(
            BadRequest,
            400,
            "bad_request",
            "Bad request",
            "The request is malformed or ambiguous, or a field is missing, doubled or of the wrong form.",
        ),
        entry(
            BodyTooLarge,
            413,
            "body_too_large",
            "Body too large",
            "The request body is larger than this route takes.",
        ),
        entry(
            ContentRisky,
            422,
            "content_risky",
            "Content refused",
            "The content check refused the nickname or the avatar.",
        ),
        entry(
            HeadersTooLarge,
            431,
            "headers_too_large",
            "Headers too large",
            "The request header section is larger than allowed.",
        ),
        entry(
            LoginCodeInvalid,
            401,
            "login_code_invalid",
            "Login code invalid",
            "WeChat does not know this login code, or it is older than five minutes. Call wx.login again.",
        ),
        entry(
            LoginCodeUsed,
            401,
            "login_code_used",
            "Login code used",
            "This login code was used before. Call wx.login again.",
        ),
        entry(
            MethodNotAllowed,
            405,
            "method_not_allowed",
            "Method not allowed",
            "This path does not take this method.",
        ),
        entry(
            NoRoute,
            404,
            "no_route",
            "No route",
            "No route of this gateway matches the request.",
        ),
        entry(
            PhoneCodeRefused,
            400,
            "phone_code_refused",
            "Phone code refused",
            "WeChat refused the phone code: it is expired, used, or another user's.",
        ),
        entry(
            RateLimited,
            429,
            "rate_limited",
            "Too many requests",
            "Too many requests. Wait before the next one.",
        )
        .retry_after(60),
        entry(
            RequestTimeout,
            408,
            "request_timeout",
            "Request timeout",
            "The request took too long to arrive.",
        ),
        entry(
            SessionKeyStale,
            409,
            "session_key_stale",
            "Session key stale",
            "The data could not be opened. Call wx.login, then ask the user again.",
        ),
        entry(
            ShuttingDown,
            503,
            "shutting_down",
            "Shutting down",
            "This gateway is shutting down. Try again.",
        )
        .retry_after(1),
        entry(
            StoreUnavailable,
            503,
            "store_unavailable",
            "Session store unavailable",
            "The session store does not answer. Your session is not lost. Try again.",
        )
        .retry_after(2)
        .operator(),
        entry(
            TokenInvalid,
            401,
            "token_invalid",
            "Token invalid",
            "The token is not valid, or its session has ended. Log in again.",
        ),
        entry(
            TokenMissing,
            401,
            "token_missing",
            "Token missing",
            "This path needs a token. Log in first.",
        ),
        entry(
            UnsupportedMediaType,
            415,
            "unsupported_media_type",
            "Unsupported media type",
            "The body of this request must be JSON or a form.",
        ),
        entry(
            UpstreamError,
            502,
            "upstream_error",
            "Upstream error",
            "The service behind the gateway gave no usable answer.",
        )
        .operator(),
        entry(
            UpstreamTimeout,
            504,
            "upstream_timeout",
            "Upstream timeout",
            "The service behind the gateway did not answer in time.",
        )
        .operator(),
        entry(
            UpstreamUnavailable,
            503,
            "upstream_unavailable",
            "Upstream unavailable",
            "The service behind the gateway cannot be reached. Try again.",
        )
        .retry_after(1)
        .operator(),
        entry(UriTooLong, 414, "uri_too_long", "URI too long", "The request target is too long."),
        entry(
            UserBlocked,
            403,
            "user_blocked",
            "User blocked",
            "WeChat blocked this user's login as a risk.",
        ),
        entry(
            WechatBadAnswer,
            502,
            "wechat_bad_answer",
            "WeChat gave a bad answer",
            "WeChat gave an answer that cannot be used. Try again.",
        )
        .operator(),
        entry(
            WechatMisconfigured,
            503,
            "wechat_misconfigured",
            "WeChat settings are wrong",
            "The gateway's WeChat settings are wrong. The operator has to mend them.",
        )
        .operator(),
        entry(
            WechatUnavailable,
            503,
            "wechat_unavailable",
            "WeChat unavailable",
            "WeChat does not answer. Try again.",
        )
        .retry_after(2)
        .operator(),
        entry(
            WrongCodeKind,
            400,
            "wrong_code_kind",
            "Wrong kind of code",
            "This is the other kind of code: wx.login gives the login code, getPhoneNumber the phone code.",
        ),
    ]
};

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
        Self { reason, wechat_errcode: None, retry_after: None, allow: None, note: None }
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
    fn table_is_in_the_order_of_the_reasons() {
        for (index, entry) in TABLE.iter().enumerate() {
            assert_eq!(entry.reason as usize, index, "{}", entry.code);
            assert_eq!(entry.reason.entry().code, entry.code);
        }
    }

    #[test]
    fn codes_are_the_snake_case_of_the_reasons_and_unique() {
        let mut codes: Vec<_> = TABLE.iter().map(|entry| entry.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), TABLE.len());
        for entry in &TABLE {
            let name = format!("{:?}", entry.reason).to_lowercase();
            assert_eq!(entry.code.replace('_', ""), name);
        }
    }

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
