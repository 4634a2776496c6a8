//! ResetUserSessionKey: a new session key in the place of one that may be known to others.

use serde_json::Value;

use super::{Client, Failed};
use crate::secret::Secret;
use crate::wechat::errcode::Api;
use crate::wechat::session_key::SessionKey;
use crate::wechat::user::OpenId;

impl Client {
    /// Replaces the user's valid key, which dies at once. The new one ends when it would have.
    pub async fn reset_user_session_key(
        &self,
        token: &Secret,
        openid: &OpenId,
        key: &SessionKey,
    ) -> Result<SessionKey, Failed> {
        let answer = self.call_signed(Api::ResetUserSessionKey, token, openid, key).await?;
        read(&answer, openid).map_err(|what| Failed::unusable(Api::ResetUserSessionKey, what))
    }
}

fn read(answer: &Value, openid: &OpenId) -> Result<SessionKey, &'static str> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    if text("openid").is_some_and(|named| named != openid.as_str()) {
        return Err("the session_key of another user");
    }
    let key = text("session_key").and_then(|key| SessionKey::parse(key).ok());
    key.ok_or("no session_key that can be used")
}
