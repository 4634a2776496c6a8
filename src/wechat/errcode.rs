//! What WeChat's errcodes mean for a client and for the operator.
//!
//! Only the number counts: the texts beside it change, and a hostile answer could put anything there.

use crate::refusal::{Reason, Refusal};

/// The call that an errcode answered: a few codes mean different things for different calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names of the calls in WeChat's documentation")]
pub enum Api {
    CheckSession,
    Code2Session,
    GetPhoneNumber,
    ImgSecCheck,
    MediaCheckAsync,
    MsgSecCheck,
    ResetUserSessionKey,
    StableToken,
}

impl Api {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::CheckSession,
        Self::Code2Session,
        Self::GetPhoneNumber,
        Self::ImgSecCheck,
        Self::MediaCheckAsync,
        Self::MsgSecCheck,
        Self::ResetUserSessionKey,
        Self::StableToken,
    ];

    /// The name of the call: the last part of its path.
    pub fn name(self) -> &'static str {
        self.path().rsplit('/').next().unwrap_or_default()
    }

    /// The path of the call.
    pub fn path(self) -> &'static str {
        match self {
            Self::CheckSession => "/wxa/checksession",
            Self::Code2Session => "/sns/jscode2session",
            Self::GetPhoneNumber => "/wxa/business/getuserphonenumber",
            Self::ImgSecCheck => "/wxa/img_sec_check",
            Self::MediaCheckAsync => "/wxa/media_check_async",
            Self::MsgSecCheck => "/wxa/msg_sec_check",
            Self::ResetUserSessionKey => "/wxa/resetusersessionkey",
            Self::StableToken => "/cgi-bin/stable_token",
        }
    }
}

/// The refusal that an errcode comes to.
pub fn refusal(api: Api, errcode: i64) -> Refusal {
    let (reason, remedy) = meaning(api, errcode);
    let note = format!("{} answered errcode {errcode}: {remedy}", api.path());
    Refusal::new(reason, note).errcode(errcode)
}

/// Whether the access_token that the call carried is the reason: another one may do.
pub fn is_stale_access_token(errcode: i64) -> bool {
    matches!(errcode, 40001 | 40014 | 42001)
}

/// The errcodes that mean something for a call, all of them in order.
pub fn known(api: Api) -> impl Iterator<Item = i64> {
    KNOWN
        .into_iter()
        .filter(move |errcode| special(api, *errcode).or_else(|| of_any(*errcode)).is_some())
}

/// The errcodes that mean something for some call.
const KNOWN: [i64; 39] = [
    -1, 40001, 40002, 40003, 40004, 40005, 40006, 40013, 40014, 40029, 40097, 40125, 40163, 40164,
    40226, 40243, 41001, 41002, 41004, 41005, 41008, 42001, 43104, 44991, 45001, 45002, 45009,
    45011, 48001, 50004, 50007, 61010, 61024, 87007, 87009, 87014, 89503, 89506, 89507,
];

const APP: &str = "compare appid and AppSecret with the console of the Mini Program";

fn meaning(api: Api, errcode: i64) -> (Reason, &'static str) {
    special(api, errcode).or_else(|| of_any(errcode)).unwrap_or((
        Reason::WechatBadAnswer,
        "this errcode is not documented for the call; look it up in WeChat's list of return codes",
    ))
}

fn special(api: Api, errcode: i64) -> Option<(Reason, &'static str)> {
    match api {
        Api::Code2Session => of_login(errcode),
        Api::GetPhoneNumber => of_phone_number(errcode),
        Api::CheckSession | Api::ResetUserSessionKey => of_session_key(errcode),
        Api::ImgSecCheck | Api::MediaCheckAsync | Api::MsgSecCheck => of_content(errcode),
        Api::StableToken => of_token(errcode),
    }
}

fn of_login(errcode: i64) -> Option<(Reason, &'static str)> {
    Some(match errcode {
        40029 => (
            Reason::LoginCodeInvalid,
            "the code is expired, of another appid, or no login code; the client calls wx.login again",
        ),
        40163 => (
            Reason::LoginCodeUsed,
            "the code was exchanged before; if nothing else uses this appid's codes, the client sends them twice",
        ),
        40226 => (Reason::UserBlocked, "WeChat holds this user for a risk"),
        41008 => (Reason::BadRequest, "the code is empty"),
        _ => return None,
    })
}

