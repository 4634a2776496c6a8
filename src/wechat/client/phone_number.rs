//! getPhoneNumber: a phone code for the number.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::{Body, Call, Client, Failed};
use crate::secret::Secret;
use crate::wechat::errcode::Api;
use crate::wechat::user::OpenId;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    phone_info: &'a RawValue,
}

impl Client {
    /// The `phone_info` object of a phone code, as WeChat wrote it. The openid always goes with the
    /// code: without it WeChat does not notice that the code is another user's, whose number the
    /// session would then get.
    pub async fn get_phone_number(
        &self,
        token: &Secret,
        code: &Secret,
        openid: &OpenId,
    ) -> Result<Box<RawValue>, Failed> {
        let call = Call {
            api: Api::GetPhoneNumber,
            query: &[("access_token", token.expose())],
            body: Body::Json(json!({ "code": code.expose(), "openid": openid.as_str() })),
        };
        let (_, text) = self.call_for_text(&call).await?;
        match serde_json::from_slice::<Answer<'_>>(&text) {
            Ok(Answer { phone_info }) if phone_info.get().starts_with('{') => {
                Ok(phone_info.to_owned())
            }
            _ => Err(Failed::unusable(Api::GetPhoneNumber, "no phone_info that can be used")),
        }
    }
}
