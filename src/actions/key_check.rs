//! Whether the newest session key that the gateway has still is the valid one.
//!
//! WeChat may replace a key unheard of, with any wx.login whose code never came here. Where data did
//! not open, checksession settles it, once for a key and in the background, so that the refusal takes
//! no longer: a key that is not valid any more leaves the ring, and no more failures are tried on it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use crate::secret::Secret;
use crate::session::access_token::AccessTokens;
use crate::session::key_ring::{KeyRings, RingKey};
use crate::session::store::{Key, Kind, Store};
use crate::telemetry::traces;
use crate::wechat::app::{App, AppId};
use crate::wechat::client::Client;
use crate::wechat::user::User;

/// For how long a key is not asked about again.
const SETTLED: Duration = Duration::from_secs(10 * 60);

/// Asks WeChat about session keys.
#[derive(Debug)]
pub struct KeyChecks {
    client: Client,
    tokens: Arc<AccessTokens>,
    rings: Arc<KeyRings>,
    store: Arc<dyn Store>,
    apps: HashMap<AppId, Arc<App>>,
}

impl KeyChecks {
    /// Checks by this client with these tokens, for the users of these apps.
    pub fn new(
        client: Client,
        tokens: Arc<AccessTokens>,
        rings: Arc<KeyRings>,
        store: Arc<dyn Store>,
        apps: &[Arc<App>],
    ) -> Arc<Self> {
        let apps = apps.iter().map(|app| (app.appid.clone(), app.clone())).collect();
        Arc::new(Self { client, tokens, rings, store, apps })
    }

    /// Settles whether the key still is the user's valid one; nobody waits for it.
    pub fn settle(self: &Arc<Self>, user: &User, key: &RingKey) {
        let (checks, user, key) = (self.clone(), user.clone(), key.clone());
        traces::spawn(async move { checks.check(&user, &key).await });
    }

    async fn check(&self, user: &User, key: &RingKey) {
        let Some(app) = self.apps.get(&user.appid) else { return };
        let mark = Key::new(Kind::KeyCheck, &[&key.id.0]);
        if !matches!(self.store.put_if_absent(&mark, b"1", SETTLED).await, Ok(None)) {
            return;
        }
        let call = |token: Secret| async move {
            self.client.of(app).check_session(&token, &user.openid, &key.key).await
        };
        match self.tokens.call_with_token(app, call).await {
            Ok(true) => {}
            // Where the store is away, the key stays until the next failure.
            Ok(false) => drop(self.rings.remove(user, &key.id).await),
            Err(refusal) => debug!("a session key could not be checked: {refusal}"),
        }
    }
}
