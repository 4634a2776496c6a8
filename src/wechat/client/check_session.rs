//! checkSessionKey: whether a session key is still the user's valid one.

use super::{Client, Failed};
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
        match self.call_signed(Api::CheckSession, token, openid, key).await {
            Ok(_) => Ok(true),
            Err(failed) if failed.is(INVALID_SIGNATURE) => Ok(false),
            Err(failed) => Err(failed),
        }
    }
}
