//! `phone`: the user's phone number, by a code or by encryptedData and iv.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::fields::Fields;
use super::login::is_phone_code;
use super::open_data::{Opener, sealed};
use crate::refusal::{Reason, Refusal};
use crate::secret::Secret;
use crate::session::access_token::AccessTokens;
use crate::session::record::Session;
use crate::wechat::app::App;
use crate::wechat::client::{Client, unusable};
use crate::wechat::errcode::Api;
use crate::wechat::open_data::{Kind, Sealed};
use crate::wechat::phone_info::PhoneInfo;

/// What an upstream does not get of the fields: what the gateway takes, and what only it says. The rest
/// is the client's own.
pub const FIELDS: [&str; 6] = ["code", "encryptedData", "iv", "rawData", "signature", "phone_info"];

/// What a client proves its phone number with.
#[derive(Debug)]
enum Proof<'a> {
    /// The code of getPhoneNumber.
    Code(&'a str),
    /// What getPhoneNumber has sealed.
    Sealed(Sealed),
}

/// The phone numbers of users.
#[derive(Debug)]
pub struct Phones {
    client: Client,
    tokens: Arc<AccessTokens>,
    opener: Arc<Opener>,
}

impl Phones {
    /// Phone numbers by this client with these tokens, or by this opener.
    pub fn new(client: Client, tokens: Arc<AccessTokens>, opener: Arc<Opener>) -> Self {
        Self { client, tokens, opener }
    }

    /// The phone number of the session's user.
    pub async fn phone(
        &self,
        app: &Arc<App>,
        session: &Session,
        fields: &Fields,
    ) -> Result<Box<RawValue>, Refusal> {
        let phone_info = match proof(fields)? {
            Proof::Code(code) => self.by_code(app, session, code).await?,
            Proof::Sealed(sealed) => {
                let opened = self.opener.open_sealed(session, &sealed, Kind::Phone).await?;
                PhoneInfo::parse(opened.get()).map_err(|_| {
                    Refusal::new(Reason::SessionKeyStale, "what was opened is no phone number")
                })?
            }
        };
        Ok(phone_info.into_json())
    }

    async fn by_code(
        &self,
        app: &Arc<App>,
        session: &Session,
        code: &str,
    ) -> Result<PhoneInfo, Refusal> {
        let (code, openid) = (&Secret::new(code), &session.user.openid);
        let call = |token: Secret| async move {
            self.client.of(app).get_phone_number(&token, code, openid).await
        };
        let answer = self.tokens.call_with_token(app, call).await?;
        PhoneInfo::parse(answer.get())
            .map_err(|_| unusable(Api::GetPhoneNumber, "a phone_info without a phone number"))
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
