//! `refresh`: a new token for the same session.

use serde_json::json;

use super::answer::{self, Answer};
use crate::session::{Live, Sessions};

/// Gives the session a new token.
pub async fn refresh(sessions: &Sessions, live: &Live) -> answer::Result {
    let token = sessions.refresh(live).await?;
    Ok(Answer::json(&json!({
        "token": token,
        "token_type": "Bearer",
        "expires_in": sessions.expires_in(&live.session),
    })))
}
