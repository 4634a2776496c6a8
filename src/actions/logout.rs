//! `logout`: ends the caller's session, or all of them.

use super::answer::{self, Answer};
use super::fields::Fields;
use super::login::Logins;
use crate::session::{EndReason, Live, Sessions};

/// Ends the session, and with `everywhere` those on all devices of the user.
pub async fn logout(
    sessions: &Sessions,
    logins: &Logins,
    live: &Live,
    fields: &Fields,
) -> answer::Result {
    let session = &live.session;
    if fields.boolean("everywhere")? {
        sessions.end_all(&session.user, EndReason::LogoutEverywhere).await?;
    }
    sessions.end(&session.user, &session.id).await?;
    Ok(logins.with_cookie_of(Answer::nothing(), "", 0))
}
