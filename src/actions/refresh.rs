//! `refresh`: a new token for the same session.

use serde_json::json;

use super::answer::{self, Answer};
use super::login::Logins;
use crate::session::{Live, Sessions};

/// Gives the session a new token.
pub async fn refresh(sessions: &Sessions, logins: &Logins, live: &Live) -> answer::Result {
    let token = sessions.refresh(live).await?;
    let expires_in = sessions.expires_in(&live.session);
    let answer = Answer::json(&json!({
        "token": token,
        "token_type": "Bearer",
        "expires_in": expires_in,
    }));
    Ok(logins.with_cookie_of(answer, &token, expires_in))
}
