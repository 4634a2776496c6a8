//! The access_tokens of the apps: fetched at first need, renewed ahead of their end, once for all.
//!
//! In this process one renewal is under way for an app at any time, on its own task, and all who need
//! it share it; over replicas see `renewal`. While the old token holds, nobody waits. A failure is
//! remembered for a moment, so that a wrong secret or a lapse of WeChat's costs a few calls and not
//! one for each request. A login needs no access_token and never comes here.

mod forced;
mod kept;
mod lock;
mod renewal;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, Shared};
use tracing::{error, warn};

use self::kept::{Kept, Shelf};
use self::renewal::Renewals;
use super::metrics::AccessTokenMetrics;
use super::seal::Sealer;
use super::store::Store;
use crate::clock::Clock;
use crate::refusal::{Reason, Refusal};
use crate::secret::Secret;
use crate::telemetry::traces;
use crate::wechat::app::{App, AppId};
use crate::wechat::client::{Client, Failed};

/// How long nothing is asked again where only the operator, or the next minute's quota, can help.
const AFTER_MISCONFIGURED: Duration = Duration::from_secs(30);
/// How long nothing is asked again where WeChat was not there.
const AFTER_OUTAGE: Duration = Duration::from_secs(2);
/// An invalidation may have to wait out a renewal that was under way before it and, beside it,
/// one more that another request began.
const RENEWALS_OF_AN_INVALIDATION: usize = 3;

/// The access_tokens of the apps.
#[derive(Debug)]
pub struct AccessTokens {
    renewals: Renewals,
    clock: Clock,
    slots: Arc<Mutex<HashMap<AppId, Slot>>>,
    metrics: AccessTokenMetrics,
}

/// What this process knows of one app's token.
#[derive(Debug, Default)]
struct Slot {
    current: Option<Kept>,
    /// When this process got it, in seconds since 1970.
    since: u64,
    under_way: Option<Renewal>,
    failure: Option<Failure>,
}

type Renewal = Shared<BoxFuture<'static, Result<Kept, Refusal>>>;

#[derive(Debug)]
struct Failure {
    refusal: Refusal,
    until: u64,
    /// The AppSecret that it came of; with another one it is tried again at once.
    secret: Secret,
}

impl AccessTokens {
    /// Tokens from this client, shared through this store.
    pub fn new(
        client: Client,
        store: Arc<dyn Store>,
        sealer: Arc<Sealer>,
        clock: Clock,
    ) -> Arc<Self> {
        Self::counted(client, store, sealer, clock, AccessTokenMetrics::default())
    }

    /// The same, counted there.
    pub fn counted(
        client: Client,
        store: Arc<dyn Store>,
        sealer: Arc<Sealer>,
        clock: Clock,
        metrics: AccessTokenMetrics,
    ) -> Arc<Self> {
        let shelf = Shelf::new(store, sealer, clock.clone());
        let renewals = Renewals::new(client, shelf, clock.clone());
        Arc::new(Self { renewals, clock, slots: Arc::default(), metrics })
    }

    /// The same tokens by another client or other keys, counted there.
    #[must_use]
    pub fn after_reload(
        &self,
        client: Client,
        store: Arc<dyn Store>,
        sealer: Arc<Sealer>,
        metrics: AccessTokenMetrics,
    ) -> Arc<Self> {
        let (clock, slots) = (self.clock.clone(), self.slots.clone());
        let renewals =
            Renewals::new(client, Shelf::new(store, sealer, clock.clone()), clock.clone());
        Arc::new(Self { renewals, clock, slots, metrics })
    }

    /// For how many seconds this process has had the app's token, and for how many it still holds;
    /// none where there is none.
    pub fn age(&self, app: &App) -> Option<(u64, u64)> {
        let (slots, now) = self.open();
        let slot = slots.get(&app.appid)?;
        let kept = slot.current.as_ref().filter(|kept| now < kept.expires)?;
        Some((now.saturating_sub(slot.since), kept.expires - now))
    }

