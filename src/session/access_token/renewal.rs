//! One renewal of an access_token for all replicas.
//!
//! The replica that comes first takes the lock and asks WeChat; the others use the old token while it
//! holds, else wait for the new one. A token that WeChat turned away is marked in the store, so that
//! no replica takes it for good again; where stable_token hands out that very token all the same, one
//! refresh is forced, within the bounds of [`forced`].

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::warn;

use super::forced;
use super::kept::{Found, Kept, Shelf};
use super::lock::Lock;
use crate::clock::Clock;
use crate::refusal::{Reason, Refusal};
use crate::secret::Secret;
use crate::session::store::Unavailable;
use crate::wechat::app::App;
use crate::wechat::client::{Client, Mode};

/// How long a request waits for another replica's renewal.
const PATIENCE: Duration = Duration::from_secs(8);
const POLL: Duration = Duration::from_millis(50);
/// Tokens that are fetched in vain because somebody else wrote meanwhile, before it is given up.
const OVERTAKEN: usize = 3;
/// Tries to mark a token that was turned away; each failure means that somebody else wrote.
const MARKS: usize = 3;

/// The renewals of one replica.
#[derive(Debug)]
pub(super) struct Renewals {
    client: Client,
    shelf: Shelf,
    clock: Clock,
}

impl Renewals {
    pub(super) fn new(client: Client, shelf: Shelf, clock: Clock) -> Self {
        Self { client, shelf, clock }
    }

    /// A token that is not the bad one, from the store or from WeChat.
    pub(super) async fn renew(&self, app: &App, bad: Option<&Secret>) -> Result<Kept, Refusal> {
        if let Some(bad) = bad {
            self.mark(app, bad).await?;
        }
        let until = Instant::now() + PATIENCE;
        let mut overtaken = 0;
        while Instant::now() < until && overtaken < OVERTAKEN {
            let found = self.shelf.read(app).await?;
            if let Some(fresh) = found.fresh(self.clock.now()) {
                return Ok(fresh.clone().taken_over());
            }
            match Lock::take(&*self.shelf.store, app).await? {
                Some(lock) => {
                    let renewed = self.renew_alone(app, &lock).await;
                    lock.release().await;
                    match renewed? {
                        Some(kept) => return Ok(kept),
                        None => overtaken += 1,
                    }
                }
                None => match found.usable() {
                    // Another replica is at it; this one looks again in a second.
                    Some(old) => return Ok(Kept { due: self.clock.now() + 1, ..old.clone() }),
                    None => sleep(POLL).await,
                },
            }
        }
        let note = "other replicas are at the access_token and have not finished";
        Err(Refusal::new(Reason::WechatUnavailable, note))
    }

    /// The renewal by the holder of the lock; none where somebody else wrote meanwhile.
    async fn renew_alone(&self, app: &App, lock: &Lock<'_>) -> Result<Option<Kept>, Refusal> {
        let found = self.shelf.read(app).await?;
        if let Some(fresh) = found.fresh(self.clock.now()) {
            return Ok(Some(fresh.clone().taken_over()));
        }
        let kept = lock.hold_during(self.fetch(app, &found)).await?;
        Ok(self.shelf.write(app, &found, &kept).await?.then_some(kept))
    }

    /// Asks WeChat for a token that it has not turned away.
    async fn fetch(&self, app: &App, found: &Found) -> Result<Kept, Refusal> {
        let kept = self.ask(app, Mode::Normal).await?;
        let refused = found.kept.as_ref().filter(|old| old.is(&kept.token));
        let Some(refused) = refused.and_then(|old| old.refused) else { return Ok(kept) };
        let now = self.clock.now();
        if forced::take(&*self.shelf.store, app, now).await? {
            warn!(
                app = app.name,
                "WeChat hands out the access_token that it refused; forcing another"
            );
            self.ask(app, Mode::Force).await
        } else if now >= refused + forced::PAUSE.as_secs() {
            // No more can be forced today. WeChat stands by its token: the next call will show.
            Ok(kept)
        } else {
            let note =
                "WeChat refuses the access_token that it hands out, and none can be forced now";
            let refusal = Refusal::new(Reason::WechatUnavailable, note);
            Err(Refusal { retry_after: Some(forced::PAUSE), ..refusal })
        }
    }

    async fn ask(&self, app: &App, mode: Mode) -> Result<Kept, Refusal> {
        let now = self.clock.now();
        Ok(Kept::new(self.client.of(app).stable_token(app, mode).await?, now))
    }

    /// Marks the token as turned away, where it is the one that is kept.
    async fn mark(&self, app: &App, bad: &Secret) -> Result<(), Unavailable> {
        for _ in 0..MARKS {
            let found = self.shelf.read(app).await?;
            let Some(kept) = found.usable().filter(|kept| kept.is(bad)) else { break };
            let refused = Some(self.clock.now());
            if self.shelf.write(app, &found, &Kept { refused, ..kept.clone() }).await? {
                break;
            }
        }
        Ok(())
    }
}
