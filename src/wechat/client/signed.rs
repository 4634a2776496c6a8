//! The calls about a user's session key, which is named by a signature made with it.

use serde_json::Value;

use super::{Body, Call, Client, Failed};
use crate::secret::Secret;
use crate::wechat::errcode::Api;
use crate::wechat::session_key::SessionKey;
use crate::wechat::user::OpenId;

impl Client {
    pub(super) async fn call_signed(
        &self,
        api: Api,
        token: &Secret,
        openid: &OpenId,
        key: &SessionKey,
    ) -> Result<Value, Failed> {
        let call = Call {
            api,
            query: &[
                ("access_token", token.expose()),
                ("openid", openid.as_str()),
                ("signature", &key.signature()),
                ("sig_method", "hmac_sha256"),
            ],
            body: Body::None,
        };
        self.call(&call).await
    }
}