    /// Makes a call with the app's access_token. Where WeChat turns the token away, the call was not
    /// carried out: it is made once more with another token.
    pub async fn call_with_token<T, F>(
        self: &Arc<Self>,
        app: &Arc<App>,
        call: impl Fn(Secret) -> F,
    ) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, Failed>>,
    {
        let token = self.get(app).await?;
        match call(token.clone()).await {
            Err(failed) if failed.is_stale_access_token() => {
                let errcode = failed.refusal.wechat_errcode.unwrap_or_default();
                warn!(app = app.name, errcode, "WeChat turned the access_token away; renewing it");
                let token = self.invalidate(app, &token).await?;
                Ok(call(token).await?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// The app's access_token.
    pub async fn get(self: &Arc<Self>, app: &Arc<App>) -> Result<Secret, Refusal> {
        let renewal = {
            let (mut slots, now) = self.open();
            let slot = slots.entry(app.appid.clone()).or_default();
            match &slot.current {
                Some(kept) if now < kept.due => return Ok(kept.token.clone()),
                Some(kept) if now < kept.expires => {
                    let token = kept.token.clone();
                    // In the background: a failure shows in the log, and to others at the token's end.
                    let _ = self.renew(slot, app, None);
                    return Ok(token);
                }
                _ => self.renew(slot, app, None)?,
            }
        };
        renewal.await.map(|kept| kept.token)
    }

    /// Another token than this one, which WeChat refused. It is renewed only where it still is the
    /// current one: those who come late with an old token get the new one.
    pub async fn invalidate(
        self: &Arc<Self>,
        app: &Arc<App>,
        bad: &Secret,
    ) -> Result<Secret, Refusal> {
        for _ in 0..RENEWALS_OF_AN_INVALIDATION {
            let renewal = {
                let (mut slots, now) = self.open();
                let slot = slots.entry(app.appid.clone()).or_default();
                match &slot.current {
                    Some(kept) if !kept.is(bad) && now < kept.expires => {
                        return Ok(kept.token.clone());
                    }
                    _ => slot.current = None,
                }
                self.renew(slot, app, Some(bad.clone()))?
            };
            let kept = renewal.await?;
            if !kept.is(bad) {
                return Ok(kept.token);
            }
        }
        let note = "WeChat hands out the access_token that it refuses";
        Err(Refusal::new(Reason::WechatUnavailable, note))
    }

    /// The renewal that is under way, or a new one.
    fn renew(
        self: &Arc<Self>,
        slot: &mut Slot,
        app: &Arc<App>,
        bad: Option<Secret>,
    ) -> Result<Renewal, Refusal> {
        if let Some(under_way) = &slot.under_way {
            return Ok(under_way.clone());
        }
        if let Some(failure) = &slot.failure
            && self.clock.now() < failure.until
            && failure.secret == app.secret
        {
            return Err(failure.refusal.clone());
        }
        let renewal = self.start(app.clone(), bad);
        slot.under_way = Some(renewal.clone());
        Ok(renewal)
    }

    /// A renewal on its own task, which ends well whoever waits for it hangs up.
    fn start(self: &Arc<Self>, app: Arc<App>, bad: Option<Secret>) -> Renewal {
        let tokens = self.clone();
        let task = traces::spawn(async move {
            let renewed = {
                let (tokens, app) = (tokens.clone(), app.clone());
                traces::spawn(async move { tokens.renewals.renew(&app, bad.as_ref()).await })
            };
            let outcome = renewed.await.unwrap_or_else(|_| Err(cut_short()));
            tokens.settle(&app, &outcome);
            outcome
        });
        async move { task.await.unwrap_or_else(|_| Err(cut_short())) }.boxed().shared()
    }

    /// Keeps what became of a renewal.
    fn settle(&self, app: &App, outcome: &Result<Kept, Refusal>) {
        let (mut slots, now) = self.open();
        let slot = slots.entry(app.appid.clone()).or_default();
        slot.under_way = None;
        slot.failure = None;
        match outcome {
            Ok(kept) => {
                // While another replica is at it, the old one goes on for a moment.
                let is_another = |old: &Kept| !old.is(&kept.token);
                if slot.current.as_ref().is_none_or(is_another) {
                    slot.since = now;
                    self.metrics.renewed(&app.appid, true);
                }
                slot.current = Some(kept.clone());
            }
            Err(refusal) => {
                self.metrics.renewed(&app.appid, false);
                say(app, refusal);
                let until = now + remembered(refusal).as_secs();
                slot.failure =
                    Some(Failure { refusal: refusal.clone(), until, secret: app.secret.clone() });
            }
        }
    }

    fn open(&self) -> (MutexGuard<'_, HashMap<AppId, Slot>>, u64) {
        // Nothing panics half way through a change.
        (self.slots.lock().unwrap_or_else(PoisonError::into_inner), self.clock.now())
    }
}

fn cut_short() -> Refusal {
    let note = "the renewal of the access_token was cut short; see the log";
    Refusal::new(Reason::WechatUnavailable, note)
}

/// How long a failure stands for all who need a token meanwhile.
fn remembered(refusal: &Refusal) -> Duration {
    match (refusal.retry_after, refusal.reason) {
        (Some(wait), _) => wait,
        (None, Reason::WechatMisconfigured | Reason::RateLimited) => AFTER_MISCONFIGURED,
        // The store is no less bounded than a look at this memory.
        (None, Reason::StoreUnavailable) => Duration::ZERO,
        (None, _) => AFTER_OUTAGE,
    }
}

/// One line for the operator; the requests that fail meanwhile do not come here.
fn say(app: &App, refusal: &Refusal) {
    if refusal.reason == Reason::WechatMisconfigured {
        error!(app = app.name, appid = %app.appid, "no access_token: {refusal}");
    } else {
        warn!(app = app.name, appid = %app.appid, "no access_token for now: {refusal}");
    }
}
