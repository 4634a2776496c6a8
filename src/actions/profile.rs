//! `profile`: the nickname and the avatar that a user fills in (头像昵称填写), checked by WeChat before
//! the upstream sees them.
//!
//! What is checked goes on as it came, so `input` takes only bodies that every parser reads alike.
//! The nickname goes through msg_sec_check, the avatar through img_sec_check where it fits the limits
//! of that call. A larger one can only be fetched by WeChat from where the upstream shows it: it is
//! found [`Finding::Later`], and [`Profiles::check_later`] is called once the upstream has it. Where
//! the route names no such place, the avatar passes unchecked at `on_check_outage = "allow"`, and else
//! is refused as too large: 503 would have the client try again what can never do.

mod avatar;
mod disposition;
mod form;
mod input;

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tracing::warn;

pub use self::avatar::Avatar;
pub use self::input::ProfileInput;
use crate::policy::route::{OnCheckOutage, OnReview, ProfileRules};
use crate::refusal::{Reason, Refusal};
use crate::secret::Secret;
use crate::session::access_token::AccessTokens;
use crate::wechat::app::App;
use crate::wechat::client::{Client, Scene, Suggest, Text};
use crate::wechat::user::User;

/// RFC 3986, 2.3: what needs no encoding in a URL.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The profiles of a gateway.
#[derive(Debug)]
pub struct Profiles {
    client: Client,
    tokens: Arc<AccessTokens>,
}

/// What became of a profile that may go to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    /// Of the nickname, where there was one.
    pub nick_name: Option<Finding>,
    /// Of the avatar, where there was one.
    pub avatar: Option<Finding>,
}

/// Why something may go to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// WeChat has nothing against it.
    Passed,
    /// WeChat would have a human look at it, and the route lets it pass.
    ForReview,
    /// It could not be checked, and the route lets it pass.
    Unchecked,
    /// WeChat can check it when the upstream has it.
    Later,
}

impl Profiles {
    /// Profiles checked by this client with these tokens.
    pub fn new(client: Client, tokens: Arc<AccessTokens>) -> Self {
        Self { client, tokens }
    }

    /// Whether the user's profile may go to the upstream.
    pub async fn check(
        &self,
        profile: &ProfileInput,
        user: &User,
        app: &Arc<App>,
        rules: &ProfileRules,
    ) -> Result<Verdict, Refusal> {
        let nick_name = async {
            match &profile.nick_name {
                Some(nick_name) => {
                    let suggest = self.check_nick_name(nick_name, user, app).await;
                    judge("nickname", suggest, app, rules).map(Some)
                }
                None => Ok(None),
            }
        };
        let avatar = async {
            match &profile.avatar {
                Some(avatar) if avatar.fits_img_sec_check() => {
                    let suggest = self.check_avatar(avatar, app).await;
                    judge("avatar", suggest, app, rules).map(Some)
                }
                Some(_) => judge_large(app, rules).map(Some),
                None => Ok(None),
            }
        };
        let (nick_name, avatar) = tokio::join!(nick_name, avatar);
        Ok(Verdict { nick_name: nick_name?, avatar: avatar? })
    }

    /// Has WeChat fetch and check an avatar that the upstream shows under this name now. WeChat pushes
    /// the verdict within half an hour, with the trace_id that this gives.
    pub async fn check_later(
        &self,
        name: &str,
        user: &User,
        app: &Arc<App>,
        rules: &ProfileRules,
    ) -> Result<Option<String>, Refusal> {
        let Some(pattern) = &rules.avatar_url else { return Ok(None) };
        let url = &pattern.replace("{name}", &utf8_percent_encode(name, UNRESERVED).to_string());
        let call = |token: Secret| async move {
            self.client.of(app).media_check_async(&token, &user.openid, Scene::Profile, url).await
        };
        self.tokens.call_with_token(app, call).await.map(Some)
    }

    async fn check_nick_name(
        &self,
        content: &str,
        user: &User,
        app: &Arc<App>,
    ) -> Result<Suggest, Refusal> {
        let text = Text { openid: &user.openid, scene: Scene::Profile, content };
        let call =
            |token: Secret| async move { self.client.of(app).msg_sec_check(&token, &text).await };
        self.tokens.call_with_token(app, call).await
    }

    async fn check_avatar(&self, avatar: &Avatar, app: &Arc<App>) -> Result<Suggest, Refusal> {
        let call = |token: Secret| async move {
            self.client.of(app).img_sec_check(&token, avatar.bytes.clone(), avatar.image_type).await
        };
        self.tokens.call_with_token(app, call).await
    }
}

/// What the route makes of WeChat's word, or of none.
fn judge(
    what: &'static str,
    suggest: Result<Suggest, Refusal>,
    app: &App,
    rules: &ProfileRules,
) -> Result<Finding, Refusal> {
    let risky = |word: &str| {
        let note = format!("WeChat's check holds the {what} for {word}");
        Err(Refusal::new(Reason::ContentRisky, note))
    };
    match (suggest, rules.on_review, rules.on_check_outage) {
        (Ok(Suggest::Pass), _, _) => Ok(Finding::Passed),
        (Ok(Suggest::Risky), _, _) => risky("risky"),
        (Ok(Suggest::Review), OnReview::Pass, _) => Ok(Finding::ForReview),
        (Ok(Suggest::Review), OnReview::Deny, _) => risky("one to be reviewed"),
        (Err(refusal), _, OnCheckOutage::Allow) if is_outage(&refusal) => {
            warn!(app = app.name, "a {what} passes unchecked: {refusal}");
            Ok(Finding::Unchecked)
        }
        (Err(refusal), _, _) => Err(refusal),
    }
}

/// Whether WeChat was not there to check. What it said no to does not pass for that, nor what it was not
/// asked for a reason on this side: wrong settings would let everything through for good, and a limit
/// that clients can use up would be their way past the check.
fn is_outage(refusal: &Refusal) -> bool {
    match refusal.reason {
        Reason::WechatUnavailable => true,
        Reason::WechatBadAnswer => refusal.wechat_errcode.is_none(),
        _ => false,
    }
}

/// What the route makes of an avatar that img_sec_check does not take.
fn judge_large(app: &App, rules: &ProfileRules) -> Result<Finding, Refusal> {
    const NOTE: &str = "the avatar is beyond 1 MiB or 750 x 1334 pixels, which WeChat checks only \
                        from a public URL: set avatar_url, or scale it down in the Mini Program";
    match (&rules.avatar_url, rules.on_check_outage) {
        (Some(_), _) => Ok(Finding::Later),
        (None, OnCheckOutage::Deny) => Err(Refusal::new(Reason::BodyTooLarge, NOTE)),
        (None, OnCheckOutage::Allow) => {
            warn!(app = app.name, "an avatar passes unchecked: {NOTE}");
            Ok(Finding::Unchecked)
        }
    }
}
