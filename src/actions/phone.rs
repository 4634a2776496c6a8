//! `phone`: the user's phone number, by a code or by encryptedData and iv.

use serde_json::value::RawValue;

use super::fields::Fields;
use super::login::is_phone_code;
use super::open_data::{Opener, sealed};
use crate::refusal::{Reason, Refusal};
use crate::session::record::Session;
use crate::wechat::open_data::Kind;
use crate::wechat::phone_info::PhoneInfo;

/// What a client proves its phone number with.
#[derive(Debug)]
enum Proof<'a> {
    /// The code of getPhoneNumber.
    Code(&'a str),
    /// What getPhoneNumber has sealed.
    Sealed(crate::wechat::open_data::Sealed),
}

/// The phone number of the session's user.
pub async fn phone(
    opener: &Opener,
    session: &Session,
    fields: &Fields,
) -> Result<Box<RawValue>, Refusal> {
    match proof(fields)? {
        Proof::Code(_) => Err(Refusal::new(Reason::WechatUnavailable, "not available yet")),
        Proof::Sealed(sealed) => {
            let opened = opener.open_sealed(session, &sealed, Kind::Phone).await?;
            let phone_info = PhoneInfo::parse(opened.get()).map_err(|_| {
                Refusal::new(Reason::SessionKeyStale, "what was opened is no phone number")
            })?;
            Ok(phone_info.into_json())
        }
    }
}

/// A client that sends all of what getPhoneNumber gave it sends both; the code is WeChat's newer way.
fn proof(fields: &Fields) -> Result<Proof<'_>, Refusal> {
    if let Some(code) = fields.text("code")? {
        if !is_phone_code(code) {
            let note = "not a phone code: the client sends the code of wx.login, or another text";
            return Err(Refusal::new(Reason::WrongCodeKind, note));
        }
        return Ok(Proof::Code(code));
    }
    let missing = "neither code nor encryptedData and iv";
    sealed(fields)?.map(Proof::Sealed).ok_or_else(|| Refusal::new(Reason::BadRequest, missing))
}
