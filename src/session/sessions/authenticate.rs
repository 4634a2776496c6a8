//! From a token to the session that it names: by what is known of it here, else by the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{NotAuthenticated, Sessions, Verdict, names};
use crate::session::metrics::Lookup;
use crate::session::near_cache::Live;
use crate::session::record::{Session, SessionId, TokenId};
use crate::session::store::Unavailable;
use crate::session::token::{Claims, Invalid, MAX_LENGTH};
use crate::session::{Caller, OnStoreOutage, Revocation};
use crate::telemetry::traces;
use crate::wechat::user::User;

/// However live the invalidations are, no cached session is believed for longer.
const CACHED_SECONDS: u64 = 30;

impl Sessions {
    /// The session that a token names.
    pub async fn authenticate(&self, token: &str) -> Result<Caller, NotAuthenticated> {
        if token.len() > MAX_LENGTH {
            return Err(NotAuthenticated::Invalid);
        }
        let now = self.clock.now();
        if let Some(verdict) = self.known.verdicts.get(token) {
            let caller = &verdict.caller;
            let is_current = self.known.near.is_current(caller, now)
                && !self.eras.has_ended(caller.app, &caller.session);
            if is_current && now < verdict.until && verdict.epoch == self.epoch {
                self.metrics.looked_up(Lookup::Verdict);
                self.renew_when_due(&caller.live, now);
                return Ok(caller.clone());
            }
        }
        let claims = self.tokens.verify(token, now)?;
        let (user, id, token_id) = names(&claims).ok_or(NotAuthenticated::Invalid)?;
        let app = *self.apps.get(&user.appid).ok_or(NotAuthenticated::Invalid)?;
        let (live, until) = match self.look_up(&claims, &user, &id, &token_id, now).await {
            Err(NotAuthenticated::Unavailable(error)) => {
                let live = self.without_store(token, &claims, now).ok_or(error)?;
                return Ok(Caller { live, app });
            }
            looked_up => looked_up?,
        };
        let caller = Caller { live, app };
        let verdict = Verdict { caller: caller.clone(), until, epoch: self.epoch };
        self.known.verdicts.insert(token.into(), Arc::new(verdict));
        self.renew_when_due(&caller.live, now);
        Ok(caller)
    }

    async fn look_up(
        &self,
        claims: &Claims,
        user: &User,
        id: &SessionId,
        token_id: &TokenId,
        now: u64,
    ) -> Result<(Arc<Live>, u64), NotAuthenticated> {
        if self.revocation == Revocation::None {
            let signed = self.signed(claims).ok_or(Invalid)?;
            return match self.has_ended_with_its_app(&signed.session).await? {
                true => Err(NotAuthenticated::Invalid),
                false => Ok((signed, claims.exp)),
            };
        }
        let came = self.known.near.turn();
        let mut live = self.find(user, id, now).await?;
        while live.session.token_until(token_id, now).is_none() && live.was_asked_by(came) {
            // A copy from before a refresh on another replica that was not heard of yet, perhaps.
            self.known.near.give_up(&live);
            live = self.find(user, id, now).await?;
        }
        let until = live.session.token_until(token_id, now).ok_or(NotAuthenticated::Invalid)?;
        if live.session.user != *user {
            return Err(NotAuthenticated::Invalid);
        }
        Ok((live, until.min(claims.exp)))
    }

    /// The session, from memory or from the store. What the store says is gone has ended.
    pub(super) async fn find(
        &self,
        user: &User,
        id: &SessionId,
        now: u64,
    ) -> Result<Arc<Live>, NotAuthenticated> {
        let mut from = Lookup::Cache;
        let load = async {
            from = Lookup::Store;
            self.load(user, id, now).await
        };
        let found = self.known.near.get(id, now, load).await;
        self.metrics.looked_up(from);
        let live = found?.ok_or(NotAuthenticated::Invalid)?;
        match self.has_ended_with_its_app(&live.session).await? {
            true => Err(NotAuthenticated::Invalid),
            false => Ok(live),
        }
    }

    /// The session as its token alone tells it.
    fn signed(&self, claims: &Claims) -> Option<Arc<Live>> {
        let (user, id, token_id) = names(claims)?;
        let session = Session::from_claims(user, id, token_id, claims);
        Live::new(session, self.known.near.era(), u64::MAX, u64::MAX).map(Arc::new)
    }

    /// What a token is worth while the store cannot be asked: nothing, or for some time its signature,
    /// unless its session is known here to have ended.
    fn without_store(&self, token: &str, claims: &Claims, now: u64) -> Option<Arc<Live>> {
        let OnStoreOutage::AllowSigned(grace) = self.on_store_outage else { return None };
        let answered = self.known.store_answered.load(Ordering::Relaxed);
        if now >= answered.saturating_add(grace.as_secs()) {
            return None;
        }
        let live = match self.known.verdicts.get(token) {
            Some(verdict) if now < verdict.until => verdict.caller.live.clone(),
            Some(_) => return None,
            None => self.signed(claims)?,
        };
        let has_ended = self.known.near.has_ended(&live.session.id)
            || self.is_known_to_have_ended_with_its_app(&live.session);
        (self.known.eras.are_known() && !has_ended).then_some(live)
    }

    async fn load(
        &self,
        user: &User,
        id: &SessionId,
        now: u64,
    ) -> Result<Option<Live>, Unavailable> {
        let era = self.known.near.era();
        let found = self.store.find(user, id).await?;
        self.known.store_answered.store(now, Ordering::Relaxed);
        let Some((session, kept)) = found else { return Ok(None) };
        let kept = kept.as_secs();
        let due = kept.saturating_sub(self.idle.as_secs() / 2);
        Ok(Live::new(session, era, now + CACHED_SECONDS.min(kept.max(1)), now + due))
    }

    /// Tells the store that a session is in use, once in half its idle time.
    pub(super) fn renew_when_due(&self, live: &Arc<Live>, now: u64) {
        let due = live.renew_from.load(Ordering::Relaxed);
        if now < due {
            return;
        }
        let next = now + self.idle.as_secs() / 2;
        let first =
            live.renew_from.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        if first.is_err() {
            return;
        }
        let (store, idle, live) = (self.store.clone(), self.idle, live.clone());
        traces::spawn(async move {
            let session = &live.session;
            // It is tried again with the next load of the session, well before it runs out.
            let _ = store.renew(&session.user, &session.id, idle).await;
        });
    }
}
