//! media_check_async, version 2: whether an image that the public can fetch is fit to be shown.

use serde_json::{Value, json};

use super::{Body, Call, Client, Failed};
use crate::secret::Secret;
use crate::wechat::errcode::Api;
use crate::wechat::user::OpenId;

/// WeChat's number for images; 1 is for sound.
const IMAGE: u8 = 2;
/// A trace_id has 26 characters.
const MAX_TRACE_ID: usize = 128;

/// Where content is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the scenes of WeChat's page")]
pub enum Scene {
    Profile,
    Comment,
    Forum,
    SocialLog,
}

impl Scene {
    /// WeChat's number for it.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Profile => 1,
            Self::Comment => 2,
            Self::Forum => 3,
            Self::SocialLog => 4,
        }
    }
}

impl Client {
    /// Asks WeChat to fetch an image and to push its verdict within half an hour, as the event
    /// `wxa_media_check` with the trace_id that this gives.
    pub async fn media_check_async(
        &self,
        token: &Secret,
        openid: &OpenId,
        scene: Scene,
        image_url: &str,
    ) -> Result<String, Failed> {
        let call = Call {
            api: Api::MediaCheckAsync,
            query: &[("access_token", token.expose())],
            body: Body::Json(json!({
                "openid": openid.as_str(),
                "scene": scene.number(),
                "version": 2,
                "media_url": image_url,
                "media_type": IMAGE,
            })),
        };
        let answer = self.call(&call).await?;
        let trace_id = answer.get("trace_id").and_then(Value::as_str);
        let trace_id = trace_id.filter(|trace_id| is_trace_id(trace_id)).map(str::to_owned);
        trace_id.ok_or_else(|| Failed::unusable(Api::MediaCheckAsync, "no trace_id to be used"))
    }
}

fn is_trace_id(text: &str) -> bool {
    (1..=MAX_TRACE_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
