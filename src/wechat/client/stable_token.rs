//! getStableAccessToken: an app's access_token.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Body, Call, Client, Failed};
use crate::secret::Secret;
use crate::wechat::app::App;
use crate::wechat::errcode::Api;

/// What WeChat asks its callers to have room for is 512 characters.
const MAX_TOKEN: usize = 2048;

/// An access_token as WeChat hands it out.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The token.
    pub token: Secret,
    /// How long it still holds.
    pub expires_in: Duration,
}

/// The two ways to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The same token for all who ask, until it is within five minutes of its end.
    Normal,
    /// A new token; the one before dies at once. 20 a day, at least 30 seconds apart.
    Force,
}

impl Client {
    /// The app's access_token.
    pub async fn stable_token(&self, app: &App, mode: Mode) -> Result<Grant, Failed> {
        let body = json!({
            "grant_type": "client_credential",
            "appid": app.appid.as_str(),
            "secret": app.secret.expose(),
            "force_refresh": mode == Mode::Force,
        });
        let call = Call { api: Api::StableToken, query: &[], body: Body::Json(body) };
        let answer = self.call(&call).await?;
        Grant::read(&answer).map_err(|what| Failed::unusable(Api::StableToken, what))
    }
}

impl Grant {
    fn read(answer: &Value) -> Result<Self, &'static str> {
        let token = answer.get("access_token").and_then(Value::as_str);
        let token = token.filter(|token| is_token(token)).ok_or("no access_token to be used")?;
        let seconds = answer.get("expires_in").and_then(Value::as_u64);
        let seconds = seconds.filter(|seconds| (1..=86_400).contains(seconds));
        Ok(Self {
            token: Secret::new(token),
            expires_in: Duration::from_secs(seconds.ok_or("no expires_in to be used")?),
        })
    }
}

fn is_token(text: &str) -> bool {
    (1..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
