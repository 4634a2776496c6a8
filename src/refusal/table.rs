//! What is said of each reason to refuse a request.

use super::Reason;

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
pub static TABLE: [Entry; 25] = {
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
}
