//! How sessions end before their time.

use std::time::Duration;

use super::Sessions;
use crate::session::metrics::EndReason;
use crate::session::record::{Session, SessionId};
use crate::session::store::{Invalidations, Key, Kind, Unavailable};
use crate::wechat::user::User;

/// Longer than a login code's outcome is shared.
const ACCEPTED_KEPT: Duration = Duration::from_secs(120);

impl Sessions {
    /// Ends a session that its user does not want any more.
    pub async fn end(&self, user: &User, id: &SessionId) -> Result<(), Unavailable> {
        self.end_for(user, id, EndReason::Logout).await.map(drop)
    }

    /// Ends a session for this reason; whether it was there.
    pub async fn end_for(
        &self,
        user: &User,
        id: &SessionId,
        reason: EndReason,
    ) -> Result<bool, Unavailable> {
        let ended = self.store.end(user, id).await;
        match ended {
            Ok(true) => self.known.near.ended(id),
            // It may be another user's, and whether it ended is not always known: a copy of it is not to be
            // believed, and no more.
            Ok(false) | Err(_) => self.known.near.forget(id),
        }
        self.metrics.ended(reason, usize::from(matches!(ended, Ok(true))));
        ended
    }

    /// Ends every session of a user, on all devices.
    pub async fn end_all(&self, user: &User, reason: EndReason) -> Result<usize, Unavailable> {
        let ended = self.store.end_all(user).await?;
        self.metrics.ended(reason, ended.len());
        for id in &ended {
            self.known.near.ended(id);
        }
        Ok(ended.len())
    }

    /// Notes that an upstream has accepted the login that began a session.
    pub async fn accept(&self, session: &Session) -> Result<(), Unavailable> {
        self.store.put(&accepted(session), b"1", ACCEPTED_KEPT).await
    }

    /// Ends a session whose login an upstream has refused. Several requests may have brought the same
    /// login code: where one of them was accepted, its client has the token by now.
    pub async fn end_unless_accepted(&self, session: &Session) -> Result<(), Unavailable> {
        match self.store.get(&accepted(session)).await? {
            Some(_) => Ok(()),
            None => {
                let reason = EndReason::LoginRefused;
                self.end_for(&session.user, &session.id, reason).await.map(drop)
            }
        }
    }
}

fn accepted(session: &Session) -> Key {
    Key::new(Kind::Accepted, &[session.id.as_str().as_bytes()])
}
