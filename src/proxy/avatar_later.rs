//! An avatar that WeChat can check only where the upstream shows it: asked for once the upstream has
//! taken it.

use std::pin::pin;
use std::sync::Arc;

use pingora_http::ResponseHeader;
use tracing::{info, warn};

use super::Context;
use crate::actions::profile::Profiles;
use crate::policy::route::Route;
use crate::telemetry::traces::within;
use crate::wechat::app::App;
use crate::wechat::user::User;

/// An avatar on its way to the upstream, not checked yet.
#[derive(Debug)]
pub(super) struct AvatarLater {
    pub(super) name: String,
    pub(super) user: User,
    pub(super) app: Arc<App>,
    pub(super) route: Arc<Route>,
    pub(super) profiles: Arc<Profiles>,
}

/// Has WeChat fetch the avatar where the upstream's answer says that it took it; nobody waits for it.
pub(super) fn conclude(response: &ResponseHeader, ctx: &mut Context) {
    let Some(avatar) = ctx.avatar_later.take() else { return };
    if response.status.is_success() {
        let here = ctx.span.here();
        tokio::spawn(async move { within(here, pin!(avatar.check())).await });
    }
}

impl AvatarLater {
    async fn check(self) {
        let rules = &self.route.profile;
        let checked = self.profiles.check_later(&self.name, &self.user, &self.app, rules).await;
        match checked {
            Ok(Some(trace_id)) => {
                info!(trace_id, "WeChat checks an avatar and pushes its verdict");
            }
            Ok(None) => {}
            Err(refusal) => warn!("an avatar that the upstream has was not checked: {refusal}"),
        }
    }
}
