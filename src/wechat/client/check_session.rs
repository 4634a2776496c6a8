//! checkSessionKey: whether a session key is still the user's valid one.

use super::{Body, Call, Client, Failed};
use crate::secret::Secret;
use crate::wechat::errcode::Api;
use crate::wechat::session_key::SessionKey;
use crate::wechat::user::OpenId;

/// The errcode for a signature that was not made with the valid key.
const INVALID_SIGNATURE: i64 = 87009;

impl Client {
    /// Whether the key is the user's valid one. That it is not is an answer here, no failure.
    pub async fn check_session(
        &self,
        token: &Secret,
        openid: &OpenId,
        key: &SessionKey,
    ) -> Result<bool, Failed> {
        let call = Call {
            api: Api::CheckSession,
            query: &[
                ("access_token", token.expose()),
                ("openid", openid.as_str()),
                ("signature", &key.signature()),
                ("sig_method", "hmac_sha256"),
            ],
            body: Body::None,
        };
        match self.call(&call).await {
            Ok(_) => Ok(true),
            Err(failed) if failed.is(INVALID_SIGNATURE) => Ok(false),
            Err(failed) => Err(failed),
        }
    }
}
