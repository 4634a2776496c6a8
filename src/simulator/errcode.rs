//! WeChat's errcodes and its own words for them.

use std::borrow::Cow;

/// A call that WeChat refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The errcode.
    pub(super) errcode: i64,
    /// The words before the request id.
    pub(super) text: Cow<'static, str>,
    /// Whether a hint stands before the request id, as the phone API has it.
    pub(super) hint: bool,
}

impl Failure {
    /// The failure with WeChat's own words.
    pub(super) fn of(errcode: i64) -> Self {
        Self { errcode, text: text(errcode).into(), hint: false }
    }

    /// A failure with words of its own.
    pub(super) fn new(errcode: i64, text: impl Into<Cow<'static, str>>) -> Self {
        Self { errcode, text: text.into(), hint: false }
    }

    /// The same with a hint.
    pub(super) fn with_hint(mut self) -> Self {
        self.hint = true;
        self
    }
}

/// The words on the wire, without the request id. Where no capture of an errcode is public, they
/// are the ones of its documentation page.
fn text(errcode: i64) -> &'static str {
    match errcode {
        -1 => "system error",
        0 => "ok",
        40001 => {
            "invalid credential, access_token is invalid or not latest, could get access_token by \
             getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"
        }
        40002 => "invalid grant_type",
        40003 => "invalid openid",
        40004 => "invalid media type",
        40013 => "invalid appid",
        40014 => "invalid access_token",
        40029 => "invalid code",
        40066 => "invalid url",
        40097 => "invalid args",
        40125 => "invalid appsecret",
        40129 => "invalid scene",
        40163 => "code been used",
        40226 => "code blocked",
        40243 => "AppSecret frozen",
        41001 => "access_token missing",
        41002 => "appid missing",
        41004 => "appsecret missing",
        41005 => "media data missing",
        41008 => "missing code",
        42001 => "access_token expired",
        43001 => "require GET method",
        43002 => "require POST method",
        43104 => "appid and openid not match",
        44002 => "empty post data",
        44991 => "reach api minute-quota limit",
        45009 => "reach max api daily quota limit",
        45011 => "api minute-quota reach limit, must slower, retry next minute",
        47001 => "data format error",
        48001 => "api unauthorized",
        48006 => "forbid to clear quota because of reaching the limit",
        50004 => "forbid to use the token api",
        50007 => "account is frozen",
        61010 => "code is expired",
        61024 => "must use api(api_component_token) to get token for component acct",
        76001 => "rid not found",
        76002 => "rid is empty or malformed",
        76003 => "rid is not of this account",
        76004 => "rid is too old",
        76021 => "cgi_path not found",
        76022 => "could not use this cgi_path, no permission",
        87007 => "session_key is not existd or expired",
        87008 => "invalid sig_method",
        87009 => "invalid signature",
        87014 => "risky content",
        87020 => "repeat request limit",
        89503 => "ip not confirmed, the admin has to confirm it",
        89506 => "ip refused by the admin, retry after 24 hours",
        89507 => "ip refused by the admin, retry after 1 hour",
        _ => "error",
    }
}