fn of_phone_number(errcode: i64) -> Option<(Reason, &'static str)> {
    Some(match errcode {
        40003 | 40029 | 40163 | 40097 | 61010 | 43104 => (
            Reason::PhoneCodeRefused,
            "the phone code is expired, used, or another user's; the client asks for a new one",
        ),
        40013 => (
            Reason::PhoneCodeRefused,
            "the phone code is of another appid; check that client and gateway have the same",
        ),
        _ => return None,
    })
}

fn of_session_key(errcode: i64) -> Option<(Reason, &'static str)> {
    Some(match errcode {
        87007 | 87009 => (
            Reason::SessionKeyStale,
            "the session key is not the user's valid one; the client calls wx.login",
        ),
        _ => return None,
    })
}

fn of_content(errcode: i64) -> Option<(Reason, &'static str)> {
    Some(match errcode {
        // The file's fault, not the check's: a route that lets content pass unchecked while WeChat
        // does not answer must not let this one pass.
        40004..=40006 | 41005 | 45001 => {
            (Reason::BadRequest, "WeChat's check does not take the file")
        }
        45002 => (Reason::BadRequest, "the text is too long for WeChat's check"),
        61010 => (
            Reason::WechatUnavailable,
            "the user has not been in the Mini Program for two hours, and WeChat checks nothing for such users",
        ),
        87014 => (Reason::ContentRisky, "WeChat holds the content for risky"),
        _ => return None,
    })
}

fn of_token(errcode: i64) -> Option<(Reason, &'static str)> {
    Some(match errcode {
        // The call carries no access_token: what is invalid is the AppSecret.
        40001 => (Reason::WechatMisconfigured, APP),
        _ => return None,
    })
}

fn of_any(errcode: i64) -> Option<(Reason, &'static str)> {
    const BUSY: &str = "WeChat is busy; the next try may do";
    const WHITELIST: &str = "add the gateway's outgoing address to the IP whitelist in the console, or set [wechat] proxy";
    Some(match errcode {
        -1 => (Reason::WechatUnavailable, BUSY),
        40001 | 40014 | 41001 | 42001 => (
            Reason::WechatUnavailable,
            "the access_token was not taken; something else fetches tokens for this appid, or WeChat is late",
        ),
        40002 | 40013 | 40125 | 41002 | 41004 => (Reason::WechatMisconfigured, APP),
        40164 => (Reason::WechatMisconfigured, WHITELIST),
        40243 => (
            Reason::WechatMisconfigured,
            "the AppSecret is frozen; unfreeze it in the console of the Mini Program",
        ),
        45009 => (Reason::WechatUnavailable, "the daily quota of this call is used up"),
        45011 | 44991 => (Reason::RateLimited, "the quota of this minute is used up"),
        48001 | 50004 | 50007 | 61024 => (
            Reason::WechatMisconfigured,
            "this appid may not make the call; see its permissions and state in the console",
        ),
        89503 | 89506 | 89507 => (
            Reason::WechatMisconfigured,
            "the call waits for, or was refused by, an administrator of the Mini Program in WeChat",
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_errcode_that_means_something_is_known() {
        let means_something = |errcode: &i64| {
            let of = |api: Api| special(api, *errcode).is_some();
            Api::ALL.into_iter().any(of) || of_any(*errcode).is_some()
        };
        let found: Vec<_> = (-10..1_000_000).filter(means_something).collect();
        assert_eq!(KNOWN.as_slice(), found);
    }

    #[test]
    fn every_errcode_of_a_login_has_its_answer() {
        for (errcode, reason) in [
            (-1, Reason::WechatUnavailable),
            (40002, Reason::WechatMisconfigured),
            (40013, Reason::WechatMisconfigured),
            (40029, Reason::LoginCodeInvalid),
            (40125, Reason::WechatMisconfigured),
            (40163, Reason::LoginCodeUsed),
            (40164, Reason::WechatMisconfigured),
            (40226, Reason::UserBlocked),
            (40243, Reason::WechatMisconfigured),
            (41002, Reason::WechatMisconfigured),
            (41004, Reason::WechatMisconfigured),
            (41008, Reason::BadRequest),
            (45009, Reason::WechatUnavailable),
            (45011, Reason::RateLimited),
            (99999, Reason::WechatBadAnswer),
        ] {
            let refusal = refusal(Api::Code2Session, errcode);
            assert_eq!((refusal.reason, refusal.wechat_errcode), (reason, Some(errcode)));
        }
    }
}
