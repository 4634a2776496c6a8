//! msg_sec_check, version 2: whether a text is fit to be shown.

use serde_json::{Value, json};

use super::{Body, Call, Client, Failed, Scene};
use crate::refusal::{Reason, Refusal};
use crate::secret::Secret;
use crate::wechat::errcode::Api;
use crate::wechat::user::OpenId;

/// Characters of a text, by WeChat's page.
const MAX_CHARACTERS: usize = 2500;
/// The errcode by which version 1 says that a text is risky.
const RISKY: i64 = 87014;

/// A text of a user's. No Debug: it is the user's.
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "a user's words are not for a log")]
pub struct Text<'a> {
    /// Who wrote it; must have been in the Mini Program within two hours.
    pub openid: &'a OpenId,
    /// Where it is to be shown.
    pub scene: Scene,
    /// The text.
    pub content: &'a str,
}

/// What WeChat suggests to do with a text or an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suggest {
    /// Show it.
    Pass,
    /// Let a human look at it.
    Review,
    /// Refuse it.
    Risky,
}

impl Client {
    /// WeChat's verdict on a text. That it is risky is an answer here, no failure.
    pub async fn msg_sec_check(&self, token: &Secret, text: &Text<'_>) -> Result<Suggest, Failed> {
        if text.content.chars().count() > MAX_CHARACTERS {
            let refusal = Refusal::new(Reason::BadRequest, "a text too long for WeChat's check");
            return Err(Failed { refusal, sent: false });
        }
        let call = Call {
            api: Api::MsgSecCheck,
            query: &[("access_token", token.expose())],
            body: Body::Json(json!({
                "content": text.content,
                "version": 2,
                "scene": text.scene.number(),
                "openid": text.openid.as_str(),
            })),
        };
        match self.call(&call).await {
            Ok(answer) => Suggest::read(&answer)
                .ok_or_else(|| Failed::unusable(Api::MsgSecCheck, "no result that can be used")),
            Err(failed) if failed.is(RISKY) => Ok(Suggest::Risky),
            Err(failed) => Err(failed),
        }
    }
}

impl Suggest {
    fn read(answer: &Value) -> Option<Self> {
        Some(match answer.get("result")?.get("suggest")?.as_str()? {
            "pass" => Self::Pass,
            "review" => Self::Review,
            "risky" => Self::Risky,
            _ => return None,
        })
    }
}
