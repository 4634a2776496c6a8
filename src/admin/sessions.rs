//! `/sessions`: who is logged in, and ending it.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Json;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;

use super::{Answer, Failure, Parts, View};
use crate::session::EndReason;
use crate::session::record::{Session, SessionId};
use crate::wechat::app::App;
use crate::wechat::user::{OpenId, User};

/// Whose sessions: the user's in one app, or in all of them.
#[derive(Debug, Deserialize)]
pub(super) struct Whose {
    openid: Option<String>,
    /// The name of the app in the configuration, or its appid.
    app: Option<String>,
}

impl Whose {
    fn apps(&self, view: &View) -> Result<Vec<Arc<App>>, Failure> {
        let Some(named) = &self.app else { return Ok(view.apps.clone()) };
        let is = |app: &&Arc<App>| app.name == *named || app.appid.as_str() == named;
        let apps: Vec<_> = view.apps.iter().filter(is).cloned().collect();
        match apps.is_empty() {
            true => Err(Failure::NotFound("no such app in the configuration".to_owned())),
            false => Ok(apps),
        }
    }

    /// The user as each of the apps knows him.
    fn users(&self, view: &View) -> Result<Vec<(Arc<App>, User)>, Failure> {
        let missing = "name the user: ?openid=…, and &app=… where there are several";
        let openid = self.openid.as_deref();
        let openid = openid.ok_or_else(|| Failure::BadRequest(missing.to_owned()))?;
        let openid = OpenId::parse(openid);
        let openid = openid.ok_or_else(|| Failure::BadRequest("this is no openid".to_owned()))?;
        let user = |app: Arc<App>| {
            let user = User { appid: app.appid.clone(), openid: openid.clone() };
            (app, user)
        };
        Ok(self.apps(view)?.into_iter().map(user).collect())
    }
}

/// The sessions of a user, and what the log calls him.
pub(super) async fn list(State(parts): State<Parts>, Query(whose): Query<Whose>) -> Answer {
    let view = parts.shown.view()?;
    let mut sessions = Vec::new();
    for (app, user) in whose.users(&view)? {
        let found = view.sessions.of_user(&user).await?;
        sessions.extend(found.iter().map(|session| show(session, &app)));
    }
    let in_log = whose.openid.as_deref().and_then(|openid| view.openid_names.of(openid));
    Ok(Json(json!({ "openid_in_log": in_log, "sessions": sessions })))
}

/// No token and no session key; the claims are the upstream's words about the user.
fn show(session: &Session, app: &App) -> Value {
    json!({
        "sid": session.id.as_str(),
        "app": app.name,
        "openid": session.user.openid.as_str(),
        "unionid": session.unionid.as_ref().map(|unionid| unionid.as_str()),
        "created": session.created,
        "expires": session.expires,
        "claims": session.claims,
    })
}

/// Ends one session of a user.
pub(super) async fn end(
    State(parts): State<Parts>,
    Path(sid): Path<String>,
    Query(whose): Query<Whose>,
) -> Answer {
    let view = parts.shown.view()?;
    let unknown = || Failure::NotFound("the user has no such session".to_owned());
    let id = SessionId::parse(&sid).ok_or_else(unknown)?;
    for (_, user) in whose.users(&view)? {
        if view.sessions.end_for(&user, &id, EndReason::Admin).await? {
            info!("session {id:?} was ended by the admin listener");
            return Ok(Json(json!({ "ended": 1 })));
        }
    }
    Err(unknown())
}

/// Ends all sessions of a user; without a user, all of an app.
pub(super) async fn end_all(State(parts): State<Parts>, Query(whose): Query<Whose>) -> Answer {
    let view = parts.shown.view()?;
    if whose.openid.is_none() && whose.app.is_some() {
        for app in whose.apps(&view)? {
            view.sessions.end_app(&app.appid).await?;
            info!(app = app.name, "all sessions of the app were ended by the admin listener");
        }
        return Ok(Json(json!({ "ended": "all" })));
    }
    let mut ended = 0;
    for (_, user) in whose.users(&view)? {
        ended += view.sessions.end_all(&user, EndReason::Admin).await?;
    }
    info!("{ended} sessions of a user were ended by the admin listener");
    Ok(Json(json!({ "ended": ended })))
}
