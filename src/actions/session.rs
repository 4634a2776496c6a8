//! `session`: what the gateway knows of the caller's session.

use serde_json::{Map, Value};

use super::answer::{self, Answer};
use crate::session::{Live, Sessions};

/// Describes the session.
pub fn session(sessions: &Sessions, live: &Live) -> answer::Result {
    let session = &live.session;
    let mut members: Map<String, Value> = Map::new();
    members.insert("openid".to_owned(), session.user.openid.as_str().into());
    if let Some(unionid) = &session.unionid {
        members.insert("unionid".to_owned(), unionid.as_str().into());
    }
    members.insert("appid".to_owned(), session.user.appid.as_str().into());
    members.insert("created".to_owned(), session.created.into());
    members.insert("expires_in".to_owned(), sessions.expires_in(session).into());
    Ok(Answer::json(&members.into()))
}
