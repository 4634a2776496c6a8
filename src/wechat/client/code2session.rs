//! code2Session: a login code for the user's openid and session key.

use serde_json::Value;

use super::{Body, Call, Client, Failed};
use crate::secret::Secret;
use crate::wechat::app::App;
use crate::wechat::errcode::Api;
use crate::wechat::session_key::SessionKey;
use crate::wechat::user::{OpenId, UnionId};

/// What WeChat says of a login code.
#[derive(Debug)]
pub struct Login {
    /// The user.
    pub openid: OpenId,
    /// The user over all apps, where the app is bound to an open-platform account.
    pub unionid: Option<UnionId>,
    /// The key that the user's data is encrypted with from now on.
    pub session_key: SessionKey,
}

impl Client {
    /// Exchanges a login code. No access_token goes with it: a login must not depend on one.
    pub async fn code2session(&self, app: &App, code: &Secret) -> Result<Login, Failed> {
        let answer = self
            .call(&Call {
                api: Api::Code2Session,
                query: &[
                    ("appid", app.appid.as_str()),
                    ("secret", app.secret.expose()),
                    ("js_code", code.expose()),
                    ("grant_type", "authorization_code"),
                ],
                body: Body::None,
            })
            .await?;
        Login::read(&answer).map_err(|what| Failed::unusable(Api::Code2Session, what))
    }
}

impl Login {
    /// Reads the answer; what is missing or malformed is named, never quoted.
    fn read(answer: &Value) -> Result<Self, &'static str> {
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        let unionid = match answer.get("unionid") {
            None | Some(Value::Null) => None,
            Some(Value::String(unionid)) if unionid.is_empty() => None,
            Some(unionid) => {
                let unionid = unionid.as_str().and_then(UnionId::parse);
                Some(unionid.ok_or("a unionid that is none")?)
            }
        };
        let session_key = text("session_key").and_then(|key| SessionKey::parse(key).ok());
        Ok(Self {
            openid: text("openid").and_then(OpenId::parse).ok_or("no openid that can be used")?,
            session_key: session_key.ok_or("no session_key that can be used")?,
            unionid,
        })
    }
}
